import jax.numpy as jnp

from weatherml.axes import lay, laying


def test_names_change_nothing_unless_somebody_has_said_what_they_are_worth():
    x, met = jnp.ones((2, 3)), []
    assert lay(x, "batch", None) is x
    with laying(lambda x, names: met.append(names) or 2 * x):
        assert lay(x, "batch", None).sum() == 12
    assert met == [("batch", None)] and lay(x, "batch", None) is x
