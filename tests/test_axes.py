import jax.numpy as jnp
import numpy as np

from weatherml.axes import exchange, lay, laying, locally, n_parts, own, padded, roll, total


class Doubling:
    """A rule by which nothing is cut, and what is laid out is told from what is not."""

    def sizes(self, name):
        return {}

    def constrain(self, x, names):
        assert names == ("batch", None)
        return 2 * x

    def spread(self, function, inputs, output):
        raise AssertionError("nothing is cut")


def test_names_change_nothing_unless_somebody_has_said_what_they_are_worth():
    x = jnp.ones((2, 3))
    assert lay(x, "batch", None) is x
    with laying(Doubling()):
        assert lay(x, "batch", None).sum() == 12
    assert lay(x, "batch", None) is x


def test_a_field_that_is_not_cut_is_left_as_it_is():
    x, table = jnp.arange(6.0).reshape(2, 3), np.ones(3)
    for rule in (None, Doubling()):
        with laying(rule):
            assert n_parts("lat", "lon") == 1
            assert locally(total, [("lat",)], ()) is total
            assert x is exchange(x, "lat", split=0, join=1) is padded(x, 0, "lon") is total(x, "lat", "lon")
            assert own(table, 0, "lat") is table
            np.testing.assert_array_equal(roll(x, [1, -1], [0, 1], ["lat", "lon"]), jnp.roll(x, (1, -1), (0, 1)))
