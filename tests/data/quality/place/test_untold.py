"""What the fields at hand cannot show is said."""

import numpy as np
import pytest
from test_orientation import weather
from test_wind_found import balanced

from weatherml.data.quality.gathering import gather
from weatherml.data.quality.place import earth
from weatherml.data.quality.rules.place.untold import untold_places
from weatherml.grid import LatLonGrid

GAUSSIAN = LatLonGrid.gaussian(32, 64)
EAST = "longitude shifted or mirrored, of all fields at once"


def told(dataset):
    return {finding.subject for finding in untold_places(gather(dataset))}


def test_a_field_that_shows_the_ground_leaves_nothing_untold():
    assert told(weather("2m_temperature", earth.GRID)) == set()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["geopotential"], {EAST, "latitude flipped", "rows off by one"}),
        (["v_component_of_wind"], {EAST, "latitude flipped", "rows off by one", "sign of v"}),
        (["u_component_of_wind", "v_component_of_wind"], {EAST, "rows off by one"}),
    ],
)
def test_what_weather_without_ground_and_seasons_does_not_show_is_said(names, expected):
    assert told(balanced(GAUSSIAN)[names]) == expected


def test_winter_tells_north_from_south():
    january = weather("2m_temperature", earth.GRID).rename({"2m_temperature": "temperature"})
    levels, means = earth.january("temperature")
    zonal = np.interp(-np.asarray(earth.GRID.latitude), -np.asarray(earth.COARSE.latitude), means[levels == 500][0])
    field = (january["temperature"] * 0 + zonal[:, None].astype(np.float32)).expand_dims(level=[np.int32(500)], axis=1)
    summer = field.to_dataset(name="temperature")
    assert told(summer) == {EAST}
    assert told(summer.assign_coords(time=summer["time"] + np.timedelta64(80, "D"))) == {EAST, "latitude flipped"}


def test_a_region_shows_no_place():
    (subject,) = told(weather("2m_temperature", earth.GRID).sel(latitude=slice(80, 0)))
    assert "longitude" in subject and "sign of wind" in subject
