"""Scorecards: what they hold, and that they are not full of chance finds."""

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, forecasts

from weatherml.errors import UserError
from weatherml.storage.files import write_netcdf
from weatherml.verification import Metric, StatisticSums, accumulate, compare, scorecard, scorecards, summarize
from weatherml.verification.cards import cards_in, with_cards
from weatherml.verification.metrics.registry import find
from weatherml.verification.significance.discovery import discoveries

METRICS = ["rmse", "mae", "bias", "acc", "activity"]
STATISTICS = [own.name for name in METRICS for own in find(name).statistics]


def sums_of(values, lead_times=2, channels=3):
    """Sums of statistics that are the same number for all of them, `[init, lead, channel]`."""
    dims = ("init_time", "lead_time", "channel", "region")
    values = np.asarray(values, float)[..., None]
    coords = {
        "init_time": np.datetime64("2001-01-01", "ns") + np.arange(len(values)) * np.timedelta64(5, "D"),
        "lead_time": np.arange(1, values.shape[1] + 1) * np.timedelta64(86400 * 10**9, "ns"),
        "channel": [f"geopotential_{100 + n}" for n in range(values.shape[2])],
        "region": ["global"],
    }
    one = np.ones(values.shape)
    area = {"weight": (dims, one), "expected": (dims, one), "counted": (dims, one.astype(int))}
    return StatisticSums(xr.Dataset({name: (dims, values) for name in STATISTICS} | area, coords))


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(20)
    second = 4 + rng.random((60, 2, 3))
    better_in_one_channel = np.array([0.5, 0.0, 0.0])
    return [sums_of(own) for own in (second - better_in_one_channel + 0.1 * rng.standard_normal((60, 2, 3)), second)]


def test_a_card_is_what_pairs_of_all_metrics_say(pair):
    card = scorecard(*pair, METRICS)
    assert card["metric"].values.tolist() == METRICS
    for metric in METRICS:
        alone = compare(*pair, metric, interval="ar2")
        for name in ("difference", "lower", "upper", "relative", "p_value"):
            xr.testing.assert_allclose(card[name].sel(metric=metric, region="global", drop=True), alone[name])


def test_who_is_better_follows_from_the_metric(pair):
    better = scorecard(*pair, METRICS)["better"].isel(lead_time=0, region=0)
    assert better.sel(channel="geopotential_100").values.tolist() == [
        1,
        1,
        1,
        0,
        0,
    ]  # the same acc, and no best activity
    turned = scorecard(*pair[::-1], METRICS)["better"].isel(lead_time=0, region=0)
    np.testing.assert_array_equal(turned, -better)


def test_larger_is_better_where_a_metric_says_so(pair):
    own = {"gain": Metric(find("mae").statistics, lambda mean: mean, better="higher")}
    assert (scorecard(*pair, own)["better"].isel(channel=0) == -1).all()


def test_chance_finds_are_few_over_a_whole_card():
    rng = np.random.default_rng(21)
    first, second = (sums_of(4 + rng.random((80, 20, 30))) for _ in range(2))
    card = scorecard(first, second, ["mae"])
    assert 10 < (card["p_value"] < 0.05).sum() < 60
    assert card["significant"].sum() == 0


def test_discoveries_are_those_of_the_procedure():
    p_values = np.array([[0.041, np.nan, 0.001], [0.008, 0.039, 0.2]])
    found = [[False, False, True], [True, False, False]]  # thresholds 0.01, 0.02, 0.03, 0.04, 0.05 in order
    np.testing.assert_array_equal(discoveries(p_values, 0.05), found)
    np.testing.assert_array_equal(discoveries(np.array([np.nan, 0.5]), 0.05), [False, False])
    assert discoveries(np.array([0.03, 0.04]), 0.05).all()  # the larger passes, so the smaller does too


def test_cards_of_several_systems_share_their_control():
    rng = np.random.default_rng(22)
    systems = {name: sums_of(4 + rng.random((40, 2, 3)) - gain) for name, gain in (("a", 1.0), ("b", 0.0), ("c", 0.0))}
    cards = scorecards(systems, {"c": systems["c"]}, METRICS)
    assert list(cards) == [("a", "c"), ("b", "c")]
    assert (cards["a", "c"]["better"].sel(metric="mae") == 1).all()
    assert cards["b", "c"]["better"].sel(metric="mae").sum() == 0


def test_a_card_by_season_and_of_what_both_have(pair):
    part = StatisticSums(pair[1].dataset.isel(init_time=slice(2, None), channel=[0, 2]).drop_vars("error"))
    card = scorecard(pair[0], part, METRICS, by="season", interval="none")
    assert card["difference"].dims == ("metric", "season", "channel", "region", "lead_time")
    assert card.attrs["left_out"] == "2 init times of the first system, 1 channel of the first system, metric bias"
    assert card.attrs["n_init_times"] == 58


def test_a_card_of_real_sums_leaves_out_what_is_no_number():
    truth, forecast = analyses(times=40), forecasts(n_init=5, n_members=3)
    metrics = {"rmse": find("rmse"), "curve": Metric(find("mae").statistics, lambda mean: mean, axes=("part",))}
    sums = accumulate(forecast, truth, metrics)
    assert scorecard(sums, sums, metrics)["metric"].values.tolist() == ["rmse"]
    with pytest.raises(UserError, match="a scorecard of curve is empty"):
        scorecard(sums, sums, {"curve": metrics["curve"]})


@pytest.mark.parametrize("interval", ["ar2", "independent", "cosines", "circular"])
def test_what_rounding_tells_apart_is_equal(interval):
    second = 871.0 + np.random.default_rng(23).random((40, 2, 3))
    first, second = sums_of(second * (1 + 4e-16)), sums_of(second)
    judged = compare(first, second, "mae", interval=interval)
    assert (judged["p_value"] == 1).all() and (judged["better"] == 0).all() and (judged["difference"] == 0).all()
    assert not scorecard(first, second, ["mae", "rmse"], interval=interval)["significant"].any()
    surely = compare(sums_of(np.full((40, 2, 3), 870.0)), sums_of(np.full((40, 2, 3), 871.0)), "mae", interval=interval)
    assert (surely["better"] == 1).all()  # the same at all times, and no rounding


@pytest.mark.parametrize("n_pairs", [1, 2])
def test_cards_written_beside_scores_come_back_as_they_were(pair, tmp_path, n_pairs):
    first, second = pair
    part = StatisticSums(second.dataset.isel(lead_time=[0], channel=[0, 2]))
    cards = scorecards({"x against y": first}, {"a against b": part, "c": second}, "mae", interval="independent")
    cards = dict(list(cards.items())[:n_pairs])
    write_netcdf(tmp_path / "scores.nc", with_cards(summarize(first, "mae"), cards))
    read = cards_in(xr.load_dataset(tmp_path / "scores.nc", decode_timedelta=True))
    assert list(read) == list(cards)
    for names, card in cards.items():
        assert {name: read[names][name].dtype for name in card} == {name: own.dtype for name, own in card.items()}
        own = read[names].sel(channel=card["channel"], lead_time=card["lead_time"])
        xr.testing.assert_equal(own.transpose(*card["difference"].dims), card)
        assert int(read[names]["significant"].sum()) == int(card["significant"].sum()) > 0
        assert read[names]["p_value"].notnull().sum() == card["p_value"].size
