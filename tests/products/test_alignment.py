"""A forecast and a truth of other grids, times and members are made comparable by request, and results say how."""

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, as_forecast, forecasts

import weatherml as wml
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.products.alignment import RegriddedReference, align
from weatherml.references import as_reference, warn_of_knowing
from weatherml.verification import evaluate
from weatherml.verification.baselines.named import baseline
from weatherml.verification.systems import evaluate_systems

SURFACE = {"2m_temperature": ()}
FINE = LatLonGrid.regular(13, 24)
HOUR = np.timedelta64(1, "h")


@pytest.fixture(scope="module")
def hourly():
    return analyses(SURFACE, 121, "1h").chunk(time=7)


@pytest.fixture(scope="module")
def forecast():
    return forecasts(SURFACE, n_init=3, n_lead=3).chunk(init_time=1)


@pytest.mark.parametrize(("grid", "shape"), [("truth", (13, 24)), ("forecast", (7, 12)), ("4x6", (4, 6))])
def test_two_grids_are_brought_to_one_by_request(forecast, grid, shape):
    truth = analyses(SURFACE, 29, grid=FINE).chunk(time=1)
    ours, theirs = align(forecast, truth, grid=grid)
    for own, given in ((ours, forecast), (theirs, truth)):
        assert own["2m_temperature"].shape[-2:] == shape and own["2m_temperature"].chunks is not None
        xr.testing.assert_equal(
            own["2m_temperature"], wml.regrid(given, LatLonGrid.from_dataset(ours))["2m_temperature"]
        )
    said = evaluate(ours, theirs, ["rmse"]).attrs["judged_as"]
    assert ("the forecast is regridded conservatively, from 7 x 12 to" in said) == (grid != "forecast")
    assert ("the truth is regridded conservatively, from 13 x 24 to" in said) == (grid != "truth")


def test_a_climatology_follows_to_the_grid_that_was_asked_for(forecast):
    truth, climate = analyses(SURFACE, 29, grid=FINE), analyses(SURFACE, 29, grid=FINE, seed=4)
    ours, theirs = align(forecast, truth, grid="forecast")
    own = RegriddedReference(as_reference(climate), LatLonGrid.from_dataset(theirs))
    expected = evaluate(ours, theirs, ["acc"], wml.regrid(climate, LatLonGrid.from_dataset(forecast)))
    xr.testing.assert_allclose(evaluate(ours, theirs, ["acc"], own), expected)


def test_a_climatology_on_another_grid_is_still_known_to_know_what_is_judged(forecast, caplog):
    own = RegriddedReference(Normal(), LatLonGrid.from_dataset(forecast))
    warn_of_knowing(own, np.array(["2000-07-01", "2003-07-01"], "datetime64[ns]"))
    assert "knows 1 of 2 valid times" in caplog.text
    caplog.clear()
    warn_of_knowing(own, np.array(["2003-07-01"], "datetime64[ns]"))
    assert not caplog.text


class Normal:
    """A reference that knows its period."""

    period = ("2000", "2001")

    def at(self, times):
        return analyses(SURFACE, times)


def test_points_of_the_truth_that_are_passed_over_are_said(forecast):
    truth = analyses(SURFACE, 29, grid=FINE)
    said = evaluate(forecast, truth, ["rmse"]).attrs["judged_as"]
    assert said == "of the truth's 13 x 24 points those at the 7 x 12 of the forecast are judged"


def test_two_grids_are_refused_where_nothing_is_asked_for(forecast):
    truth = analyses(SURFACE, 29, grid=LatLonGrid.regular(10, 16))
    with pytest.raises(UserError, match=r"another grid than the forecast.*; pass weatherml.align\(.*grid='truth'\)"):
        evaluate(*align(forecast, truth), ["rmse"])
    with pytest.raises(UserError, match="grid 'truht' says no grid"):
        align(forecast, truth, grid="truht")


def test_a_finer_truth_is_thinned_and_that_is_said(forecast, hourly):
    scores = evaluate(*align(forecast, hourly), ["rmse"])
    assert scores.attrs["judged_as"] == "of the truth's times, every 1h, the valid ones count"
    coarse = align(forecast, hourly.isel(time=slice(None, None, 6)))
    xr.testing.assert_equal(scores, evaluate(*coarse, ["rmse"]))
    assert "judged_as" not in evaluate(*coarse, ["rmse"]).attrs


def test_a_finer_truth_is_averaged_up_to_each_valid_time(forecast, hourly):
    _, truth = align(forecast, hourly, average="6h")
    for time in ("2001-01-01T06", "2001-01-03T18"):
        end = np.datetime64(time, "ns")
        window = hourly["2m_temperature"].sel(time=slice(end - 5 * HOUR, end))
        np.testing.assert_allclose(truth["2m_temperature"].sel(time=end), window.mean("time"), rtol=1e-5, atol=1e-6)
    assert not truth["2m_temperature"].variable._in_memory
    assert align(forecast, hourly, average="6h", grid="4x6")[1]["2m_temperature"].chunks is not None
    ours = as_forecast(truth.compute(), forecast)
    scores = evaluate(ours, truth, ["rmse"])
    assert scores.attrs["judged_as"] == "the truth is the mean over 6h up to each valid time"
    assert float(scores["rmse"].max()) == 0


def test_a_window_that_is_not_wholly_there_is_no_truth(forecast, hourly):
    late = hourly.sel(time=slice("2001-01-01T02", None))
    _, truth = align(forecast, late, average="6h")
    assert truth["time"].values[0] == np.datetime64("2001-01-01T07")
    with pytest.raises(UserError, match="the truth has no time 2001-01-01T06:00"):
        evaluate(*align(forecast, late, average="6h"), ["rmse"])
    with pytest.raises(UserError, match="average 90min is not a multiple of the truth's spacing, 1h"):
        align(forecast, hourly, average="90min")
    with pytest.raises(UserError, match="no time up to which the mean over 6h is wholly there; pass a longer one"):
        align(forecast, hourly.isel(time=slice(0, 3)), average="6h")


@pytest.mark.parametrize("accumulated", ["hourly", "since 00 UTC"])
def test_rain_of_the_truth_is_summed_over_the_windows_of_the_forecast(accumulated):
    rain = np.abs(analyses({"total_precipitation": ()}, 97, "1h"))
    field = rain["total_precipitation"]
    sums = field.isel(time=slice(1, None)).coarsen(time=6).sum().assign_coords(time=field["time"].values[6::6])
    given = rain
    if accumulated == "since 00 UTC":  # the value at 00 UTC is that of the whole day before
        days = field.isel(time=slice(1, None)).coarsen(time=24).construct(time=("day", "hour")).cumsum("hour")
        given = rain.isel(time=slice(1, None)).copy()
        given["total_precipitation"] = ("time", "latitude", "longitude"), days.values.reshape(96, 7, 12)
    ours = forecasts({"total_precipitation_6hr": ()}, n_init=2)
    with pytest.raises(
        UserError, match=r"the truth has total_precipitation, the forecast total_precipitation_6hr; pass ac"
    ):
        align(ours, given)
    _, truth = align(ours, given.chunk(time=5), accumulated=accumulated)
    found = truth["total_precipitation_6hr"].sel(time=sums["time"].values)
    np.testing.assert_allclose(found, sums, rtol=1e-4, atol=1e-5)
    perfect = as_forecast(truth[["total_precipitation_6hr"]].compute(), ours)
    scores = evaluate(perfect, truth, ["mae"])
    assert float(scores["mae"].max()) == 0 and "summed from its total_precipitation" in scores.attrs["judged_as"]


def test_baselines_have_all_times_of_a_truth_that_is_averaged_or_summed():
    truth = np.abs(analyses({"total_precipitation": (), "2m_temperature": ()}, 13, "1h"))
    ours = forecasts({"total_precipitation_6hr": (), "2m_temperature": ()}, n_init=1, n_lead=2)
    _, summed = align(ours, truth, accumulated="hourly")
    stays = baseline("persistence", summed[["2m_temperature"]], None, ours[["2m_temperature"]])
    np.testing.assert_array_equal(stays["2m_temperature"][0, 1], truth["2m_temperature"][0])
    defined = summed["total_precipitation_6hr"].notnull().all(["latitude", "longitude"]).values
    assert defined[6:].all() and summed["time"].equals(truth["time"])
    _, mean = align(ours[["2m_temperature"]], truth[["2m_temperature"]], average="3h")
    assert mean["time"].values.tolist() == truth["time"].values[2:].tolist()
    window = truth["2m_temperature"].isel(time=slice(5, 8)).mean("time")
    np.testing.assert_allclose(mean["2m_temperature"].isel(time=5), window, rtol=1e-6)


def test_what_is_averaged_is_read_where_it_is_read():
    truth = analyses(SURFACE, 13, "1h")
    _, mean = align(forecasts(SURFACE, n_init=1, n_lead=1), truth, average="3h")
    part = {"time": [1, 4], "latitude": slice(1, 3), "longitude": 5}
    expected = truth["2m_temperature"].rolling(time=3).mean().isel(time=slice(2, None))
    np.testing.assert_allclose(mean["2m_temperature"].isel(part), expected.isel(part), rtol=1e-5)
    np.testing.assert_allclose(mean["2m_temperature"].isel(time=3), expected.isel(time=3), rtol=1e-5)


def test_sums_that_tell_no_window_are_said_to_be_taken_for_those_of_an_hour():
    rain, ours = (np.abs(own({"total_precipitation": ()}, 2)) for own in (analyses, forecasts))
    said = align(ours, rain)[1].attrs["judged_as"]
    assert said == "total_precipitation of the forecast is taken for sums over one hour"
    each = ours.assign_coords(lead_time=np.arange(1, 4) * HOUR.astype("timedelta64[ns]"))
    assert "judged_as" not in align(each, rain)[1].attrs


def test_a_truth_of_several_members_is_one_of_them_by_choice(forecast):
    truth = analyses(SURFACE).expand_dims(number=[0, 1]) + xr.DataArray([0.0, 4.0], dims="number")
    with pytest.raises(UserError, match=r"the truth has 2 members, numbers 0 .. 1; pass truth_member=0 to take one"):
        align(forecast, truth)
    with pytest.raises(UserError, match=r"the truth has no member 7, its numbers are 0 .. 1; pass truth_member=0"):
        align(forecast, truth, truth_member=7)
    with pytest.raises(UserError, match="the truth has no members, got truth_member 0; leave it out"):
        align(forecast, analyses(SURFACE), truth_member=0)
    with pytest.raises(
        UserError, match=r"the truth has 2 members; a forecast is judged against one; pass weatherml.align"
    ):
        evaluate(forecast, truth, ["rmse"])
    first, second, mean = (align(forecast, truth, truth_member=own)[1] for own in (0, 1, "mean"))
    np.testing.assert_allclose(second["2m_temperature"] - first["2m_temperature"], 4, rtol=1e-5)
    np.testing.assert_allclose(mean["2m_temperature"] - first["2m_temperature"], 2, rtol=1e-5)
    assert evaluate(forecast, mean, ["rmse"]).attrs["judged_as"] == "the truth is the mean of 2 members"


def test_scores_of_several_systems_say_how_each_was_judged(forecast):
    truth = analyses(SURFACE, 29, grid=FINE)
    coarse = forecasts(SURFACE, n_init=3, grid=LatLonGrid.regular(5, 8))
    systems = {"a": align(forecast, truth, grid="truth")[0], "b": align(coarse, truth, grid="truth")[0]}
    said = evaluate_systems(systems, truth, ["rmse"]).attrs["judged_as"].split("; ")
    assert [clause.split(", ")[1] for clause in said] == ["from 7 x 12 to 13 x 24", "from 5 x 8 to 13 x 24"]


def _leads(dataset, values):
    return dataset.assign_coords(lead_time=values).drop_vars("valid_time")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda f, t: (_leads(f, [6, 12, 18]), t),
            r"lead_time of the forecast are int64, not timedelta64; read it with weatherml.read_forecast\(..., lead",
        ),
        (
            lambda f, t: (_leads(f, np.array([6, 12, 18], "timedelta64[ns]")), t),
            r"no time 2001-01-01T00:00:00.000000006; the",
        ),
        (
            lambda f, t: (f.isel(lead_time=[0, 0, 1]), t),
            r"the forecast has lead_time 0 days 06:00:00 2 times; keep one",
        ),
        (
            lambda f, t: (f.isel(init_time=[0, 0]), t),
            r"the forecast has init_time 2001-01-01T00:00 2 times; keep one, such",
        ),
        (
            lambda f, t: (f, t.isel(time=[0, 1, 1, 2])),
            r"the truth has time 2001-01-01T06:00 2 times; keep one, such as by",
        ),
        (
            lambda f, t: (f, t.isel(time=0, drop=True)),
            r"the truth has no dimension 'time', only \['latitude', 'longitude'\]",
        ),
        (
            lambda f, t: (_leads(f, f["lead_time"].values + HOUR), t),
            r"no time 2001-01-01T07:00; the nearest that it has are 2001-01-01T06:00 and 2001-01-01T12:00: pass one"
            r" with every valid time, or leave leads out; pass missing='count'",
        ),
    ],
)
def test_axes_that_do_not_fit_are_said_in_one_line(forecast, change, message):
    with pytest.raises(UserError, match=message) as refused:
        evaluate(*change(forecast, analyses(SURFACE)), ["rmse"])
    assert "\n" not in str(refused.value)
