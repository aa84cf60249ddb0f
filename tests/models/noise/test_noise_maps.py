"""The random maps that networks are told."""

import jax
import numpy as np
import pytest

from weatherml.config import from_mapping
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.models import NoiseMapsConfig

GRID = LatLonGrid.regular(9, 14)
LENGTHS = (1500, 6000, 1500)
MAPS = NoiseMapsConfig(lengths=LENGTHS).build(GRID)


@pytest.fixture(scope="module")
def drawn():
    return np.asarray(MAPS.draw(jax.random.split(jax.random.key(0), 4000)))


def test_maps_have_mean_zero_and_variance_one_everywhere_and_are_independent(drawn):
    assert drawn.shape == (4000, 3, *GRID.shape)
    np.testing.assert_allclose(drawn.mean(0), 0, atol=0.07)
    np.testing.assert_allclose(drawn.var(0), 1, atol=0.1)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        np.testing.assert_allclose((drawn[:, one] * drawn[:, other]).mean(0), 0, atol=0.07)


def test_each_map_has_the_correlation_length_of_its_place(drawn):
    """Near by, correlation is that of the plane, exp(-d² / (2 length²))."""
    distance, equator = 2 * np.pi * 6371 / 14, drawn[:, :, 4]
    correlation = (equator[..., 0] * equator[..., 1]).mean(0)
    expected = np.exp(-(distance**2) / (2 * np.array(LENGTHS) ** 2))
    np.testing.assert_allclose(correlation, expected, atol=0.06)


def test_maps_of_a_key_do_not_depend_on_the_other_keys(drawn):
    keys = jax.random.split(jax.random.key(0), 4000)
    np.testing.assert_allclose(MAPS.draw(keys[7:1:-4]), drawn[7:1:-4], atol=1e-5)


def test_no_map_at_all_is_refused():
    with pytest.raises(UserError, match="lengths"):
        from_mapping(NoiseMapsConfig, {"lengths": []})
