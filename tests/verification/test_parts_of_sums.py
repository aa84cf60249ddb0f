"""Parts of sums and maps: they add up to what was judged, or are refused, with what differs named."""

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, forecasts

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.verification import accumulate, accumulate_maps, evaluate, evaluate_maps, summarize, summarize_maps
from weatherml.verification.aggregation.regions import Region

OTHER_GRID = LatLonGrid.regular(9, 16)
WINDS = {"u_component_of_wind": (500,), "v_component_of_wind": (500,)}
FIRST, LAST = slice(0, 2), slice(2, 4)


@pytest.fixture(scope="module")
def truth():
    return analyses()


@pytest.fixture(scope="module")
def forecast():
    return forecasts()


@pytest.fixture(scope="module")
def ensemble():
    return forecasts(n_members=5)


def part(forecast, times, truth, metrics, **how):
    return accumulate(forecast.isel(init_time=times), truth, metrics, **how)


def test_parts_of_other_statistics_are_those_of_one_pass(forecast, truth):
    whole = accumulate(forecast, truth, ["rmse", "mae"])
    parts = [part(forecast, times, truth, name) for name, times in (("rmse", FIRST), ("mae", LAST))]
    parts += [part(forecast, times, truth, name) for name, times in (("rmse", LAST), ("mae", FIRST))]
    xr.testing.assert_identical(sum(parts[1:], parts[0]).dataset[list(whole.dataset)], whole.dataset)


def test_a_statistic_that_some_init_times_lack_is_refused_when_it_is_asked_for(forecast, truth):
    total = part(forecast, FIRST, truth, ["rmse", "mae"]) + part(forecast, LAST, truth, "rmse")
    xr.testing.assert_equal(summarize(total, "rmse"), evaluate(forecast, truth, "rmse"))
    with pytest.raises(UserError, match="absolute_error was not taken of init time 2001-01-03T00:00, and was of other"):
        summarize(total, "mae")


def test_channels_without_a_statistic_have_no_score(forecast, truth):
    winds = accumulate(forecasts(WINDS), analyses(WINDS), "wind_vector_rmse")
    found = summarize(winds + accumulate(forecast, truth, "rmse"), ["rmse", "wind_vector_rmse"]).isel(bound=0)
    has = found.notnull().all("lead_time")
    wind = list(winds.dataset["channel"].values)
    assert set(found["channel"].values[has["rmse"].values]) == {
        "geopotential_500",
        "geopotential_850",
        "2m_temperature",
    }
    assert found["channel"].values[has["wind_vector_rmse"].values].tolist() == wind[-1:]
    assert found["rmse"].sel(channel=wind).isnull().all()


def test_what_two_parts_both_hold_is_refused(forecast, truth):
    with pytest.raises(UserError, match="two parts both hold squared_error of init time 2001-01-02T00:00; add parts"):
        part(forecast, FIRST, truth, "rmse") + part(forecast, slice(1, 3), truth, ["rmse", "mae"])


def test_parts_of_one_time_are_judged_on_the_same_points(forecast, truth):
    holed = forecast.where(forecast["longitude"] > 0)
    one = accumulate(forecast, truth, "rmse", missing="count")
    with pytest.raises(UserError, match="judged init time 2001-01-01T00:00 on other points of the globe"):
        one + accumulate(holed, truth, "mae", missing="count")


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        (
            {"region": Region(0, 30)},
            {"region": Region(-60, -30)},
            r"with region x Region\(south=0, .* and .*south=-60, ",
        ),
        ({"grid": OTHER_GRID}, {}, r"with grid 9 x 16 from 90 N 0 E \(\w+\) and 7 x 12 from 90 N 0 E"),
        ({"land_from": 50}, {"land_from": 0}, r"with region x .* \(cells \w+\) and .* \(cells \w+\); judge all init"),
    ],
    ids=["region", "grid", "land"],
)
def test_sums_judged_in_other_ways_are_refused(first, last, message):
    def judged(times, grid=None, region=Region(surface="land"), land_from=0):  # noqa: B008
        truth = analyses(grid=grid)
        truth["land_sea_mask"] = (truth["latitude"] > land_from) * (truth["longitude"] * 0 + 1)
        return part(forecasts(grid=grid), times, truth, "rmse", regions={"x": region})

    with pytest.raises(UserError, match=message):
        judged(FIRST, **first) + judged(LAST, **last)


def test_maps_judged_in_other_ways_are_refused(forecast, ensemble, truth):
    def judged(times, forecast=ensemble, truth=truth, metrics="crps", by=None):
        return accumulate_maps(forecast.isel(init_time=times), truth, metrics, by=by)

    first, on_grid = judged(FIRST), {"n_members": 5, "grid": OTHER_GRID}
    for how, message in (
        ({"metrics": ["crps", "rmse"]}, r"with statistic \['crps'.*\] and \['crps'.*, 'squared_error'\]; judge all"),
        ({"forecast": ensemble.isel(number=slice(3))}, "with n_members 5 and 3; judge all init times"),
        ({"forecast": forecasts(**on_grid), "truth": analyses(grid=OTHER_GRID)}, "with grid 7 x 12 .* and 9 x 16 "),
        ({"forecast": ensemble[["2m_temperature"]]}, "with channel .* and "),
        ({"by": "season"}, r"with groups of \[\] and \['season'\]"),
    ):
        with pytest.raises(UserError, match=message):
            first + judged(LAST, **how)
    with pytest.raises(UserError, match="there are no maps of squared_error; name the metric"):
        summarize_maps(first, "rmse")
    hole = judged(FIRST, forecast.isel(lead_time=[0]), metrics="rmse") + judged(LAST, forecast, metrics="rmse")
    with pytest.raises(UserError, match="init time 2001-01-01T00:00 was not judged at all lead times; add that part"):
        summarize_maps(hole, "rmse")


def test_without_any_truth_one_line_says_so(forecast, truth):
    none = truth.assign_coords(time=truth["time"] + np.timedelta64(3650, "D"))
    for judge in (evaluate, evaluate_maps):
        with pytest.raises(UserError, match="no valid time of the forecast, 2001-01-01T06:00 to 2001-01-04T18:00, has"):
            judge(forecast, none, "rmse", missing="count")


def test_init_times_without_any_truth_are_not_counted(forecast, truth):
    short = truth.isel(time=truth["time"] <= np.datetime64("2001-01-02T06:00"))
    for judge in (evaluate, evaluate_maps):
        assert judge(forecast, short, "rmse", missing="count").attrs["n_init_times"] == 2
    parts = [accumulate_maps(forecast.isel(init_time=[i]), short, "rmse", missing="count") for i in (3, 0, 1, 2)]
    whole = evaluate_maps(forecast, short, "rmse", missing="count")
    xr.testing.assert_allclose(summarize_maps(sum(parts[1:], parts[0]), "rmse"), whole.transpose(*whole.rmse.dims))
