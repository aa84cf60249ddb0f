"""Metrics of ensembles and probabilities against loops over numpy fields."""

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, as_forecast, forecasts

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.verification import StatisticSums, accumulate, evaluate, formulas, summarize
from weatherml.verification.metrics.registry import find, judged

T2M = {"2m_temperature": ()}
LEAD, TILE = 1, 60.0
AREAS = LatLonGrid.regular(7, 12).cell_areas()[:, None] * np.ones((7, 12))


@pytest.fixture(scope="module")
def truth():
    return analyses(T2M)


@pytest.fixture(scope="module")
def ensemble(truth):
    """Members that know something of the truth."""
    noise = forecasts(T2M, n_members=5, n_init=3)
    return (noise.drop_vars("valid_time") + as_forecast(truth, noise)).transpose(*noise["2m_temperature"].dims)


@pytest.fixture(scope="module")
def reference(truth):
    """A field that differs from place to place and from time to time."""
    return analyses(T2M, seed=9) * np.float32(0.2)


@pytest.fixture(scope="module")
def fields(truth, ensemble):
    """Members [5, init, lat, lon] and truth [init, lat, lon] of one lead."""
    return members_of(ensemble), true(truth, ensemble)


def members_of(forecast):
    return forecast["2m_temperature"].isel(lead_time=LEAD).transpose("number", ...).values


def true(dataset, forecast):
    return dataset["2m_temperature"].sel(time=forecast.init_time.values + forecast.lead_time.values[LEAD]).values


def mean(values):
    """Average `[..., init, lat, lon]` over area and init times."""
    return (values * AREAS).sum(axis=(-2, -1)).mean(-1) / AREAS.sum()


def score(forecast, truth, name, **options):
    found = evaluate(forecast, truth, name, **options)[name].sel(bound="estimate", channel="2m_temperature")
    return found.isel(lead_time=LEAD)


def counts_of(members, truth, threshold):
    above, event = (members > threshold).sum(0), truth > threshold
    return np.array([[mean((above == k) & (event == e)) for k in range(6)] for e in (0, 1)])


LEVEL = np.float32(0.3)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("quantile_score(quantile=0.7)", lambda m, t: formulas.quantile_score(np.quantile(m, 0.7, axis=0), t, 0.7)),
        ("twcrps(threshold=0.3)", lambda m, t: formulas.crps(np.maximum(m, LEVEL), np.maximum(t, LEVEL))),
        (
            "twcrps_fair(threshold=0.3, tail='lower')",
            lambda m, t: formulas.crps_fair(np.minimum(m, LEVEL), np.minimum(t, LEVEL)),
        ),
        (
            "rps(thresholds=(-0.2, 0.3))",
            lambda m, t: sum(((m > c).mean(0) - (t > c)) ** 2 for c in (np.float32(-0.2), LEVEL)),
        ),
        (
            "rps_fair(thresholds=(0.3,))",
            lambda m, t: ((m > LEVEL).mean(0) - (t > LEVEL)) ** 2 - (m > LEVEL).var(0) / 4,
        ),
    ],
)
def test_scores_of_points_are_their_mean_over_area(truth, ensemble, fields, name, values):
    assert score(ensemble, truth, name) == pytest.approx(mean(values(*fields)), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("brier", formulas.brier),
        ("brier_fair", formulas.brier_fair),
        ("brier_skill(base_rate=0.3)", lambda c: formulas.brier_skill(c, 0.3)),
        ("brier_decomposition", lambda c: np.stack(formulas.brier_parts(c))),
        ("brier_decomposition(n_cases=90)", lambda c: np.stack(formulas.brier_parts(c, 90))),
        ("roc_area", formulas.roc_area),
        ("roc_curve", formulas.roc_curve),
        ("economic_value(cost_loss=(0.1, 0.6))", lambda c: formulas.economic_value(c, np.array([0.1, 0.6]))),
        ("observed_frequency", lambda c: formulas.observed_frequency(c, 6)),
        ("forecast_probability(n_bins=3)", lambda c: formulas.forecast_probability(c, 3)),
        ("forecast_share(n_bins=3)", lambda c: formulas.forecast_share(c, 3)),
    ],
)
def test_scores_of_events_are_of_their_counts_by_area(truth, ensemble, reference, fields, name, function):
    by_number = name.replace("(", "(threshold=0.3, ", 1) if "(" in name else f"{name}(threshold=0.3)"
    found = score(ensemble, truth, by_number)
    np.testing.assert_allclose(found, function(counts_of(*fields, LEVEL)), rtol=1e-6)
    by_place = score(ensemble, truth, name, references={"threshold": reference})
    expected = function(counts_of(*fields, true(reference, ensemble)))
    np.testing.assert_allclose(by_place, expected, rtol=1e-6)


def test_scores_of_points_take_thresholds_by_place_and_date(truth, ensemble, reference, fields):
    members, own = fields
    level = true(reference, ensemble)
    found = score(ensemble, truth, "twcrps", references={"threshold": reference})
    assert found == pytest.approx(mean(formulas.crps(np.maximum(members, level), np.maximum(own, level))), rel=1e-6)
    found = score(ensemble, truth, "rps(thresholds=('median', 0.3))", references={"median": reference})
    expected = sum(((members > c).mean(0) - (own > c)) ** 2 for c in (level, LEVEL))
    assert found == pytest.approx(mean(expected), rel=1e-6)


def test_brier_skill_is_against_a_probability_of_place_and_date(truth, ensemble, fields):
    members, own = fields
    probability = analyses(T2M, seed=3).clip(0, 1)
    found = score(ensemble, truth, "brier_skill(threshold=0.3)", references={"probability": probability})
    event = own > LEVEL
    scores = [mean((p - event) ** 2) for p in ((members > LEVEL).mean(0), true(probability, ensemble))]
    assert found == pytest.approx(1 - scores[0] / scores[1], rel=1e-6)


def test_the_rank_histogram_is_where_the_truth_lies(truth, ensemble, fields):
    members, own = fields
    expected = [mean((members < own).sum(0) == rank) for rank in range(6)]
    found = score(ensemble, truth, "rank_histogram")
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert score(ensemble, truth, "reliability_index") == pytest.approx(np.abs(found - 1 / 6).sum().item())


def test_ties_are_shared_out_among_the_ranks_that_the_truth_may_have():
    rain, forecast = analyses(T2M).clip(0), forecasts(T2M, n_members=5, n_init=3).clip(0)
    members, own = members_of(forecast), true(rain, forecast)
    below, ties = (members < own).sum(0), (members == own).sum(0)
    ranks = np.arange(6)[:, None, None, None]
    expected = mean(((below <= ranks) & (ranks <= below + ties)) / (ties + 1))
    found = score(forecast, rain, "rank_histogram")
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert found.sum() == pytest.approx(1, rel=1e-12)


def test_the_parts_of_the_crps_make_it(truth, ensemble, fields):
    found = score(ensemble, truth, "crps_decomposition(lowest=-6, highest=6)")
    assert list(found.part.values) == ["reliability", "potential", "resolution", "uncertainty"]
    parts = {name: found.sel(part=name).item() for name in found.part.values}
    assert parts["reliability"] + parts["potential"] == pytest.approx(score(ensemble, truth, "crps").item(), rel=1e-6)
    assert parts["uncertainty"] - parts["resolution"] == pytest.approx(parts["potential"], rel=1e-9)
    own, weights = fields[1].ravel(), np.broadcast_to(AREAS, fields[1].shape).ravel()
    pairs = np.abs(own[:, None] - own) * weights[:, None] * weights
    assert parts["uncertainty"] == pytest.approx(pairs.sum() / weights.sum() ** 2 / 2, rel=2e-3)
    alone = score(ensemble, truth, "crps_decomposition")
    np.testing.assert_allclose(alone, found.sel(part=alone.part), rtol=1e-12)


@pytest.mark.parametrize("bounds", [(-1, 1), (-0.1, 0.7)])
def test_truths_that_equal_a_bound_are_within_it(truth, ensemble, bounds):
    lowest, highest = bounds
    clipped = truth.clip(np.float32(lowest), np.float32(highest))
    assert (clipped == np.float32(highest)).to_array().any() and (clipped == np.float32(lowest)).to_array().any()
    found = score(ensemble, clipped, f"crps_decomposition(lowest={lowest}, highest={highest})")
    wider = score(ensemble, clipped, "crps_decomposition(lowest=-6, highest=6)")
    np.testing.assert_allclose(found, wider, atol=0.01)
    beyond = score(ensemble, truth, f"crps_decomposition(lowest={lowest}, highest={highest})")
    assert beyond.sel(part="uncertainty").isnull()


def tiled(members, truth, formula, counted=AREAS):
    """Score each tile of 60 degrees on its own, and average by area; rows at the pole belong to the last tile."""
    rows, columns = np.minimum(np.arange(7) * 30 // 60, 2), np.arange(12) * 30 // 60
    total = 0.0
    for init in range(truth.shape[0]):
        for row in range(3):
            for column in range(6):
                box = np.ix_(rows == row, columns == column)
                areas = counted[box].ravel()
                pattern = members[:, init][:, *box].reshape(5, -1), truth[init][box].ravel()
                total += areas.sum() * float(formula(*pattern, areas)) if areas.any() else 0.0
    return total / truth.shape[0] / counted.sum()


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("energy_score(tile=60)", formulas.energy_score),
        ("energy_score_fair(tile=60)", formulas.energy_score_fair),
        ("variogram_score(tile=60)", formulas.variogram_score),
        ("variogram_score(tile=60, power=1)", lambda *own: formulas.variogram_score(*own, power=1.0)),
    ],
)
def test_patterns_are_scored_tile_by_tile(truth, ensemble, fields, name, formula):
    assert score(ensemble, truth, name) == pytest.approx(tiled(*fields, formula), rel=1e-5)


def test_patterns_leave_out_points_that_do_not_count(truth, ensemble, fields):
    sea = (truth.latitude < 50) & (truth.longitude > 20)
    found = score(ensemble, truth.where(sea), "energy_score(tile=60)")
    expected = tiled(*fields, formulas.energy_score, AREAS * sea.transpose("latitude", "longitude").values)
    assert found == pytest.approx(expected, rel=1e-5)


def test_regions_share_out_a_pattern_by_area(truth, ensemble):
    scores = score(ensemble, truth, "energy_score(tile=60)", regions=["tropics", "global"])
    alone = score(ensemble, truth, "energy_score(tile=60)", regions=["tropics"])
    assert scores.sel(region="tropics") == alone.sel(region="tropics")
    assert scores.sel(region="tropics") != scores.sel(region="global")


def test_patterns_of_single_points_have_their_crps(truth, ensemble):
    found, expected = (score(ensemble, truth, name) for name in ("energy_score_fair(tile=15)", "crps_fair"))
    assert found == pytest.approx(expected.item(), rel=1e-6)


def test_patterns_do_not_depend_on_how_many_are_scored_at_once(truth, ensemble, monkeypatch):
    whole = score(ensemble, truth, "energy_score(tile=60)")
    monkeypatch.setattr("weatherml.verification.metrics.ensembles.patterns._AT_ONCE", 1)
    assert score(ensemble, truth, "energy_score(tile=60)") == pytest.approx(whole.item(), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("quantile_score(quantile=50)", "a quantile lies between 0 and 1, not 50"),
        ("energy_score(tile=7)", "tiles of 7 degrees do not fill 180: 5, 10 and 20 do"),
        ("variogram_score(tile=5, power=0)", "the power of differences is above 0, not 0"),
        ("twcrps(threshold=1, tail='left')", "tail must be 'upper' or 'lower', not 'left'"),
        ("crps_decomposition(lowest=3)", "both bounds of the truth are needed, .*, not 3, None"),
        ("brier_skill(threshold=1, base_rate=5)", "the base rate is a probability between 0 and 1, not 5"),
        ("brier_decomposition(n_cases=1)", "needs more cases than 1"),
        ("economic_value(threshold=1, cost_loss=2)", "costs over losses lie between 0 and 1: 2"),
        ("rps(thresholds='t')", r"thresholds must be several finite numbers or names, such as \(270, 280\), not 't'"),
        ("observed_frequency(n_bins=0)", "a reliability diagram has bins, not 0"),
    ],
)
def test_a_parameter_that_cannot_be_is_said_in_one_line(name, message):
    with pytest.raises(UserError, match=f"cannot be: .*{message}") as caught:
        find(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["rank_histogram", "crps_decomposition", "reliability_index", "spread"])
def test_one_member_has_no_ranks_and_no_spread(truth, name):
    with pytest.raises(UserError, match=f"metric '{name}' needs an ensemble of two members or more"):
        evaluate(forecasts(T2M), truth, name)


def test_it_is_told_what_is_of_members_and_what_of_their_mean():
    assert judged("rmse", 5) == "of the mean of 5 members"
    assert judged("brier(threshold=3)", 5) == judged("energy_score(tile=5)", 5) == "of 5 members"
    assert judged("share_judged", 5) == judged("rmse", 1) == ""
    assert judged("crps", 1) == "of one member, whose mae it is"


def test_parts_of_several_metrics_are_told_apart(truth, ensemble):
    scores = evaluate(ensemble, truth, ["crps_decomposition", "brier_decomposition(threshold=0.1)"])
    assert scores["crps_decomposition"].sel(part="resolution").isnull().all()
    assert scores["brier_decomposition(threshold=0.1)"].sel(part="reliability", bound="estimate").notnull().all()
    assert isinstance(scores, xr.Dataset)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("twcrps(tail='lower')", r"needs a threshold; give threshold= in its brackets, or pass references="),
        ("brier_skill(threshold=1)", r"needs a probability; give base_rate= in its brackets, or pass references="),
        (
            "rps(thresholds=(1, 'median'))",
            r"needs a reference 'median'; pass references=\{'median': DATASET\}, or leave it out",
        ),
    ],
)
def test_a_reference_that_is_not_there_is_asked_for_or_for_its_number(truth, ensemble, name, message):
    with pytest.raises(UserError, match=message):
        evaluate(ensemble, truth, name)
    with pytest.raises(UserError) as caught:
        evaluate(ensemble, truth, name)
    assert "in Python pass references={" in caught.value.told(lambda option: "")  # of a verb that has no such option


def test_parts_of_an_ensemble_s_sums_make_the_whole_in_any_order_and_from_a_file(truth, ensemble, tmp_path):
    names = [
        "rank_histogram",
        "crps_decomposition(lowest=-7, highest=7)",
        "brier(threshold=0.3)",
        "energy_score(tile=45)",
    ]
    cuts = [(init, leads) for init in (2, 0, 1) for leads in (slice(0, 1), slice(1, None))]
    parts = [ensemble.isel(init_time=[init], lead_time=leads) for init, leads in cuts]
    total = StatisticSums.total([accumulate(part, truth, names, control="out") for part in parts])
    total.save(tmp_path / "sums.nc")
    folded = summarize(StatisticSums.load(tmp_path / "sums.nc"), names)
    xr.testing.assert_allclose(folded, evaluate(ensemble, truth, names, control="out"), rtol=1e-12)
