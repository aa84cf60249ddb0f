import numpy as np
import pytest
from fake_data import analyses

from weatherml.data.statistics.forcings import Forcings
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid

GRID = LatLonGrid.regular(37, 24)
HOUR, DAY = np.timedelta64(1, "h"), np.timedelta64(24, "h")


def moments(*texts):
    return np.array(texts, "datetime64[ns]")


def test_times_are_read_as_people_write_them():
    forcings = Forcings(("season", "insolation"), GRID, HOUR)
    np.testing.assert_array_equal(
        forcings.at([2021070306, "2021-07-03T08+02:00"])[1], forcings.at(moments("2021-07-03T06"))[0]
    )
    with pytest.raises(UserError, match="time '12' is no ISO 8601 time"):
        forcings.at([12])


def test_steps_of_more_than_a_day_see_the_daily_mean():
    times = moments("2021-05-05")
    three_days, one_day = (Forcings(("insolation",), GRID, n * DAY).at(times) for n in (3, 1))
    np.testing.assert_array_equal(three_days, one_day)


def test_maps_follow_the_order_of_the_names():
    times = moments("2021-01-01", "2021-06-21T12", "2021-09-01")
    together = Forcings(("longitude", "insolation", "season", "latitude"), GRID, 6 * HOUR)
    parts = [Forcings((name,), GRID, 6 * HOUR).at(times) for name in together.names]
    assert [part.shape[1] for part in parts] == [2, 1, 2, 1]
    assert (together.n_maps, together.at(times).dtype) == (6, np.float32)
    np.testing.assert_array_equal(together.at(times), np.concatenate(parts, axis=1))


def test_season_and_place_are_sines_and_cosines():
    forcing = Forcings(("season", "latitude", "longitude"), GRID, DAY).at(moments("2000-01-01", "2000-04-01T07:27"))
    np.testing.assert_allclose(forcing[:, :2, 5, 5], [[0, 1], [1, 0]], atol=1e-3)
    np.testing.assert_allclose(forcing[0, 2, [0, 12, 18, 36], 3], [1, 0.5, 0, -1], atol=1e-6)
    np.testing.assert_allclose(forcing[0, 3:, 7, [0, 2, 6]], [[0, 1], [0.5, np.sqrt(0.75)], [1, 0]], atol=1e-6)


def test_no_forcings_are_no_maps():
    assert Forcings((), GRID, DAY).at(moments("2021-01-01", "2021-01-02")).shape == (2, 0, 37, 24)


def static():
    dataset = analyses({"geopotential_at_surface": (), "land_sea_mask": ()}, times=1)
    return dataset.isel(time=0, drop=True)


def test_orography_is_the_height_of_the_surface_in_kilometres():
    dataset = static()
    forcings = Forcings(("land_sea_mask", "orography"), LatLonGrid.from_dataset(dataset), DAY, dataset)
    maps = forcings.at(moments("2021-01-01", "2021-01-02"))
    np.testing.assert_array_equal(maps[1, 0], dataset["land_sea_mask"])
    np.testing.assert_allclose(maps[1, 1] * 9806.65, dataset["geopotential_at_surface"], rtol=1e-6)


def test_a_static_field_that_is_missing_or_has_gaps_is_refused():
    dataset = static()
    grid = LatLonGrid.from_dataset(dataset)
    with pytest.raises(UserError, match="need the static field 'geopotential_at_surface'"):
        Forcings(("orography",), grid, DAY)
    dataset["land_sea_mask"][3, 4] = np.nan
    with pytest.raises(UserError, match="'land_sea_mask' must cover the grid"):
        Forcings(("land_sea_mask",), grid, DAY, dataset)


def test_an_unknown_name_suggests_the_near_one():
    with pytest.raises(UserError, match="did you mean 'insolation'"):
        Forcings(("isolation",), GRID, DAY)
