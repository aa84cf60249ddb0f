"""Wind storms: the severity index by its formula, and footprints of a planted storm."""

from dataclasses import replace

import fake_data
import numpy as np
import pytest
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.hazards import wind
from weatherml.extremes.hazards.registry import find
from weatherml.grid import LatLonGrid
from weatherml.verification.aggregation.regions import Region

GRID = LatLonGrid(tuple(np.arange(60.0, 40, -2)), tuple(np.arange(0.0, 30, 2)))
PARTS = {"10m_u_component_of_wind": (), "10m_v_component_of_wind": ()}
STORM = wind.Definition()
ANALYSES = 8 * fake_data.analyses(PARTS, 17, grid=GRID)
FORECAST = 8 * fake_data.forecasts(PARTS, 2, 4, 3, grid=GRID)
SPEED = np.hypot(*(ANALYSES[name].values for name in PARTS))
THRESHOLD = wind.threshold(ANALYSES, STORM, ("2001", "2001"))
V98 = THRESHOLD["10m_wind_speed"].values
AREA = 6371.0**2 * np.broadcast_to(GRID.cell_areas()[:, None], GRID.shape)


def index_of(speed, weights=AREA, threshold=V98):
    """Sum cell by cell."""
    total = 0.0
    for place in np.ndindex(speed.shape):
        if speed[place] > threshold[place]:
            total += weights[place] * (speed[place] / threshold[place] - 1) ** 3
    return total


def test_the_threshold_is_the_98th_percentile_of_the_speeds_of_a_place():
    np.testing.assert_allclose(V98, np.quantile(SPEED, 0.98, axis=0), rtol=1e-5)
    floored = wind.threshold(ANALYSES, replace(STORM, least_speed=20.0), ("2001", "2001"))
    np.testing.assert_allclose(floored["10m_wind_speed"], np.maximum(V98, 20), rtol=1e-6)


def test_the_severity_index_is_the_cube_of_the_excess_by_area():
    found = wind.severity_index(ANALYSES, STORM, THRESHOLD)
    np.testing.assert_allclose(found, [index_of(field) for field in SPEED], rtol=1e-5)
    assert found.attrs["units"] == "km2" and found.max() > 0


def test_each_member_has_an_index_of_its_own():
    found = wind.severity_index(FORECAST, STORM, THRESHOLD)
    assert found.dims == ("init_time", "lead_time", "number") and found.shape == (2, 4, 3)
    own = np.hypot(*(FORECAST[name].values[1, 2, 0] for name in PARTS))
    assert found.values[1, 2, 0] == pytest.approx(index_of(own), rel=1e-5)


def test_cells_may_count_by_who_lives_there_and_where_they_are():
    people = xr.DataArray(np.arange(150.0).reshape(GRID.shape), {n: ANALYSES[n] for n in ("latitude", "longitude")})
    region = Region(48, 56, 10, 20)
    found = wind.severity_index(ANALYSES, STORM, THRESHOLD, people.assign_attrs(units="people"), region)
    expected = [index_of(field, people.values * region.holds(GRID)) for field in SPEED]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert found.attrs["units"] == "people"


def planted(*storms):
    """Return 10 m s-1, in storms more: (first time, last time, rows, columns, m s-1)."""
    speed = np.full((6, *GRID.shape), 10, np.float32)
    for first, last, rows, columns, own in storms:
        speed[first : last + 1, rows, columns] = own
    coords = {"time": ANALYSES["time"][:6], "latitude": ANALYSES["latitude"], "longitude": ANALYSES["longitude"]}
    return xr.Dataset({"10m_wind_speed": (tuple(coords), speed)}, coords)


CALM = planted().isel(time=0, drop=True) * 2


def test_a_planted_storm_is_one_footprint_with_its_severity():
    fields = planted(
        (1, 2, slice(3, 5), slice(2, 5), 25.0), (3, 3, slice(4, 6), slice(4, 7), 30.0), (5, 5, 0, 14, 21.0)
    )
    found = wind.storms(fields, STORM, CALM)
    assert found["n_times"].values.tolist() == [3, 1]
    boxes = AREA[3:5, 2:5].sum(), AREA[4:6, 4:7].sum()
    np.testing.assert_allclose(found["severity_index"][0], 2 * boxes[0] * 0.25**3 + boxes[1] * 0.5**3, rtol=1e-5)
    np.testing.assert_allclose(found["greatest_ratio"], [1.5, 1.05], rtol=1e-5)
    assert found["area"][0] == pytest.approx(sum(boxes) - AREA[4, 4])
    assert wind.storms(fields, replace(STORM, minimum_area=1e6), CALM).sizes["object"] == 0


def test_storms_of_members_bear_their_numbers():
    found = wind.storms(FORECAST, STORM, THRESHOLD)
    assert set(found["number"].values) == {0, 1, 2} and len(np.unique(found["init_time"])) == 2
    total = wind.severity_index(FORECAST, STORM, THRESHOLD).sum()
    assert found["severity_index"].sum() == pytest.approx(total.item(), rel=1e-9)


def test_the_event_is_where_the_wind_is_above_and_cases_find_it():
    hazard = find("wind_storm")
    definition = hazard.define({})
    event = hazard.event(ANALYSES, definition, hazard.threshold(ANALYSES, definition, ANALYSES["time"].values))
    np.testing.assert_array_equal(event, SPEED > V98)
    np.testing.assert_allclose(hazard.index(ANALYSES, definition, None), SPEED, rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wind.Definition(percentile=0), "a percentile lies between 0 and 100"),
        (lambda: wind.Definition(exponent=0), "is no wind storm"),
        (
            lambda: wind.speeds(ANALYSES[["10m_u_component_of_wind"]], STORM),
            "a wind storm is of 10m_wind_speed or 10m_u",
        ),
        (lambda: wind.event(ANALYSES, STORM, None), "pass wind.threshold"),
        (
            lambda: wind.severity_index(ANALYSES, STORM, THRESHOLD, THRESHOLD["10m_wind_speed"][:4]),
            "weights are not on",
        ),
    ],
)
def test_what_is_no_wind_storm_is_one_line(call, message):
    with pytest.raises(UserError, match=message):
        call()


def test_a_storm_goes_on_where_the_step_changes():
    fields = planted((0, 5, slice(3, 5), slice(2, 5), 25.0))
    times = fields["time"].values[0] + np.array([0, 3, 6, 9, 15, 21]) * np.timedelta64(1, "h")
    assert wind.storms(fields.assign_coords(time=times), STORM, CALM)["n_times"].values.tolist() == [6]
    parted = times + np.array([0, 0, 0, 48, 48, 48]) * np.timedelta64(1, "h")
    assert wind.storms(fields.assign_coords(time=parted), STORM, CALM)["n_times"].values.tolist() == [3, 3]


def test_a_time_without_speeds_has_no_index():
    fields = planted((0, 5, slice(3, 5), slice(2, 5), 25.0))
    fields["10m_wind_speed"][1] = np.nan
    assert np.isnan(wind.severity_index(fields, STORM, CALM)).values.tolist() == [False, True, *[False] * 4]


def test_a_threshold_of_the_times_that_are_judged_is_told(caplog):
    class Known:
        period = ("2001", "2001")

        def at(self, times):
            return CALM

    wind.event(planted(), STORM, Known())
    assert "knows 6 of 6 valid times" in caplog.text


def test_what_is_missing_is_neither_a_storm_nor_none():
    """A speed, a threshold, or both, as on land: these are no part of the field."""
    fields = planted((0, 5, slice(3, 5), slice(2, 5), 25.0))
    whole = wind.event(fields, STORM, CALM)
    calm = CALM.where((CALM["latitude"] != 54) | (CALM["longitude"] != 4))  # 54 north, 4 east
    fields["10m_wind_speed"][1, 9, 9] = np.nan
    event = wind.event(fields, STORM, calm)
    assert event[:, 3, 2].isnull().all() and event.isnull()[1, 9, 9] and whole[0, 3, 2] == 1
    np.testing.assert_array_equal(event.where(event.notnull(), whole), whole)
    assert wind.severity_index(fields, STORM, calm).isnull().all()
    with pytest.raises(UserError, match=r"missing at 1 of 150 cells at 2001-\S+, so its objects are not known"):
        wind.storms(fields.isel(time=[0]), STORM, calm)
    masked = fields.isel(time=[0]).where(calm["10m_wind_speed"].notnull())
    assert wind.storms(masked, STORM, calm).sizes["object"] == 1
    assert wind.severity_index(masked, STORM, calm).notnull().all()
