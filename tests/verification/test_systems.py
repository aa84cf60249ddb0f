"""Several systems are judged on what all have, and what is kept of them is not read again."""

import numpy as np
import pytest
from fake_data import analyses, forecasts

from weatherml.errors import UserError
from weatherml.verification import Campaign, evaluate, evaluate_systems, scorecard
from weatherml.verification.systems import accumulate_systems, summarize_systems

SURFACE = {"2m_temperature": ()}


@pytest.fixture(scope="module")
def truth():
    return analyses(times=60)


@pytest.fixture(scope="module")
def systems():
    """Return two systems; the second has members, fewer leads, one channel, and starts two days later."""
    return {
        "one": forecasts(n_init=6, seed=1),
        "many": forecasts(SURFACE, n_init=6, n_lead=2, n_members=5, start="2001-01-03", seed=2),
    }


def test_systems_are_judged_on_the_init_times_that_all_have(truth, systems):
    scores = evaluate_systems(systems, truth, ["rmse", "spread"])
    assert scores["system"].values.tolist() == ["one", "many"] and scores["n_members"].values.tolist() == [1, 5]
    assert scores.attrs["n_init_times"] == 4
    alone = evaluate(systems["one"].isel(init_time=slice(2, 6)), truth, "rmse")["rmse"]
    np.testing.assert_array_equal(scores["rmse"].sel(system="one").transpose(*alone.dims), alone)
    assert scores["channel"].values.tolist() == alone["channel"].values.tolist()


def test_what_a_system_lacks_is_nan(truth, systems):
    scores = evaluate_systems(systems, truth, ["rmse", "spread"]).sel(bound="estimate")
    assert scores["spread"].sel(system="one").isnull().all()
    many = scores["rmse"].sel(system="many").notnull()
    assert many.any("lead_time").values.tolist() == [False, False, True]
    assert many.any("channel").values.tolist() == [True, True, False]


def test_systems_without_common_init_times_are_refused(truth, systems):
    late = systems | {"late": forecasts(start="2001-01-09")}
    with pytest.raises(UserError, match=r"in common: one has 2001-01-01T00:00 \.\. 2001-01-06T00:00, many"):
        evaluate_systems(late, truth)


def test_a_metric_of_members_that_no_system_can_have_is_refused(truth, systems):
    with pytest.raises(UserError, match="'spread' needs an ensemble"):
        evaluate_systems({"one": systems["one"]}, truth, "spread")


def test_sums_of_each_system_are_kept_and_not_taken_again(truth, systems, tmp_path):
    campaign, judged = Campaign(tmp_path / "sums"), []
    first = {name: own.isel(init_time=slice(0, 4)) for name, own in systems.items()}
    evaluate_systems(first, truth, "rmse", campaign=campaign)
    told = evaluate_systems(systems, truth, "rmse", progress=lambda *news: judged.append(news), campaign=campaign)
    assert judged == [(3, 8, "one"), (4, 8, "one"), (7, 8, "many"), (8, 8, "many")]
    np.testing.assert_allclose(told["rmse"], evaluate_systems(systems, truth, "rmse")["rmse"], rtol=1e-12)


def test_ensembles_of_unlike_size_are_compared_and_have_ranks_of_their_own(truth, systems):
    ensembles = {"many": systems["many"], "few": systems["many"].isel(number=[0, 2])}
    metrics = ["rank_histogram", "brier(threshold=0.5)"]
    sums = accumulate_systems(ensembles, truth, metrics)
    scores = summarize_systems(sums, metrics).sel(bound="estimate")
    n_ranks = scores["rank_histogram"].notnull().sum("rank")
    assert (n_ranks.sel(system="many") == 6).all() and (n_ranks.sel(system="few") == 3).all()
    card = scorecard(sums["many"], sums["few"], metrics)
    brier = scores["brier(threshold=0.5)"]
    expected = brier.sel(system="many") - brier.sel(system="few")
    np.testing.assert_allclose(card["difference"].squeeze(), expected.squeeze())


def test_the_control_is_left_out_of_ensembles_alone(truth, systems):
    scores = evaluate_systems(systems, truth, "rmse", control="out")
    assert scores["n_members"].values.tolist() == [1, 4]
    alone = evaluate(systems["one"].isel(init_time=slice(2, 6)), truth, "rmse")["rmse"]
    np.testing.assert_array_equal(scores["rmse"].sel(system="one").transpose(*alone.dims), alone)
