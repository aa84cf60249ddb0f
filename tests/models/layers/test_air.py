"""Channels sorted into surface and upper air."""

import jax.numpy as jnp
import numpy as np
import pytest

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.models.layers.air import Air
from weatherml.state import StateSpec, parse_channels

MIXED = ("t850", "msl", "z500", "t500", "t2m", "z850", "t300", "z300")


def air_of(*names):
    return Air.of(StateSpec(parse_channels(names), LatLonGrid.regular(3, 4)))


def test_variables_keep_their_order_and_levels_fall():
    air = air_of(*MIXED)
    assert [MIXED[index] for index in air.surface] == ["msl", "t2m"]
    assert [[MIXED[index] for index in column] for column in air.upper] == [
        ["t850", "t500", "t300"],
        ["z850", "z500", "z300"],
    ]


def test_join_is_the_inverse_of_split():
    air = air_of(*MIXED)
    x = jnp.arange(2.0 * 8 * 3 * 4).reshape(2, 8, 3, 4)
    np.testing.assert_array_equal(air.join(*air.split(x)), x)


def test_forcings_follow_the_surface():
    surface, upper = air_of(*MIXED).split(jnp.arange(10.0).reshape(1, 10, 1, 1))
    assert surface.ravel().tolist() == [1, 4, 8, 9]
    assert upper.ravel().tolist() == [0, 3, 6, 5, 2, 7]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("z500", "t500"), "no surface channel.*'mean_sea_level_pressure'"),
        (("msl", "t2m"), "no upper-air channel.*'geopotential_500'"),
        (("msl", "z500", "z850", "t850"), r"temperature is on levels \[850\] hPa but geopotential on \[500, 850\]"),
    ],
)
def test_a_state_without_a_volume_is_refused_in_one_line(names, message):
    with pytest.raises(UserError, match=message) as error:
        air_of(*names)
    assert "\n" not in str(error.value)
