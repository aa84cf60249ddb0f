"""Windows against the original code's indices and masks, and against what they are on Earth."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from weatherml.models.layers.windows import Windows

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
ODD = Windows((3, 5, 7), (2, 3, 4), shifted=True)


@pytest.fixture
def golden():
    return np.load(GOLDEN / "earth_block_a.npz")


def coordinates(volume):
    """Level, latitude and longitude of each token, counted from 1: zero is what is padded."""
    return np.moveaxis(np.indices(volume) + 1, 0, -1)[None]


@pytest.mark.parametrize(("shifted", "name"), [(False, ""), (True, "rolled_")])
def test_tokens_lie_where_the_original_puts_them(golden, shifted, name):
    volume = (4, 12, 24)
    places = jnp.arange(4 * 12 * 24).reshape(1, *volume, 1)
    ours = Windows(volume, (2, 6, 12), shifted).partition(places)[..., 0]
    np.testing.assert_array_equal(ours.swapaxes(0, 1), golden[f"window_partition_of_{name}flat_index"])


def test_regions_are_those_of_the_originals_mask(golden):
    regions = Windows((4, 7, 24), (2, 6, 12), shifted=True).regions()
    np.testing.assert_array_equal(regions[:, :, None] != regions[:, None], golden["mask_roll1_lon0"] != 0)


def test_windows_that_are_not_shifted_lie_in_one_region():
    regions = Windows((3, 5, 7), (2, 3, 4), shifted=False).regions()
    assert (regions == regions[:, :1]).all()


@pytest.mark.parametrize("windows", [ODD, Windows((2, 7, 4), (3, 2, 1), True), Windows((4, 2, 6), (2, 5, 3), False)])
def test_merge_is_the_inverse_of_partition(windows):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, *windows.volume, 3)))
    np.testing.assert_array_equal(windows.merge(windows.partition(x)), x)


def test_what_is_padded_is_zero_and_lies_at_the_far_end():
    tokens = np.asarray(ODD.partition(jnp.asarray(coordinates(ODD.volume))))
    assert tokens.shape == (2 * 2, 2, 2 * 3 * 4, 3)
    assert (tokens == 0).all(-1).sum() == 4 * 6 * 8 - 3 * 5 * 7


def test_tokens_of_one_region_are_neighbours_and_of_two_are_not():
    windows = Windows((4, 6, 8), (2, 3, 4), shifted=True)
    tokens = np.asarray(windows.partition(jnp.asarray(coordinates(windows.volume))))
    for one_type, regions in zip(tokens, windows.regions(), strict=True):
        for window in one_type:
            distance = np.abs(window[:, None] - window[None])
            near = (distance[..., 0] < windows.window[0]) & (distance[..., 1] < windows.window[1])
            np.testing.assert_array_equal(regions[:, None] == regions, near)
