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


def test_wind_and_temperature_that_are_moved_together_are_said_to_be_anywhere():
    def moved(dataset):
        return dataset.roll(longitude=dataset.sizes["longitude"] // 2)

    names = ["u_component_of_wind", "v_component_of_wind", "temperature"]
    sound = balanced(GAUSSIAN)[names]
    assert EAST in told(sound) and told(moved(sound)) == told(sound)
    (note,) = [f for f in untold_places(gather(moved(sound))) if f.subject == EAST]
    assert all(name in note.message for name in names)


def test_the_ground_of_another_world_is_nowhere():
    orography = weather("2m_temperature", earth.GRID).isel(time=0, drop=True)
    hills = orography.rename({"2m_temperature": "geopotential_at_surface"}) * 0 + np.cos(
        np.radians(orography["longitude"] * 3)
    )
    assert {EAST, "latitude flipped"} <= told(hills.transpose("latitude", "longitude").astype(np.float32))


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
