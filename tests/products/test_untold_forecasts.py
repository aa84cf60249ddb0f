"""What files do not say of a forecast is asked for by name, in one line, and may be told."""

import cftime
import numpy as np
import pytest
import system_layouts as layouts
import xarray as xr

from weatherml.errors import UserError
from weatherml.products import read_forecast

FORECAST = layouts.forecast((0,)).drop_vars("valid_time")
ONE = FORECAST[["2m_temperature"]]
INITS, LEADS = FORECAST["init_time"].values, FORECAST["lead_time"].values


def dates(calendar, dataset=ONE):
    """Return initial times as a model counts them."""
    days = [cftime.datetime(2001, 1, day, calendar=calendar) for day in (1, 2)]
    return dataset.assign_coords(init_time=days)


def valid_times_alone(dataset=ONE):
    one = dataset.isel(init_time=0, number=0, drop=True).rename(lead_time="time")
    return one.assign_coords(time=INITS[0] + LEADS)


def numbers(values, **attributes):
    return ONE.assign_coords(lead_time=("lead_time", values, attributes))


def points(dataset=ONE):
    """Return rows of which each is shorter than the one before, as on a reduced grid."""
    one = dataset["2m_temperature"].isel(number=0, drop=True).stack(values=("latitude", "longitude"))
    kept = np.concatenate([12 * row + np.arange(12 - row) for row in range(7)])
    return xr.Dataset(
        {"t2m": (("init_time", "lead_time", "values"), one.values[..., kept])},
        {"init_time": INITS, "lead_time": LEADS}
        | {name: ("values", one[name].values[kept]) for name in ("latitude", "longitude")},
    )


REFUSED = {
    "leads of an unknown unit": (
        numbers([6, 12, 18]),
        r"lead_time of .*f.nc is in numbers \(6, 12, 18\) without a unit; correct its attribute units, or pass"
        r" lead_unit='h' if these are hours, or one of d, h, min, s, ns",
    ),
    "leads of a strange unit": (
        numbers([1, 2, 3], units="6 hours"),
        r"is in numbers \(1, 2, 3\) of '6 hours'; correct",
    ),
    "a calendar without leap days": (
        dates("noleap"),
        r"init_time of .*f.nc has the calendar 'noleap', whose days are not those of the weather; xarray's"
        r" convert_calendar gives it another, or pass calendar='standard' to take its dates as they are written",
    ),
    "a calendar of 360 days": (dates("360_day"), r"the calendar '360_day', whose days are not those of the weather"),
    "an initial time twice": (
        ONE.isel(init_time=[0, 1, 1]),
        r"init_time of .*f.nc has 2001-01-02T00:00 2 times; leave all but one out, or pass"
        r" repeated='first' to keep the first of them, or last",
    ),
    "a lead twice": (
        ONE.isel(lead_time=[0, 0, 1]),
        r"lead_time of .*f.nc has 6h 2 times; leave all but one out, or pass",
    ),
    "valid times alone": (
        valid_times_alone(),
        r"f.nc is no forecast, it has dimensions \['latitude', 'longitude', 'time'\]; pass what forecast or convert"
        r" wrote, or pass init_time='2020-01-01T00' if all its times are valid times of one initial time",
    ),
    "leads without an initial time": (
        ONE.isel(init_time=0, number=0, drop=True),
        r"f.nc tells no one initial time; give it as a coordinate init_time, or pass init_time='2020-01-01T00'",
    ),
    "points of a reduced grid": (
        points(),
        r"f.nc has 63 points that are no rows; bring it to latitude-longitude",
    ),
    "two fields of one name": (
        FORECAST[["2m_temperature"]].assign({"2t": FORECAST["2m_temperature"]}),
        r"f.nc: 2m_temperature, 2t would all be '2m_temperature'; pass rename=\{'2m_temperature': 'NAME'\}",
    ),
    "no known name": (
        ONE.drop_attrs().rename({"2m_temperature": "var167"}),
        r"f.nc holds no variable that weatherml knows; it has var167; pass rename=\{'var167': 'NAME'\} to say what",
    ),
}
TOLD = {
    "leads of an unknown unit": (numbers([6, 12, 18]), {"lead_unit": "h"}),
    "leads in parts of days": (numbers([0.25, 0.5, 0.75]), {"lead_unit": "d"}),
    "leads in nanoseconds": (numbers(LEADS.astype(np.int64)), {"lead_unit": "ns"}),
    "a calendar without leap days": (dates("noleap"), {"calendar": "standard"}),
    "an initial time twice": (ONE.isel(init_time=[0, 1, 1]), {"repeated": "first"}),
    "valid times alone": (valid_times_alone(), {"init_time": "2001-01-01"}),
    "an initial time of its own": (ONE, {"init_time": "1999-01-01"}),
    "leads without an initial time": (ONE.isel(init_time=0, drop=True), {"init_time": "2001-01-01"}),
    "no known name": (ONE.drop_attrs().rename({"2m_temperature": "var167"}), {"rename": {"var167": "t2m"}}),
    "a dimension of another name": (ONE.rename(number="run"), {"rename": {"run": "number"}}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_told_is_asked_for_in_one_line(tmp_path, case):
    dataset, message = REFUSED[case]
    dataset.to_netcdf(tmp_path / "f.nc")
    with pytest.raises(UserError, match=message) as refused:
        read_forecast(tmp_path / "f.nc")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("case", TOLD)
def test_what_is_told_makes_the_forecast_that_was_meant(tmp_path, case):
    dataset, told = TOLD[case]
    dataset.to_netcdf(tmp_path / "f.nc")
    found = read_forecast(tmp_path / "f.nc", **told)
    expected = ONE.isel(init_time=slice(0, found.sizes["init_time"]))
    xr.testing.assert_equal(found["2m_temperature"].drop_vars("valid_time").load(), expected["2m_temperature"])


def test_a_date_that_only_a_model_has_is_named(tmp_path):
    times = [cftime.datetime(2001, 2, day, calendar="360_day") for day in (1, 30)]
    ONE.assign_coords(init_time=times).to_netcdf(tmp_path / "f.nc")
    with pytest.raises(UserError, match=r"init_time of .*f.nc holds 2001-02-30T00:00:00, which is no date of the weat"):
        read_forecast(tmp_path / "f.nc", calendar="standard")


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"lead_unit": "hours"}, r"unknown lead_unit 'hours'; known: d, h, min, ns, s"),
        ({"calendar": "noleap"}, r"unknown calendar 'noleap'"),
        ({"repeated": "frist"}, r"unknown repeated 'frist'; did you mean 'first'\?"),
        (
            {"init_time": "2001-01-01", "rename": {"t3m": "t2m"}},
            "rename says what 't3m' is, but no file has such",
        ),
        ({"init_time": "yesterday"}, r"init_time 'yesterday' is no ISO 8601 time"),
    ],
)
def test_a_word_that_tells_nothing_is_refused(tmp_path, told, message):
    valid_times_alone().to_netcdf(tmp_path / "f.nc")
    with pytest.raises(UserError, match=message):
        read_forecast(tmp_path / "f.nc", **told)


def test_files_of_two_grids_are_no_forecast(tmp_path):
    layouts.weatherbench_x(tmp_path / "a.nc", ONE.assign_coords(valid_time=0).isel(init_time=[0]))
    layouts.weatherbench_x(tmp_path / "b.nc", ONE.assign_coords(valid_time=0).isel(init_time=[1], latitude=slice(1, 7)))
    with pytest.raises(UserError, match=r"b.nc lies on another grid than .*a.nc, 6 x 12 instead of 7 x 12; pass files"):
        read_forecast([tmp_path / "a.nc", tmp_path / "b.nc"])
