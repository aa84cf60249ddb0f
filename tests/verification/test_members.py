"""Which members are judged: with the control or without, the same at all times."""

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, forecasts

from weatherml.errors import UserError
from weatherml.verification import StatisticSums, accumulate, compare, evaluate, evaluate_systems

T2M = {"2m_temperature": ()}


@pytest.fixture(scope="module")
def truth():
    return analyses(T2M)


@pytest.fixture(scope="module")
def ensemble():
    return forecasts(T2M, n_members=5, n_init=2)


def test_without_the_control_the_others_are_judged_alone(truth, ensemble):
    found = evaluate(ensemble, truth, ["rmse", "crps_fair"], control="out")
    expected = evaluate(ensemble.isel(number=slice(1, None)), truth, ["rmse", "crps_fair"])
    xr.testing.assert_equal(found, expected)
    assert (found.attrs["n_members"], found.attrs["control"]) == (4, "out")


def test_scores_say_whether_number_0_is_in(truth, ensemble):
    whole = evaluate(ensemble, truth, "rmse")
    assert (whole.attrs["n_members"], whole.attrs["control"]) == (5, "in")
    others = evaluate(ensemble.isel(number=slice(1, None)), truth, "rmse")
    assert others.attrs["n_members"] == 4
    assert "control" not in others.attrs


def test_each_score_says_what_of_an_ensemble_it_judges(truth, ensemble):
    scores = evaluate(ensemble, truth, ["rmse", "crps_fair"])
    assert [own.attrs["judged"] for own in scores.values()] == ["of the mean of 5 members", "of 5 members"]
    one = evaluate(ensemble.isel(number=[2]), truth, ["rmse", "crps"])
    assert "judged" not in one["rmse"].attrs
    assert one["crps"].attrs["judged"] == "of one member, whose mae it is"


@pytest.mark.parametrize("pattern", ["brier{}(threshold=0.3)", "twcrps{}(threshold=0.3)", "rps{}(thresholds=(0, 1))"])
def test_a_fair_score_of_one_member_says_that_it_is_not(truth, ensemble, pattern):
    plain, fair = pattern.format(""), pattern.format("_fair")
    scores = evaluate(ensemble.isel(number=[0, 2]), truth, [plain, fair], control="out")
    np.testing.assert_allclose(scores[fair], scores[plain])
    assert scores[fair].attrs["judged"] == f"of one member, whose {plain.split('(')[0]} it is"
    assert "judged" not in scores[plain].attrs


def test_what_scores_are_of_is_kept_in_the_file_of_sums(truth, ensemble, tmp_path):
    accumulate(ensemble, truth, "rmse", control="out").save(tmp_path / "sums.nc")
    assert StatisticSums.load(tmp_path / "sums.nc").dataset.attrs == {"n_members": 4, "control": "out"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.isel(number=slice(1, 3)), "has no number 0, which a control would be, only 1, 2; pass"),
        (lambda f: f.isel(number=1, drop=True), "has no number 0, which a control would be, only none; pass"),
        (lambda f: f.isel(number=[0]), "without its control the forecast has no member left; pass control='in'"),
    ],
)
def test_a_control_that_is_not_there_cannot_be_left_out(truth, ensemble, change, message):
    with pytest.raises(UserError, match=message):
        evaluate(change(ensemble), truth, "rmse", control="out")


def test_parts_are_of_the_same_members(truth, ensemble):
    parts = [accumulate(ensemble.isel(init_time=[i]), truth, "rmse", control=c) for i, c in ((0, "in"), (1, "out"))]
    with pytest.raises(UserError, match="parts of one sum were judged with control in and out; judge all init times"):
        StatisticSums.total(parts)
    few = accumulate(ensemble.isel(init_time=[1], number=slice(3)), truth, "rmse")
    with pytest.raises(UserError, match="parts of one sum were judged with n_members 5 and 3"):
        StatisticSums.total([parts[0], few])


def test_a_member_that_some_times_lack_is_named(truth, ensemble):
    fewer = ensemble.where((ensemble.number != 3) | (ensemble.init_time == ensemble.init_time[0]))
    with pytest.raises(UserError, match="number 3 of the forecast of 2m_temperature valid at 2001-01-02T06:00 is NaN"):
        evaluate(fewer, truth, "rmse")
    kept = fewer.sel(number=[0, 1, 2, 4])
    assert np.isfinite(evaluate(kept, truth, "mse")["mse"].sel(bound="estimate")).all()


@pytest.fixture(scope="module")
def others():
    return {"few": forecasts(T2M, n_members=3, n_init=2, seed=8), "one": forecasts(T2M, n_init=2, seed=9)}


def test_ensembles_of_other_sizes_are_compared(truth, ensemble, others):
    name = "brier(threshold=0.5)"
    five, *rest = (accumulate(own, truth, name) for own in (ensemble, *others.values()))
    scores = [evaluate(own, truth, name)[name].sel(bound="estimate") for own in (ensemble, *others.values())]
    for second, score in zip(rest, scores[1:], strict=True):
        np.testing.assert_allclose(compare(five, second, name)["difference"], scores[0] - score, rtol=1e-9)


def test_parts_of_scores_are_compared_by_name(truth, ensemble, others):
    name = "brier_decomposition(threshold=0.5)"
    compared = compare(*(accumulate(own, truth, name) for own in (ensemble, others["few"])), name)
    assert list(compared["part"].values) == ["reliability", "resolution", "uncertainty"]
    np.testing.assert_allclose(compared["difference"].sel(part="uncertainty"), 0, atol=1e-12)


def test_what_has_a_place_for_each_member_is_not_compared_with_fewer(truth, ensemble, others):
    sums = [accumulate(own, truth, "rank_histogram") for own in (ensemble, others["few"])]
    with pytest.raises(UserError, match="along rank the two systems have 6 and 4 places, as they have other"):
        compare(*sums, "rank_histogram")


def test_systems_of_other_sizes_stand_beside_each_other(truth, ensemble, others):
    scores = evaluate_systems({"five": ensemble, **others}, truth, ["rank_histogram"]).sel(bound="estimate")
    ranks = scores["rank_histogram"].isel(channel=0, lead_time=0)
    assert ranks.notnull().sum("rank").values.tolist() == [6, 4, 0]
    np.testing.assert_allclose(ranks.sel(system=["five", "few"]).sum("rank"), 1)
