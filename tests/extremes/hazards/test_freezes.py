"""Freezes of made days, where all is known."""

import dask.array
import numpy as np
import pytest
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.hazards.freezes import (
    EXTREME_WEATHER_BENCH,
    Definition,
    at_places,
    climatology,
    errors_at_places,
    freezes,
)
from weatherml.extremes.hazards.registry import find
from weatherml.extremes.thresholds import calendar_quantiles
from weatherml.references import ConstantReference

NIGHTS = [5.0, -1, -3, 2, -2, 4, 3]  # degrees C


def made(nights=NIGHTS, start="2020-01-01"):
    """Two times a day, the first the colder; the second column is 10 K warmer."""
    times = np.datetime64(start, "ns") + np.arange(2 * len(nights)) * np.timedelta64(12, "h")
    values = 273.15 + np.repeat(nights, 2) + np.tile([0.0, 6.0], len(nights))
    field = np.stack([values, values + 10], axis=1)[:, None].repeat(2, axis=1)
    coords = {"time": times, "latitude": [50.0, 40.0], "longitude": [10.0, 20.0]}
    return xr.Dataset({"2m_temperature": (tuple(coords), field.astype(np.float32))}, coords)


def test_it_freezes_on_days_whose_minimum_is_below_the_temperature():
    found = freezes(made())
    assert found.dtype == np.float32 and found.sizes["time"] == 7
    assert found[:, 0, 0].values.tolist() == [False, True, True, False, True, False, False]
    assert not found[:, 0, 1].any()
    assert freezes(made(), Definition(minimum_days=2))[:, 1, 0].values.tolist() == [False, True, True, *[False] * 4]
    assert freezes(made(), Definition(temperature=281.15))[:, 0, 1].values.tolist()[2]


def test_with_a_percentile_it_must_be_unusually_cold_too():
    usual = climatology(made(np.arange(40.0) - 20, "2010-01-01"), EXTREME_WEATHER_BENCH, ("2010", "2010"))
    level = np.quantile(np.arange(31.0) - 20, 0.15)  # around 16 January
    cold = made([level + 0.1, level - 0.1, level - 3], "2020-01-15")
    both = Definition(percentile=15, temperature=273.15 + level - 1)
    usual_at_16 = usual.at(np.array(["2020-01-16"], "datetime64[ns]"))["2m_temperature"][0, 0, 0].item()
    assert usual_at_16 == pytest.approx(273.15 + level, abs=1e-3)
    assert freezes(cold.isel(time=slice(2, 4)), EXTREME_WEATHER_BENCH, usual)[:, 0, 0].values.tolist() == [True]
    assert not freezes(cold.isel(time=slice(2, 4)), both, usual).any()


def test_at_places_the_first_freeze_and_the_lowest_night_are_told():
    found = at_places(made(), [49.0, 42.0], [11.0, 19.0])
    assert found["latitude"].values.tolist() == [50, 40]
    assert found["onset"].values[0] == np.datetime64("2020-01-02") and np.isnat(found["onset"].values[1])
    assert found["duration"].values.tolist() == [2, 0]
    np.testing.assert_allclose(found["minimum"], [270.15, 280.15])
    assert (found["minimum_day"] == np.datetime64("2020-01-03")).all()


def test_errors_of_members_are_those_of_their_first_freezes():
    late = made([5.0, 4, -1, -5, -2, 4, 3])
    warm = made([9.0] * 7)
    leads = (late["time"] - late["time"][0]).values
    members = [own.assign_coords(time=leads).rename(time="lead_time") for own in (late, warm)]
    forecast = xr.concat(members, "number").assign_coords(number=[0, 1])
    forecast = forecast.expand_dims(init_time=[np.datetime64("2020-01-01", "ns")])
    errors = errors_at_places(forecast, made(), [50.0], [10.0])
    assert errors["number"].values.tolist() == [0, 1]
    np.testing.assert_allclose(errors["minimum_error"][:, 0], [-2, 12])
    np.testing.assert_allclose(errors["onset_error"][:, 0], [1, np.nan])
    np.testing.assert_allclose(errors["duration_error"][:, 0], [1, np.nan])
    assert errors["forecast"].values.ravel().tolist() == [True, False] and errors["truth"].all()
    with pytest.raises(UserError, match="the analyses have no 2020-01-01T00:00"):
        errors_at_places(forecast, made(start="2021-01-01"), [50.0], [10.0])


def test_cases_know_freezes():
    hazard = find("freeze")
    assert not hazard.asks(hazard.define({})) and hazard.asks(hazard.define({"percentile": 15}))
    assert hazard.event(made(), hazard.define({"minimum_days": 2}), None).any()
    assert hazard.index(made(), hazard.define({}), None).min() == pytest.approx(270.15)


def test_what_is_no_freeze_is_refused():
    with pytest.raises(UserError, match=r"temperature is in K, got -2; write 273.15"):
        Definition(temperature=-2)
    with pytest.raises(UserError, match="needs a temperature or a percentile"):
        Definition(temperature=None)
    with pytest.raises(UserError, match="below the 15th percentile, and no threshold is given"):
        freezes(made(), EXTREME_WEATHER_BENCH)
    with pytest.raises(UserError, match="freezes are of 2m_temperature, and the data have other"):
        freezes(made().rename({"2m_temperature": "other"}))


def test_places_are_found_across_greenwich_and_none_outside_the_grid():
    times = np.datetime64("2020-01-01", "ns") + np.arange(2) * np.timedelta64(12, "h")
    coords = {"time": times, "latitude": [60.0, 40.0, 20.0], "longitude": np.arange(0.0, 360, 20)}
    field = np.broadcast_to(100 + coords["longitude"], (2, 3, 18)).astype(np.float32)
    fields = xr.Dataset({"2m_temperature": (tuple(coords), field)}, coords)
    found = at_places(fields, [40, 40, 40], [359.5, -74.0, 286.0])
    assert found["longitude"].values.tolist() == [0, 280, 280] and found["minimum"].values.tolist() == [100, 380, 380]
    with pytest.raises(UserError, match=r"the place at -33 north, 151 east is .* km from the nearest grid point"):
        at_places(made(), [-33.0], [151.0])


def test_temperatures_that_say_they_are_in_degrees_celsius_are_refused():
    fields = made()
    fields["2m_temperature"] = (fields["2m_temperature"] - 273.15).assign_attrs(units="degC")
    with pytest.raises(UserError, match=r"2m_temperature is in 'degC', and thresholds are in 'K'; convert it"):
        freezes(fields)


def test_a_climatology_of_the_days_that_are_judged_is_told(caplog):
    usual = climatology(made(np.arange(40.0) - 20, "2010-01-01"), EXTREME_WEATHER_BENCH, ("2010", "2010"))
    freezes(made(start="2010-01-10"), EXTREME_WEATHER_BENCH, usual)
    assert "knows 7 of 7 valid times" in caplog.text


def test_at_places_no_more_is_read_than_these():
    """Columns elsewhere cannot be read at all."""
    whole = made()

    def read(block_info=None):
        (first, _), (east, _) = (block_info[None]["array-location"][axis] for axis in (0, 2))
        assert east == 0, "another column is read"
        return whole["2m_temperature"].values[first : first + 14, :, :1]

    lazy = dask.array.map_blocks(read, chunks=((14,), (2,), (1, 1)), dtype=np.float32)
    fields = xr.Dataset({"2m_temperature": (("time", "latitude", "longitude"), lazy)}, whole.coords)
    assert at_places(fields, [50.0], [10.0])["duration"].item() == 2
    with pytest.raises(AssertionError):
        at_places(fields, [50.0], [20.0])


def test_at_places_thresholds_are_those_of_the_places():
    rows = [made(), made([9.0, 9, 9, 2, 2, 9, 9])]
    usual = made([-1.0, *[3.0] * 6], "2010-01-01").isel(time=slice(0, None, 2))
    usual["2m_temperature"] = usual["2m_temperature"] + xr.DataArray([0.0, -100.0], dims="latitude")
    threshold = calendar_quantiles(usual, [0.5], ("2010", "2010"), 1)
    for fields in rows:
        whole = freezes(fields, EXTREME_WEATHER_BENCH, threshold)
        found = at_places(fields, [50.0, 40, 50], [10.0, 20, 20], EXTREME_WEATHER_BENCH, threshold)
        for number, (row, column) in enumerate([(0, 0), (1, 1), (0, 1)]):
            own = whole[:, row, column].values == 1
            assert found["freezes"].values[number] == own.any()
            assert np.isnat(found["onset"].values[number]) or found["onset"].values[number] == whole["time"][own][0]


def test_at_places_what_hangs_on_missing_values_is_not_known():
    fields = made()
    fields["2m_temperature"][0:2, 0, 0] = np.nan  # the day before the first freeze
    fields["2m_temperature"][4:6, 1, 0] = np.nan  # the second day of it
    found = at_places(fields, [50.0, 40.0, 50.0], [10.0, 10.0, 20.0])
    np.testing.assert_array_equal(found["freezes"], [np.nan, np.nan, 0])
    assert np.isnat(found["onset"]).all() and np.isnat(found["minimum_day"][:2]).all()
    np.testing.assert_array_equal(found["duration"], [np.nan, np.nan, 0])
    leads = (fields["time"] - fields["time"][0]).values
    forecast = made().assign_coords(time=leads).rename(time="lead_time")
    forecast = forecast.expand_dims(init_time=[np.datetime64("2020-01-01", "ns")])
    errors = errors_at_places(forecast, fields, [50.0], [10.0])
    assert errors["forecast"].item() == 1 and np.isnan(errors["truth"].item())


def test_without_an_hour_of_the_only_day_with_frost_nothing_is_known():
    fields = made([5.0, 4, -3, 2, 4])
    for lacking in ([4], [4, 5]):
        holed = fields.isel(time=np.delete(np.arange(10), lacking))
        found = at_places(holed, [50.0], [10.0])
        assert found["freezes"].isnull() and found["duration"].isnull() and found["minimum"].isnull()
        assert found["onset"].isnull() and found["minimum_day"].isnull()
    assert at_places(fields.isel(time=slice(1, 9)), [50.0], [10.0])["freezes"] == 1  # from noon on, and until noon


def test_days_beside_one_that_lacks_are_known_only_where_they_do_not_hang_on_it():
    holed = made([5.0, -1, 4, -3, 2, -1, -2]).isel(time=np.delete(np.arange(14), [4, 5]))
    found = freezes(holed, Definition(minimum_days=2))[:, 0, 0]
    np.testing.assert_array_equal(found, [0, np.nan, np.nan, 0, 1, 1])


def test_where_a_percentile_is_missing_warm_days_are_known_to_be_no_freezes():
    both = Definition(percentile=15)
    unknown = ConstantReference(xr.full_like(made().isel(time=0, drop=True), np.nan))
    found = freezes(made(), both, unknown)
    np.testing.assert_array_equal(found[:, 0, 0], [0, np.nan, np.nan, 0, np.nan, 0, 0])
    np.testing.assert_array_equal(at_places(made(), [50.0, 50], [10.0, 20], both, unknown)["freezes"], [np.nan, 0])


def test_fields_without_a_whole_day_are_one_line():
    with pytest.raises(UserError, match=r"2m_temperature has no whole day, .* among its 2 times; pass all hours"):
        at_places(made().isel(time=slice(1, 3)), [50.0], [10.0])
