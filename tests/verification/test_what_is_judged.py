"""What of forecasts and truths is judged: levels, points, numbers, and what may have been known before."""

import dataclasses

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, as_forecast, forecasts

from weatherml.data.reading.fields import canonical_fields
from weatherml.errors import UserError
from weatherml.references import DatedReference, as_reference
from weatherml.verification import OnlineForecast, accumulate, compare, evaluate, evaluate_maps, scorecard, skill
from weatherml.verification.metrics.base import Metric, itself
from weatherml.verification.pairing import plausible
from weatherml.verification.statistics.base import PointStatistic

CHANNELS = ["geopotential_500", "geopotential_850", "2m_temperature"]
WHOLE = slice(None)


@pytest.fixture(scope="module")
def truth():
    return analyses()


@pytest.fixture(scope="module")
def forecast():
    return forecasts()


def without_level(forecast, init, lead):
    holed = forecast.copy(deep=True)
    holed["geopotential"][dict(level=0, init_time=init, lead_time=lead)] = np.nan
    return holed


def online(forecast):
    """Each initial time and lead by itself."""

    def make(init_times):
        for at in init_times:
            for lead in forecast["lead_time"].values:
                yield forecast.sel(init_time=[at], lead_time=[lead]).expand_dims(number=[0])

    return OnlineForecast(make, forecast["init_time"].values, forecast["lead_time"].values, 1)


def test_a_level_that_the_first_forecast_lacks_is_judged_where_it_is(forecast, truth):
    scores = evaluate(without_level(forecast, 0, 0), truth, "rmse", missing="count")
    assert list(scores["channel"].values) == CHANNELS
    np.testing.assert_allclose(scores["share_judged"].sel(channel=CHANNELS[0]), [3 / 4, 1, 1])
    expected = evaluate(forecast.isel(init_time=WHOLE, lead_time=[1, 2]), truth, "rmse")
    np.testing.assert_allclose(scores["rmse"].isel(lead_time=[1, 2]), expected["rmse"])
    with pytest.raises(UserError, match="the forecast of geopotential_500 valid at 2001-01-01T06:00 is not finite"):
        evaluate(without_level(forecast, 0, 0), truth, "rmse")


def test_a_level_that_is_nowhere_is_left_out_and_told(forecast, truth):
    scores = evaluate(without_level(forecast, WHOLE, WHOLE), truth, "rmse")
    assert list(scores["channel"].values) == CHANNELS[1:]
    assert scores.attrs["judged_as"] == "geopotential of 500 hPa, NaN in the forecast, is left out"
    assert "judged_as" not in evaluate(forecast, truth, "rmse").attrs


@pytest.mark.parametrize("made", [lambda forecast: forecast, online])
def test_a_level_that_comes_later_does_not_vanish(forecast, truth, made):
    holed = without_level(without_level(forecast, [0, 3], WHOLE), 1, 0)  # there from 2001-01-02 12 UTC on
    with pytest.raises(UserError, match=r"of geopotential_500 is NaN .* valid at 2001-01-02T12:00; begin with"):
        evaluate(made(holed), truth, "rmse", missing="count")


@pytest.mark.parametrize(("rows", "lost"), [(3, (1 - np.sin(np.radians(15))) / 2), (7, 1)])
def test_the_share_that_is_judged_is_of_the_whole_region(forecast, truth, rows, lost):
    holed = truth.copy(deep=True)
    holed["2m_temperature"][1, :rows] = np.nan  # at the first valid time alone
    found = evaluate(forecast, holed, "rmse", missing="count")["share_judged"].sel(channel="2m_temperature")
    np.testing.assert_allclose(found, [1 - lost / 4, 1, 1])


def test_systems_that_are_one_where_both_are_do_not_differ(truth, forecast):
    errors = np.where(np.arange(7) < 3, 1, 3)[:, None] + np.zeros(12)  # larger in the south
    first = as_forecast(truth, forecast)[["2m_temperature"]] + errors.astype(np.float32)
    second = first.copy(deep=True)
    second["2m_temperature"][1, 2, 3:] = np.nan  # of one forecast in the north alone
    sums = [accumulate(own, truth, "rmse", missing="count") for own in (first, second)]
    compared = compare(*sums, "rmse")
    np.testing.assert_allclose(compared["difference"], 0, atol=1e-12)
    assert compared.attrs["left_out"] == "1 field of which the systems are judged at other points"


def test_points_of_equal_area_are_not_the_same_points(truth, forecast):
    """Of which one system lacks one in the west, the other one in the east."""
    first, second = (forecast[["2m_temperature"]].copy(deep=True) for _ in range(2))
    first["2m_temperature"][1, 2, 3, 4] = second["2m_temperature"][1, 2, 3, 9] = np.nan
    sums = [accumulate(own, truth, "rmse", missing="count", regions=["global", "tropics"]) for own in (first, second)]
    np.testing.assert_array_equal(sums[0].weights, sums[1].weights)
    assert compare(*sums, "rmse").attrs["left_out"] == "1 field of which the systems are judged at other points"
    with pytest.raises(UserError, match="judged init time 2001-01-02T00:00 on other points of the globe"):
        sums[0] + accumulate(second, truth, "mae", missing="count", regions=["global", "tropics"])


def test_neighbourhoods_reach_out_of_a_region_to_the_same_points_of_both(truth, forecast):
    """So shares near what one system lacks outside are not compared; what needs no neighbours is."""
    own = forecast[["2m_temperature"]]
    second = own.where(own["latitude"] != 30).transpose(*own["2m_temperature"].dims)
    fss = "fss(radius=1, threshold=0.3, unit='points')"
    sums = [accumulate(one, truth, ["rmse", fss], missing="count", regions=["tropics"]) for one in (own, second)]
    np.testing.assert_array_equal(sums[0].weights, sums[1].weights)
    assert (compare(*sums, "rmse")["difference"] == 0).all()
    with pytest.raises(UserError, match="nowhere judged at the same points"):
        compare(*sums, fss)
    with pytest.raises(UserError, match="nowhere judged at the same points"):
        skill(*sums, fss)
    second[dict(init_time=[0, 1])] = own[dict(init_time=[0, 1])]
    sums[1] = accumulate(second, truth, ["rmse", fss], missing="count", regions=["tropics"])
    judged = scorecard(*sums, ["rmse", fss])
    assert (judged["difference"] == 0).all()
    assert judged.attrs["left_out"].endswith("of which the systems are judged at other points around regions")


def test_where_nothing_counted_nothing_is_compared(truth, forecast):
    own = forecast[["2m_temperature"]]
    sums = [accumulate(one, truth, ["rmse"], missing="count") for one in (own, own * np.nan)]
    for pair in (sums, sums[::-1], sums[1:] * 2):
        with pytest.raises(UserError, match="nothing is left to judge: nowhere are forecast, truth and references all"):
            compare(*pair, "rmse")


def test_systems_of_other_points_throughout_are_not_compared(truth, forecast):
    first = forecast[["2m_temperature"]]
    second = first.where(first["latitude"] > 0).transpose(*first["2m_temperature"].dims)
    sums = [accumulate(own, truth, "rmse", missing="count") for own in (first, second)]
    with pytest.raises(UserError, match=r"nowhere judged at the same points.*first\.where\(second\.notnull\(\)\)"):
        compare(*sums, "rmse")
    both = first.where(second.notnull())
    sums[0] = accumulate(both, truth, "rmse", missing="count")
    assert (compare(*sums, "rmse")["difference"] == 0).all()


@pytest.mark.parametrize(
    ("kind", "forecast_value", "truth_value"),
    [("int16", 30000, -30000), ("uint8", 1, 3), ("float16", 60000, -60000), ("bool", 0, 1), ("int32", 2**30, -(2**30))],
)
def test_numbers_of_few_bytes_do_not_wrap_around(forecast, truth, kind, forecast_value, truth_value):
    made, true = (
        (own[["2m_temperature"]] * 0 + value).astype(kind)
        for own, value in ((forecast, forecast_value), (truth, truth_value))
    )
    found = evaluate(made, true, "bias", interval="none")["bias"].sel(bound="estimate")
    np.testing.assert_allclose(found, float(forecast_value) - truth_value)


class Fitted(DatedReference):
    period = ((np.datetime64("2001-01-01", "ns"), np.datetime64("2001-01-02", "ns")),)


@pytest.mark.parametrize(
    "judge",
    [
        lambda forecast, truth, normal: evaluate(forecast, truth, "acc", normal),
        lambda forecast, truth, normal: evaluate(forecast, truth, "acc", references={"climatology": normal}),
        lambda forecast, truth, normal: evaluate(online(forecast), truth, "acc", normal),
        lambda forecast, truth, normal: evaluate_maps(forecast, truth, "acc", normal),
    ],
    ids=["climatology", "references", "online", "maps"],
)
def test_a_climatology_that_knows_what_is_judged_is_told_once(forecast, truth, judge, caplog):
    judge(forecast, truth, Fitted(analyses(seed=3)))
    assert sum("knows 3 of 12 valid times" in own.getMessage() for own in caplog.records) == 1


@dataclasses.dataclass(frozen=True)
class Above(PointStatistic):
    """Whether the truth lies above a field."""

    normal: object

    def at(self, pair, **_):
        return (pair.truth > np.mean(self.normal)).astype(float)


def test_statistics_of_other_arrays_have_other_names(forecast, truth):
    low, high = np.zeros(2000), np.repeat([0.0, 9.0, 0.0], [3, 1994, 3])  # both are printed as [0. 0. 0. ... 0. 0. 0.]
    metrics = {name: Metric((Above(own),), itself) for name, own in {"low": low, "high": high}.items()}
    scores = evaluate(forecast, truth, metrics, interval="none").sel(bound="estimate")
    assert (scores["low"] > 0.3).all() and (scores["high"] == 0).all()
    pairs = [(low, low + 1e-12), (low, low.astype(np.float32)), (low, low[:, None]), ((low,), (high,))]
    assert all(Above(one).name != Above(other).name for one, other in pairs)
    assert Above(low).name == Above(low.copy()).name and len(Above(low).name) < 60


@pytest.mark.parametrize("made", [lambda forecast: forecast, online], ids=["stored", "online"])
def test_values_in_other_units_are_told_once_and_what_they_look_like(made, forecast, truth, caplog):
    """Of a truth in degrees Celsius whose file says nothing of it, beside a forecast in K."""
    plausible.tell.cache_clear()
    warm, cold = (
        {"2m_temperature": own["2m_temperature"] * 10 + shift} for own, shift in ((forecast, 280), (truth, 7))
    )
    evaluate(made(forecast[["2m_temperature"]].assign(warm)), truth[["2m_temperature"]].assign(cold), "rmse")
    evaluate(made(forecast[["2m_temperature"]].assign(warm)), truth[["2m_temperature"]].assign(cold), "mae")
    told = [own.getMessage() for own in caplog.records]
    assert [own for own in told if "there are on Earth" in own] == told
    assert len(told) == 1
    assert told[0].startswith("values of the truth are none that there are on Earth: 2m_temperature")
    assert told[0].endswith("instead of 170 .. 340 K, it looks like degrees Celsius")


def test_an_event_by_the_name_of_a_temperature_is_told_nothing_of(forecast, truth, caplog):
    plausible.tell.cache_clear()
    events = [(own[["2m_temperature"]] > 0).astype(np.float32) for own in (forecast, truth)]
    for own in events:
        own["2m_temperature"].attrs["units"] = "1"
    evaluate(*events, "brier(threshold=0.5)")
    assert not caplog.records


def test_a_threshold_by_day_of_the_year_is_that_of_the_day():
    days = xr.DataArray(np.arange(1.0, 367), {"dayofyear": np.arange(1, 367)}, ["dayofyear"]).to_dataset(name="a")
    times = np.array(["2001-01-01T06", "2000-12-31T18"], "datetime64[ns]")
    assert list(as_reference(days).at(times)["a"].values) == [1, 366]


def test_fields_of_a_file_are_in_si_units_and_run_southward():
    place = {"latitude": [-45.0, 45.0], "longitude": [0.0, 180.0], "quantile": [0.9]}
    dims = ["quantile", "latitude", "longitude"]
    cold = xr.DataArray([[[1.0, 2.0], [3.0, 4.0]]], place, dims, attrs={"units": "degC"})
    read = canonical_fields(cold.to_dataset(name="2m_temperature"), "threshold", "q.nc")["2m_temperature"]
    np.testing.assert_allclose(read, [[276.15, 277.15], [274.15, 275.15]], rtol=1e-6)
    assert list(read["latitude"]) == [45, -45]


def test_what_metrics_compare_with_is_told_of_when_it_is_in_other_units_or_has_other_axes(truth, caplog):
    plausible.tell.cache_clear()
    variable = {"2m_temperature": ()}
    members, truth = (own * 10 + 280 for own in (forecasts(variable, n_members=2), truth[["2m_temperature"]]))
    celsius = truth.isel(time=0, drop=True) * 0
    scores = evaluate(members, truth, "twcrps", references={"threshold": celsius + 5}, interval="none")
    assert any(own.getMessage().startswith("values of the threshold are none") for own in caplog.records)
    assert "the truth exceeds the threshold of twcrps everywhere and always" in str(scores.attrs)
    with pytest.raises(UserError, match="the threshold of 2m_temperature has a dimension 'quantile'"):
        evaluate(members, truth, "twcrps", references={"threshold": celsius.expand_dims(quantile=2)})
