"""Whatever a file calls and orders, the same dataset comes out."""

from datetime import timedelta

import cftime
import numpy as np
import pytest
import source_layouts as layouts
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from weatherml.data.notes import LAYOUT, notes, preliminary
from weatherml.data.reading.canonical import canonicalise
from weatherml.errors import UserError

SMALL = layouts.truth(n_times=3, n_lat=5, n_lon=8)
TRANSFORMS = (layouts.south_first, layouts.from_180_west, layouts.ground_first)


def assert_same(found, expected):
    assert set(found.data_vars) == set(expected.data_vars)
    for name in expected.data_vars:
        assert found[name].dims == expected[name].dims
        np.testing.assert_array_equal(found[name].values, expected[name].values)
        for dim in expected[name].dims:
            np.testing.assert_array_equal(found[dim].values, expected[dim].values)


@settings(max_examples=40, deadline=None)
@given(
    chosen=st.sets(st.sampled_from(TRANSFORMS)),
    dims=st.permutations(["time", "level", "latitude", "longitude"]),
    times=st.permutations([0, 1, 2]),
    pascal=st.booleans(),
)
def test_any_order_of_anything_gives_the_same_dataset(chosen, dims, times, pascal):
    raw = layouts.raw(SMALL).isel(time=times)
    for transform in chosen:
        raw = transform(raw)
    raw = raw.transpose(*dims)
    assert_same(canonicalise(layouts.in_pascal(raw) if pascal else raw, "x.nc"), SMALL)


def test_canonicalising_twice_changes_nothing():
    once = canonicalise(layouts.raw(SMALL), "x.nc")
    xr.testing.assert_identical(canonicalise(once, "x.nc").drop_attrs(), once.drop_attrs())


def test_what_was_put_right_is_noted():
    raw = layouts.from_180_west(layouts.south_first(layouts.ground_first(layouts.raw(SMALL))))
    text = " ".join(notes(canonicalise(raw, "x.nc")))
    assert "south to north" in text and "from -180" in text and "from the ground up" in text


def test_canonical_input_has_nothing_noted():
    assert notes(canonicalise(layouts.raw(SMALL), "x.nc")) == []


def test_a_closing_column_is_dropped():
    raw = layouts.raw(SMALL)
    closing = raw.isel(longitude=[0]).assign_coords(longitude=[360.0])
    assert_same(canonicalise(xr.concat([raw, closing], "longitude"), "x.nc"), SMALL)


@pytest.mark.parametrize(
    ("variable", "units", "factor", "offset"),
    [
        ("t2m", "degC", 1, 273.15),
        ("msl", "hPa", 100, 0),
        ("z", "gpm", 9.80665, 0),
        ("z", "m^2/s^2", 1, 0),
        ("t", "kelvin", 1, 0),
    ],
)
def test_stated_units_are_converted(variable, units, factor, offset):
    raw = layouts.raw(SMALL)
    name = {short: long for long, short in layouts.SHORT.items()}[variable]
    stated = ((raw[variable].astype(float) - offset) / factor).assign_attrs(units=units)
    found = canonicalise(raw.assign({variable: stated}), "x.nc")[name]
    np.testing.assert_allclose(found.values, SMALL[name].values, rtol=2e-7)
    assert found.attrs["units"] in ("K", "Pa", "m2 s-2")


def test_units_of_another_quantity_are_refused():
    raw = layouts.raw(SMALL)
    raw["t2m"].attrs["units"] = "Pa"
    with pytest.raises(UserError, match=r"2m_temperature in x\.nc has units 'Pa'"):
        canonicalise(raw, "x.nc")


def test_geopotential_height_becomes_geopotential():
    raw = layouts.raw(SMALL)[["z"]].rename(z="gh")
    raw["gh"] = (raw["gh"] / np.float32(9.80665)).assign_attrs(units="gpm")
    np.testing.assert_allclose(canonicalise(raw, "x.nc")["geopotential"], SMALL["geopotential"], rtol=1e-6)


def test_scalar_time_and_level_become_dimensions():
    raw = layouts.raw(SMALL).isel(time=1, level=2)
    found = canonicalise(raw, "x.nc")
    assert_same(found, SMALL.isel(time=[1], level=[2]))


def test_surface_variable_on_a_single_level_loses_it():
    raw = layouts.raw(SMALL)[["t2m"]].expand_dims(level=[1000])
    assert_same(canonicalise(raw, "x.nc"), SMALL[["2m_temperature"]])


def test_surface_geopotential_is_told_from_geopotential_by_its_kind_of_level():
    raw = layouts.raw(SMALL)[["z"]].isel(time=0, level=0, drop=True)
    raw["z"].attrs["GRIB_typeOfLevel"] = "surface"
    assert list(canonicalise(raw, "x.nc").data_vars) == ["geopotential_at_surface"]


def test_a_static_field_has_no_time():
    raw = xr.Dataset({"lsm": SMALL["2m_temperature"].isel(time=[0]) * 0 + 1})
    raw["lsm"].attrs["units"] = "(0 - 1)"
    assert canonicalise(raw, "x.nc")["land_sea_mask"].dims == ("latitude", "longitude")


def test_members_come_after_time():
    raw = layouts.raw(SMALL)
    raw = xr.concat([raw, raw + 1], "number").assign_coords(number=[0, 1])
    for name, units in layouts.UNITS.items():
        raw[name].attrs = {"units": units}
    found = canonicalise(raw, "x.nc")
    assert found["temperature"].dims == ("time", "number", "level", "latitude", "longitude")


def test_one_member_is_no_dimension():
    assert_same(canonicalise(layouts.raw(SMALL).expand_dims(number=[0]), "x.nc"), SMALL)


def test_rename_wins_over_the_name_in_the_file():
    raw = layouts.raw(SMALL)[["t2m"]]
    assert list(canonicalise(raw, "x.nc", {"t2m": "mx2t"}).data_vars) == ["maximum_2m_temperature"]


def test_long_name_serves_where_the_name_is_unknown():
    raw = layouts.raw(SMALL)[["t2m"]].rename(t2m="var167")
    raw["var167"].attrs["long_name"] = "2m temperature"
    assert list(canonicalise(raw, "x.nc").data_vars) == ["2m_temperature"]


def test_time_bounds_are_dropped_and_noted():
    raw = layouts.raw(SMALL)
    raw["time"].attrs["bounds"] = "time_bnds"
    raw["time_bnds"] = ("time", "bnds"), np.stack([raw["time"], raw["time"] + np.timedelta64(6, "h")], 1)
    found = canonicalise(raw, "x.nc")
    assert_same(found, SMALL)
    assert "2017-02-03T00 .. 2017-02-03T06" in notes(found)[0]


def test_unknown_variables_are_passed_over_and_noted():
    raw = layouts.raw(SMALL).assign(mystery=SMALL["2m_temperature"])
    found = canonicalise(raw, "x.nc")
    assert_same(found, SMALL)
    assert notes(found) == ["variables passed over: mystery"]


def test_packing_of_the_source_does_not_reach_the_output():
    raw = layouts.raw(SMALL)
    raw["t"].encoding = {"scale_factor": 0.1, "dtype": "int16"}
    assert canonicalise(raw, "x.nc")["temperature"].encoding == {}


def test_preliminary_times_are_counted():
    raw = layouts.raw(SMALL).assign_coords(expver=("time", ["0001", "0005", "0005"]))
    found = canonicalise(raw, "x.nc")
    assert preliminary(found) == ["preliminary ERA5T (expver 5): 2 of 3 times, 2017-02-03T06 .. 2017-02-03T12"]


@pytest.mark.parametrize(("chosen", "said"), [([0, 2], "1 of 2 times, 2017-02-03T12"), ([0, 1], "")])
def test_preliminary_times_are_counted_among_those_that_are_chosen(chosen, said):
    raw = layouts.raw(SMALL).assign_coords(expver=("time", ["0001", "0001", "0005"]))
    found = canonicalise(raw, "x.nc").isel(time=chosen)
    assert preliminary(found) == ([f"preliminary ERA5T (expver 5): {said}"] if said else [])


def test_preliminary_times_may_lie_apart():
    raw = layouts.raw(SMALL).assign_coords(expver=("time", ["0005", "0001", "0005"]))
    found = canonicalise(raw, "x.nc")
    assert preliminary(found)[0].endswith("2 of 3 times, 2017-02-03T00, 2017-02-03T12")
    assert preliminary(found.isel(time=[1])) == []


def test_expver_dimension_is_folded_final_first():
    raw = layouts.raw(SMALL)
    final = raw.where(raw["time"] < raw["time"][2])
    latest = raw.where(raw["time"] >= raw["time"][2])
    both = xr.concat([latest, final], "expver").assign_coords(expver=[5, 1])
    for name, units in layouts.UNITS.items():
        both[name].attrs = {"units": units}
    found = canonicalise(both, "x.nc")
    assert_same(found, SMALL)
    assert "1 of 3 times" in preliminary(found)[0]


def test_notes_survive_a_second_opening():
    once = canonicalise(layouts.south_first(layouts.raw(SMALL)), "x.nc")
    assert notes(canonicalise(once, "y.nc")) == ["latitudes ran south to north: reversed"]


def test_notes_survive_being_one_string():
    assert notes(xr.Dataset(attrs={LAYOUT: "one"})) == ["one"]


def of_wrf(raw):
    """Return one field on a grid whose latitudes vary along a row and with time, without units."""
    field = raw[["t2m"]].rename(latitude="y", longitude="x").drop_vars(["x", "y"])
    return field.assign(XLAT=field["t2m"].drop_attrs(), XLONG=field["t2m"].drop_attrs())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: d.drop_vars("latitude"), "no latitude"),
        (lambda d: d.rename(t="qa", z="qb", t2m="qc", msl="qd"), "no variable that weatherml knows"),
        (lambda d: d.drop_vars(d.data_vars), "no variable that weatherml knows; it has none at all$"),
        (lambda d: d[["z"]].rename(z="Geopotential_height_isobaric"), "by rename .*, such as Geopotential_height_iso"),
        (lambda d: d.rename(time="initial_time0_hours"), r"by rename, such as initial_time0_hours=time"),
        (lambda d: of_wrf(d), r"a grid that is not read: it is curvilinear, XLAT over \('time', 'y', 'x'\)"),
        (lambda d: of_wrf(d).rename(t2m="T2"), "no variable .*; nor would its grid be read: it is curvilinear, XLAT"),
        (lambda d: d.assign_coords(latitude=("latitude", [90, 45, 0, -45, -100.0])), "latitude must lie within"),
        (lambda d: d.assign_coords(latitude=("latitude", [90, 0, 45, -45, -90.0])), "north to south"),
        (lambda d: d[["t"]].assign_coords(level=[300.5, 501.5, 850.25]), "whole hPa"),
        (lambda d: d[["t"]].assign_coords(level=d["level"].assign_attrs(units="1")), "only pressure levels are read"),
        (lambda d: d.assign_coords(time=[0, 1, 2]), "time holds int64"),
        (lambda d: d[["t"]].rename(level="hybrid").drop_attrs(), r"it has t \(on hybrid\); only pressure"),
        (lambda d: d.rename(time="step").assign_coords(step=[0, 6, 12]), "holds forecasts"),
        (lambda d: d.assign(mx=d["t2m"].assign_attrs(long_name="2m temperature")), "would all be '2m_temperature'"),
        (lambda d: d.assign(msl=d["t"].assign_attrs(units="Pa")), "but is a surface variable"),
    ],
)
def test_what_cannot_be_read_is_one_clear_line(spoil, message):
    with pytest.raises(UserError, match=message) as caught:
        canonicalise(spoil(layouts.raw(SMALL)), "x.nc")
    assert "x.nc" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (
            [np.datetime64(f"1500-01-0{day}", "s") for day in (1, 2, 3)],
            "x.nc: time '1500-01-01.*' lies outside the years",
        ),
        (
            [cftime.DatetimeGregorian(2500, 1, day) for day in (1, 2, 3)],
            "x.nc: time '2500-01-01.*' lies outside the years",
        ),
        (
            [cftime.Datetime360Day(2001, 2, day) for day in (28, 29, 30)],
            "x.nc: time '2001-02-28.*' has the calendar '360_day'",
        ),
    ],
)
def test_times_that_cannot_be_told_are_named(times, message):
    with pytest.raises(UserError, match=message):
        canonicalise(layouts.raw(SMALL).assign_coords(time=times), "x.nc")


def test_times_of_cftime_in_the_standard_calendar_are_read():
    first = SMALL["time"].values[0].astype("datetime64[s]").item()
    times = [cftime.DatetimeGregorian(*(first + day * timedelta(days=1)).timetuple()[:6]) for day in range(3)]
    found = canonicalise(layouts.raw(SMALL).assign_coords(time=times), "x.nc")["time"].values
    np.testing.assert_array_equal(found, SMALL["time"].values[0] + np.arange(3) * np.timedelta64(1, "D"))


def test_dimensions_are_called_by_rename_what_they_are():
    raw = layouts.raw(SMALL).rename(time="initial_time0_hours", latitude="g0_lat_2")
    found = canonicalise(raw, "x.nc", {"initial_time0_hours": "time", "g0_lat_2": "latitude"})
    assert_same(found, SMALL)
    with pytest.raises(UserError, match="'g0_lat_2' cannot be called 'time' by rename, which something else is called"):
        canonicalise(raw.rename(initial_time0_hours="time"), "x.nc", {"g0_lat_2": "time"})


def test_merras_sea_level_pressure_is_known():
    raw = layouts.raw(SMALL)[["msl"]].rename(msl="SLP")
    raw["SLP"].attrs = {"units": "Pa", "standard_name": "sea_level_pressure"}
    assert_same(canonicalise(raw, "x.nc"), SMALL[["mean_sea_level_pressure"]])


def test_curvilinear_grids_are_refused():
    field = xr.DataArray(np.zeros((3, 4)), dims=("y", "x"))
    raw = xr.Dataset({"t2m": field}, {"latitude": field, "longitude": field})
    with pytest.raises(UserError, match="curvilinear"):
        canonicalise(raw, "x.nc")


def test_unstructured_grids_are_refused():
    line = xr.DataArray(np.arange(5.0), dims="cell")
    with pytest.raises(UserError, match="unstructured"):
        canonicalise(xr.Dataset({"t2m": line}, {"latitude": line, "longitude": line}), "x.nc")


def test_latitude_on_a_dimension_of_another_name_is_found():
    raw = layouts.raw(SMALL)
    renamed = raw.rename_dims(latitude="y", longitude="x").reset_index(["latitude", "longitude"])
    assert_same(canonicalise(renamed, "x.nc"), SMALL)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (lambda field: field * np.complex64(1j), r"t2m in x\.nc holds complex numbers, .* such as ds\['t2m'\]\.real"),
        (lambda field: field.astype(str), r"t2m in x\.nc holds text; write it as numbers"),
        (lambda field: field.astype("timedelta64[s]"), r"t2m in x\.nc holds times; write them as numbers"),
    ],
)
def test_what_are_no_real_numbers_is_refused_by_the_name_that_the_file_has(values, told):
    raw = layouts.raw(SMALL)
    with pytest.raises(UserError, match=told):
        canonicalise(raw.assign(t2m=values(raw["t2m"])), "x.nc")
