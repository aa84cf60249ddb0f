"""Formulas against brute force, scoringrules, the original code's numbers, and their own laws."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scoringrules
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from weatherml.grid import LatLonGrid
from weatherml.verification import formulas
from weatherml.verification.formulas.ensembles import in_order

few = settings(max_examples=40, deadline=None)
finite = st.floats(-100, 100, width=32)


@pytest.fixture(scope="module")
def golden(shared):
    return np.load(shared("golden/metrics_a.npz"))


@st.composite
def ensembles(draw):
    n_members = draw(st.integers(1, 7))
    return draw(arrays(np.float64, (n_members, 5), elements=finite)), draw(arrays(np.float64, 5, elements=finite))


@st.composite
def event_counts(draw):
    counts = draw(arrays(np.float64, (2, draw(st.integers(3, 8))), elements=st.integers(0, 9)))
    return counts + np.array([[1.0], [1.0]]) * (np.arange(counts.shape[1]) == 1)


def test_area_mean_weights_a_row_by_its_area():
    field = np.array([[1.0, 3.0], [10.0, 10.0], [0.0, 0.0]])
    assert formulas.area_mean(field, np.array([[1.0], [2.0], [5.0]])) == (1 * 2 + 2 * 10 + 5 * 0) / 8


def test_area_mean_passes_over_whatever_has_no_weight():
    field = np.array([[1.0, np.nan], [3.0, np.inf]])
    assert formulas.area_mean(field, np.array([[1.0, 0.0], [1.0, 0.0]])) == 2


def test_area_mean_keeps_nan_where_there_is_weight():
    assert np.isnan(formulas.area_mean(np.array([1.0, np.nan]), np.ones(2)))


def test_exact_areas_differ_from_cosine_weights_at_the_poles_only():
    grid = LatLonGrid.regular(19, 36)
    cosine = np.cos(np.radians(grid.latitude))
    areas = grid.cell_areas() / grid.cell_areas()[9]
    assert abs(areas - cosine)[1:-1].max() < 2e-3
    assert cosine[0] < 1e-12 < 2e-2 < areas[0]


def _golden_weights(golden):
    return golden["lat_weights"][:, None]


def test_rmse_equals_the_original_code_with_its_cosine_weights(golden):
    squared = (golden["pred"] - golden["target"]) ** 2
    rmse = np.sqrt(formulas.area_mean(squared, _golden_weights(golden)))
    np.testing.assert_allclose(rmse, golden["weighted_rmse_channels"], rtol=1e-5)
    np.testing.assert_allclose(rmse.mean(0), golden["weighted_rmse_mean"], rtol=1e-5)  # theirs: a mean of roots


def _correlation(forecast, truth, weights):
    return formulas.anomaly_correlation(
        *(formulas.area_mean(x, weights) for x in (forecast * truth, forecast**2, truth**2))
    )


def test_acc_equals_the_original_code_with_its_cosine_weights(golden):
    forecast, truth = golden["pred"] - golden["clim"], golden["target"] - golden["clim"]
    found = _correlation(forecast, truth, _golden_weights(golden))
    np.testing.assert_allclose(found, golden["weighted_acc_channels"], rtol=1e-5)
    np.testing.assert_allclose(found.mean(0), golden["weighted_acc_mean"], rtol=1e-5)  # theirs: of correlations


def test_acc_of_plain_points_and_of_those_of_a_mask_equals_the_original_code(golden):
    forecast, truth = golden["pred"] - golden["clim"], golden["target"] - golden["clim"]
    plain, masked = np.ones_like(golden["mask"]), _golden_weights(golden) * golden["mask"]
    np.testing.assert_allclose(_correlation(forecast, truth, plain), golden["unweighted_acc_channels"], rtol=1e-5)
    np.testing.assert_allclose(_correlation(forecast, truth, masked), golden["masked_acc_channels"], rtol=1e-5)


def test_scores_of_one_field_equal_the_original_code_in_numpy(golden):
    forecast, truth = golden["pred"][0, 0].astype(float), golden["target"][0, 0].astype(float)
    rmse = np.sqrt(formulas.area_mean((forecast - truth) ** 2, _golden_weights(golden)))
    assert rmse == pytest.approx(float(golden["weighted_rmse_np"]), rel=1e-6)
    acc = _correlation(forecast, truth, _golden_weights(golden))
    assert acc == pytest.approx(float(golden["weighted_acc_np"]), rel=1e-6)


def _brute_crps(members, truth, pairs):
    spread = sum(abs(a - b) for a, b in itertools.product(members, members))
    return np.mean(abs(members - truth), axis=0) - spread / (2 * pairs)


@few
@given(ensembles())
def test_crps_equals_the_sum_over_all_pairs(case):
    members, truth = case
    expected = _brute_crps(members, truth, len(members) ** 2)
    np.testing.assert_allclose(formulas.crps(members, truth), expected, atol=1e-9)


@few
@given(ensembles())
def test_fair_crps_divides_by_the_pairs_of_different_members(case):
    members, truth = case
    expected = _brute_crps(members, truth, max(len(members) * (len(members) - 1), 1))
    np.testing.assert_allclose(formulas.crps_fair(members, truth), expected, atol=1e-9)


@few
@given(ensembles())
def test_almost_fair_crps_is_the_published_sum(case):
    members, truth = case
    n_members = len(members)
    if n_members == 1:
        expected = abs(members[0] - truth)
    else:
        epsilon = 0.05 / n_members  # Lang et al. 2024, equation 4
        expected = sum(
            abs(members[j] - truth) + abs(members[k] - truth) - (1 - epsilon) * abs(members[j] - members[k])
            for j, k in itertools.permutations(range(n_members), 2)
        ) / (2 * n_members * (n_members - 1))
    np.testing.assert_allclose(formulas.crps_almost_fair(members, truth, 0.95), expected, atol=1e-9)


@pytest.mark.parametrize(("ours", "estimator"), [(formulas.crps, "nrg"), (formulas.crps_fair, "fair")])
def test_crps_equals_scoringrules(ours, estimator):
    rng = np.random.default_rng(0)
    members, truth = rng.normal(size=(9, 40)), rng.normal(size=40)
    expected = scoringrules.crps_ensemble(truth, members, m_axis=0, estimator=estimator)
    np.testing.assert_allclose(ours(members, truth), expected, rtol=1e-12)


@few
@given(ensembles())
def test_crps_is_never_negative(case):
    assert (formulas.crps(*case) >= -1e-9).all()


@few
@given(arrays(np.float64, (1, 5), elements=finite), arrays(np.float64, 5, elements=finite))
def test_crps_of_one_member_is_its_absolute_error(members, truth):
    np.testing.assert_array_equal(formulas.crps(members, truth), abs(members[0] - truth))
    np.testing.assert_array_equal(formulas.crps_fair(members, truth), abs(members[0] - truth))


def test_fair_crps_expects_the_same_of_ensembles_of_any_size():
    rng = np.random.default_rng(1)
    draws, truth = rng.normal(size=(50, 40_000)), rng.normal(size=40_000)
    expected = 1 / np.sqrt(np.pi)  # of a standard normal forecast of itself
    for n_members in (2, 5, 50):
        assert abs(formulas.crps_fair(draws[:n_members], truth).mean() - expected) < 0.01
    assert formulas.crps(draws[:2], truth).mean() > expected + 0.2


def test_crps_keeps_its_digits_in_float32_on_large_values():
    rng = np.random.default_rng(2)
    members, truth = rng.normal(101_325, 3, (20, 30)), rng.normal(101_325, 3, 30)
    rounded, exact = members.astype(np.float32), truth.astype(np.float32)
    double = formulas.crps_fair(rounded.astype(np.float64), exact.astype(np.float64))
    np.testing.assert_allclose(formulas.crps_fair(rounded, exact), double, atol=1e-5)


def test_expected_squared_error_is_that_of_a_reliable_ensemble_of_few():
    rng = np.random.default_rng(3)
    members, truth = rng.normal(size=(4, 100_000)), rng.normal(size=100_000)
    squared_error = ((members.mean(0) - truth) ** 2).mean()
    expected = formulas.expected_squared_error(formulas.ensemble_variance(members), 4).mean()
    assert formulas.spread_skill(np.asarray(expected), squared_error) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("n_members", [3, 5])  # by all pairs, and sorted
@pytest.mark.parametrize("formula", [formulas.crps, formulas.crps_fair])
def test_crps_in_jax_equals_numpy_and_has_a_gradient_under_jit(formula, n_members):
    rng = np.random.default_rng(4)
    members, truth = rng.normal(size=(n_members, 8)).astype(np.float32), rng.normal(size=8).astype(np.float32)
    gradient = jax.jit(jax.grad(lambda x: formula(x, truth).sum()))(jnp.asarray(members))
    step = 1e-3 * np.eye(n_members)[2][:, None] * np.eye(8)[3]
    slope = (formula(members + step, truth).sum() - formula(members - step, truth).sum()) / 2e-3
    assert isinstance(formula(jnp.asarray(members), jnp.asarray(truth)), jax.Array)
    assert gradient[2, 3] == pytest.approx(slope, abs=1e-3)


@pytest.mark.parametrize(
    "formula",
    [
        formulas.brier,
        formulas.brier_fair,
        formulas.roc_area,
        lambda c: formulas.brier_skill(c, 0.1),
        lambda c: formulas.observed_frequency(c, 3),
    ],
)
def test_verdicts_in_jax_equal_numpy(formula):
    counts = np.random.default_rng(5).uniform(size=(3, 2, 6)).astype(np.float32)
    np.testing.assert_allclose(formula(jnp.asarray(counts)), formula(counts), rtol=1e-4)


def _cases(counts):
    """One (probability, event) pair for each case."""
    probability = np.linspace(0, 1, counts.shape[-1])
    return [
        (p, event) for event in (0, 1) for p, n in zip(probability, counts[event], strict=True) for _ in range(int(n))
    ]


@few
@given(event_counts())
def test_brier_is_the_mean_over_cases(counts):
    expected = np.mean([(p - event) ** 2 for p, event in _cases(counts)])
    assert formulas.brier(counts) == pytest.approx(expected)


@few
@given(event_counts())
def test_roc_area_is_the_chance_that_an_event_had_the_higher_probability(counts):
    events = [p for p, event in _cases(counts) if event]
    others = [p for p, event in _cases(counts) if not event]
    wins = [(a > b) + 0.5 * (a == b) for a in events for b in others]
    assert formulas.roc_area(counts) == pytest.approx(np.mean(wins))


def test_roc_area_is_undefined_without_events():
    with np.errstate(invalid="ignore"):
        assert np.isnan(formulas.roc_area(np.array([[3.0, 1.0], [0.0, 0.0]])))


def test_fair_brier_expects_the_same_of_ensembles_of_any_size():
    rng = np.random.default_rng(6)
    chance = rng.uniform(size=20_000)
    event = rng.uniform(size=20_000) < chance
    exact = np.mean((chance - event) ** 2)
    for n_members in (2, 10):
        above = (rng.uniform(size=(n_members, 20_000)) < chance).sum(0)
        counts = np.stack([np.bincount(above[event == e], minlength=n_members + 1) for e in (False, True)])
        assert formulas.brier_fair(counts) == pytest.approx(exact, abs=0.006)
        assert formulas.brier(counts) > exact + 0.01


def test_brier_skill_of_the_base_rate_itself_is_zero():
    counts = np.array([[0.0, 80.0, 0, 0, 0], [0.0, 20.0, 0, 0, 0]])
    assert formulas.brier_skill(counts, 0.25) == pytest.approx(0)


def test_reliability_shares_the_classes_out_evenly():
    np.testing.assert_allclose(formulas.forecast_share(np.ones((2, 21)), 11) * 21, [2] * 5 + [1] + [2] * 5)


def test_reliability_of_a_bin_is_the_mean_over_its_cases():
    counts = np.array([[6.0, 3, 1, 0, 1, 0], [2.0, 1, 3, 4, 3, 0]])  # probability 0, 1/5 .. 1, two to a bin
    np.testing.assert_allclose(formulas.forecast_share(counts, 3), np.array([12, 8, 4]) / 24)
    np.testing.assert_allclose(formulas.observed_frequency(counts, 3), [3 / 12, 7 / 8, 3 / 4])
    np.testing.assert_allclose(formulas.forecast_probability(counts, 3), [4 / 5 / 12, (4 * 2 + 4 * 3) / 5 / 8, 4 / 5])


@pytest.mark.parametrize("n_members", [255, 256, 300])
def test_ranks_of_many_members_are_counted(n_members):
    members = np.linspace(0, 1, n_members, dtype=np.float32)[:, None] * np.ones(3, np.float32)
    below, ties = formulas.members_below(members, np.array([2, -1, 1], np.float32))
    assert below.tolist() == [n_members, 0, n_members - 1] and ties.tolist() == [0, 0, 1]


@pytest.mark.parametrize("shape", [(6,), (6, 1), (6, 3), (6, 2, 3)])
def test_members_stay_as_they_were_when_they_are_put_in_order(shape):
    members = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    before = members.copy()
    np.testing.assert_array_equal(in_order(members), np.sort(before, axis=0))
    np.testing.assert_array_equal(in_order(jnp.asarray(members)), np.sort(before, axis=0))
    np.testing.assert_array_equal(members, before)
