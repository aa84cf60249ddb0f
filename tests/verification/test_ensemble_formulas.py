"""Formulas of ensembles and probabilities against brute force, scoringrules, and their own laws."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scoringrules

from weatherml.verification import formulas

RNG = np.random.default_rng(11)
MEMBERS, TRUTH = RNG.normal(size=(6, 40)), 1.3 * RNG.normal(size=40)
COUNTS = RNG.integers(1, 30, size=(3, 2, 6)).astype(float)


def _mean(counts, score):
    """Average over cases of score(probability, event), one table of counts at a time."""
    probability = np.linspace(0, 1, counts.shape[-1])
    cases = [(p, e, counts[e, k]) for e in (0, 1) for k, p in enumerate(probability)]
    return sum(n * score(p, e) for p, e, n in cases) / counts.sum()


# Parts of a distribution


@pytest.mark.parametrize("quantile", [0.0, 0.13, 0.5, 0.8, 1.0])
def test_a_quantile_of_members_is_that_of_numpy(quantile):
    expected = np.quantile(MEMBERS, quantile, axis=0)
    np.testing.assert_allclose(formulas.ensemble_quantile(MEMBERS, quantile), expected, rtol=1e-12, atol=1e-14)


def test_the_quantile_score_is_that_of_scoringrules():
    expected = scoringrules.quantile_score(TRUTH, MEMBERS[0], 0.9)
    np.testing.assert_allclose(formulas.quantile_score(MEMBERS[0], TRUTH, 0.9), expected, rtol=1e-12)


def test_quantile_scores_of_all_quantiles_make_half_the_crps():
    levels = (np.arange(2000) + 0.5) / 2000
    steps = np.sort(MEMBERS, axis=0)[np.floor(levels * 6).astype(int)]  # the step function that the CRPS is of
    scores = [formulas.quantile_score(own, TRUTH, q) for own, q in zip(steps, levels, strict=True)]
    np.testing.assert_allclose(2 * np.mean(scores, axis=0), formulas.crps(MEMBERS, TRUTH), rtol=1e-3)


@pytest.mark.parametrize(("tail", "bounds"), [("upper", (0.4, np.inf)), ("lower", (-np.inf, 0.4))])
def test_the_threshold_weighted_crps_is_that_of_scoringrules(tail, bounds):
    expected = scoringrules.twcrps_ensemble(TRUTH, MEMBERS, *bounds, m_axis=0, estimator="nrg")
    found = formulas.crps(*(formulas.beyond(own, 0.4, tail) for own in (MEMBERS, TRUTH)))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_both_tails_of_a_threshold_make_the_crps():
    parts = [
        formulas.crps(*(formulas.beyond(own, 0.2, tail) for own in (MEMBERS, TRUTH))) for tail in ("upper", "lower")
    ]
    np.testing.assert_allclose(sum(parts), formulas.crps(MEMBERS, TRUTH), rtol=1e-12)


# Ranks


def test_members_below_and_ties_are_counted():
    below, ties = formulas.members_below(np.array([[1.0], [2.0], [2.0], [3.0]]), np.array([2.0]))
    assert (below, ties) == (1, 2)


@pytest.mark.parametrize("n_members", [5, 255, 256, 700])
def test_members_are_counted_however_many_there_are(n_members):
    holds = np.arange(n_members)[:, None] >= np.array([0, 3, n_members])
    found = formulas.how_many(holds)
    np.testing.assert_array_equal(found, [n_members, n_members - 3, 0])
    assert found.dtype == np.int64  # sums of them do not overflow


def test_the_reliability_index_is_the_distance_from_flat():
    assert formulas.reliability_index(np.array([5.0, 5.0, 5.0, 5.0])) == 0
    assert formulas.reliability_index(np.array([6.0, 2.0, 0.0, 2.0])) == pytest.approx(0.35 + 0.05 + 0.25 + 0.05)


# The decomposition of the CRPS


def _hersbach(members, truth):
    """Loop over cases and intervals as in the paper; all cases count alike."""
    n_members, n_cases = members.shape
    alpha, beta = np.zeros((2, n_members + 1))
    outside = np.zeros(2)
    for x, y in zip(np.sort(members, axis=0).T, truth, strict=True):
        for i in range(1, n_members):
            low, high = x[i - 1], x[i]
            alpha[i] += (min(max(y, low), high) - low) / n_cases
            beta[i] += (high - min(max(y, low), high)) / n_cases
        beta[0] += max(x[0] - y, 0) / n_cases
        alpha[-1] += max(y - x[-1], 0) / n_cases
        outside += np.array([y < x[0], y > x[-1]]) / n_cases
    reliability = potential = 0.0
    for i in range(n_members + 1):
        if i in (0, n_members):
            first = i == 0
            o = outside[0] if first else 1 - outside[1]
            g = (beta[0] / o if first else alpha[-1] / (1 - o)) if outside[0 if first else 1] else 0.0
        else:
            g, o = alpha[i] + beta[i], beta[i] / (alpha[i] + beta[i])
        reliability += g * (o - i / n_members) ** 2
        potential += g * o * (1 - o)
    return reliability, potential


@pytest.mark.parametrize("shift", [0.0, 0.7, 30.0])
def test_the_crps_is_decomposed_as_in_the_paper(shift):
    terms = formulas.crps_terms(MEMBERS, TRUTH + shift).mean(-1)
    reliability, potential = formulas.crps_reliability(terms)
    np.testing.assert_allclose((reliability, potential), _hersbach(MEMBERS, TRUTH + shift), rtol=1e-10, atol=1e-12)
    assert reliability + potential == pytest.approx(formulas.crps(MEMBERS, TRUTH + shift).mean(), rel=1e-12)


def test_the_truth_s_own_distribution_has_the_crps_that_is_called_uncertainty():
    truth = RNG.normal(10, 2, size=3000)
    bins = np.clip(np.floor(truth / 20 * 300) + 1, 0, 301).astype(int)
    counts = np.bincount(bins, minlength=302).astype(float)
    expected = np.abs(truth[:, None] - truth).mean() / 2
    assert formulas.crps_uncertainty(counts, 0.0, 20.0) == pytest.approx(expected, rel=2e-4)
    counts[-1] = 1
    assert np.isnan(formulas.crps_uncertainty(counts, 0.0, 20.0))


# Events


def test_brier_parts_are_murphys_and_make_the_score():
    found = np.stack(formulas.brier_parts(COUNTS), axis=-1)
    for own, parts in zip(COUNTS, found, strict=True):
        cases, probability = own.sum(0), np.linspace(0, 1, 6)
        observed, base = own[1] / cases, own[1].sum() / own.sum()
        expected = [
            np.average((probability - observed) ** 2, weights=cases),
            np.average((observed - base) ** 2, weights=cases),
            base * (1 - base),
        ]
        np.testing.assert_allclose(parts, expected, rtol=1e-12)
    reliability, resolution, uncertainty = found.T
    np.testing.assert_allclose(reliability - resolution + uncertainty, formulas.brier(COUNTS), rtol=1e-12)


def test_corrected_brier_parts_are_right_on_average_where_cases_are_few():
    """A calibrated forecast of three probabilities, judged on 30 cases many times over."""
    rng = np.random.default_rng(0)
    chance = np.array([0.0, 0.5, 1.0]) * 0.6 + 0.2  # of the event where 0, 1 and 2 members exceed: not calibrated
    judged = []
    for _ in range(2500):
        classes = rng.integers(3, size=30)
        events = rng.uniform(size=30) < chance[classes]
        table = np.stack([np.bincount(classes[events == e], minlength=3) for e in (False, True)]).astype(float)
        judged.append((formulas.brier_parts(table), formulas.brier_parts(table, n_cases=30)))
    plain, corrected = np.mean(judged, axis=0)
    truth = np.array([np.mean((np.array([0, 0.5, 1]) - chance) ** 2), np.var(chance), 0.25])
    np.testing.assert_allclose(corrected, truth, atol=0.004)
    assert (plain - truth)[0] > 0.015
    assert plain[0] - plain[1] + plain[2] == pytest.approx(corrected[0] - corrected[1] + corrected[2], rel=1e-9)


def test_the_roc_curve_is_of_warnings_at_each_number_of_members():
    found = formulas.roc_curve(COUNTS)
    for own, curve in zip(COUNTS, found, strict=True):
        for k in range(7):
            np.testing.assert_allclose(curve[:, k], own[:, k:].sum(-1) / own.sum(-1), atol=1e-12)
    area = -np.trapezoid(found[:, 1], found[:, 0], axis=-1)
    np.testing.assert_allclose(area, formulas.roc_area(COUNTS), rtol=1e-12)


def test_there_is_no_hit_rate_without_events():
    with np.errstate(invalid="ignore"):
        assert np.isnan(formulas.roc_curve(np.array([[3.0, 1.0], [0.0, 0.0]]))).tolist() == [[False] * 3, [True] * 3]


def test_economic_value_is_that_of_the_best_rule():
    ratios = np.array([0.07, 0.5, 0.81])
    found = formulas.economic_value(COUNTS, ratios)
    for own, (place, ratio) in itertools.product(zip(COUNTS, found, strict=True), enumerate(ratios)):
        counts, values = own
        base = counts[1].sum() / counts.sum()
        expense = min(_mean(counts, lambda p, e, k=k, r=ratio: r if p * 5 > k - 0.5 else float(e)) for k in range(7))
        climate, perfect = min(ratio, base), ratio * base
        assert values[place] == pytest.approx((climate - expense) / (climate - perfect), rel=1e-9)


def test_economic_value_is_nothing_at_the_least_and_one_for_the_perfect_forecast():
    ratios = np.linspace(0.05, 0.95, 19)
    assert (formulas.economic_value(COUNTS[:, :, ::-1] * [[1], [30]], ratios) >= -1e-12).all()
    perfect = np.array([[7.0, 0, 0], [0, 0, 3.0]])
    np.testing.assert_allclose(formulas.economic_value(perfect, ratios), 1)


def test_rps_is_the_sum_of_brier_scores_over_thresholds():
    levels = (-0.5, 0.1, 0.9)
    shares = [((MEMBERS > t).mean(0), TRUTH > t) for t in levels]
    np.testing.assert_allclose(
        formulas.ranked_probability(MEMBERS, TRUTH, levels), sum((p - e) ** 2 for p, e in shares), rtol=1e-12
    )


def test_fair_rps_expects_the_same_of_ensembles_of_any_size():
    rng = np.random.default_rng(4)
    draws, truth = rng.normal(size=(40, 30_000)), rng.normal(size=30_000)
    few, many = (formulas.ranked_probability_fair(draws[:n], truth, (-0.4, 0.6)).mean() for n in (2, 40))
    assert few == pytest.approx(many, abs=0.01)
    assert formulas.ranked_probability(draws[:2], truth, (-0.4, 0.6)).mean() > few + 0.1


# Patterns


@pytest.fixture(scope="module")
def patterns():
    """Members [6, 4, 5], truth [4, 5] and unequal weights of five points."""
    return RNG.normal(size=(6, 4, 5)) + 3, RNG.normal(size=(4, 5)) + 3, np.array([1.0, 2, 0, 4, 3]) + np.zeros((4, 5))


@pytest.mark.parametrize(("ours", "estimator"), [("energy_score", "nrg"), ("energy_score_fair", "fair")])
def test_the_energy_score_is_that_of_scoringrules(patterns, ours, estimator):
    members, truth, weights = patterns
    scale = np.sqrt(weights[0] / 10)
    expected = scoringrules.es_ensemble(truth * scale, members * scale, m_axis=0, v_axis=-1, estimator=estimator)
    np.testing.assert_allclose(getattr(formulas, ours)(members, truth, weights), expected, rtol=1e-10)


def test_an_energy_score_does_not_depend_on_how_its_products_are_cut(monkeypatch):
    whole = formulas.energy_score(MEMBERS, TRUTH, np.ones(40))
    monkeypatch.setattr("weatherml.verification.formulas.multivariate._PRODUCT", 1)  # 16 points at once
    assert formulas.energy_score(MEMBERS, TRUTH, np.ones(40)) == pytest.approx(whole, rel=1e-12)


def test_the_energy_score_of_one_point_is_its_crps(patterns):
    members, truth, _ = patterns
    one, own = members[..., :1], truth[..., :1]
    np.testing.assert_allclose(
        formulas.energy_score(one, own, np.full_like(own, 0.3)), formulas.crps(one, own)[..., 0], rtol=1e-12
    )
    np.testing.assert_allclose(
        formulas.energy_score_fair(one, own, np.full_like(own, 2)), formulas.crps_fair(one, own)[..., 0], rtol=1e-12
    )


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_the_variogram_score_is_that_of_scoringrules(patterns, power):
    members, truth, weights = patterns
    pairs = np.einsum("ci,cj->cij", weights, weights) / 100
    expected = scoringrules.vs_ensemble(truth, members, pairs, m_axis=0, v_axis=-1, p=power, estimator="nrg")
    np.testing.assert_allclose(formulas.variogram_score(members, truth, weights, power), expected, rtol=1e-10)


def test_a_loss_of_patterns_in_jax_is_the_score_in_numpy():
    arrays = [own.astype(np.float32) for own in (MEMBERS, TRUTH, np.ones(40))]
    found = formulas.energy_score(*map(jnp.asarray, arrays))
    assert isinstance(found, jax.Array)
    assert found == pytest.approx(formulas.energy_score(*arrays), rel=1e-4)
