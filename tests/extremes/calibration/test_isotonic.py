"""Pooled frequencies and Venn-Abers against minimisation and single cases written out."""

import numpy as np
import pytest
from scipy.optimize import minimize

from weatherml.extremes.calibration.isotonic import isotonic, merged, venn_abers


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(3)
    cases = rng.integers(1, 9, 6).astype(float)
    return cases, rng.binomial(cases.astype(int), [0.1, 0.4, 0.2, 0.3, 0.9, 0.6]).astype(float)


def test_isotonic_is_the_rising_function_of_least_squares(counts):
    cases, events = counts
    rising = {"type": "ineq", "fun": np.diff}
    least = minimize(
        lambda p: (cases * (p - events / cases) ** 2).sum(), np.linspace(0, 1, 6), constraints=rising, tol=1e-12
    )
    np.testing.assert_allclose(isotonic(cases, events), least.x, atol=1e-4)


def test_between_classes_with_cases_it_is_linear():
    cases, events = np.array([0.0, 4, 0, 0, 4, 0]), np.array([0.0, 1, 0, 0, 4, 0])
    np.testing.assert_allclose(isotonic(cases, events), [0.25, 0.25, 0.5, 0.75, 1, 1])
    assert np.isnan(isotonic(np.zeros(3), np.zeros(3))).all()


def test_venn_abers_fits_again_with_the_case_at_hand(counts):
    """As its authors write it: case by case, unweighted."""
    cases, events = counts
    lower, upper = venn_abers(cases, events)
    scores = np.repeat(np.arange(6), cases.astype(int))
    labels = np.concatenate([np.arange(int(n)) < k for n, k in zip(cases, events, strict=True)])
    for own in range(6):
        for label, found in ((0, lower), (1, upper)):
            assert found[own] == pytest.approx(pooled(np.append(scores, own), np.append(labels, label), own))


def pooled(scores, labels, at):
    """The greatest of the least means over runs of classes around `at` (max-min formula)."""
    means = lambda first, last: labels[(scores >= first) & (scores <= last)].mean()  # noqa: E731
    return max(min(means(first, last) for last in range(at, 6)) for first in range(at + 1))


def test_the_interval_holds_the_merged_probability_and_narrows_with_cases(counts):
    cases, events = counts
    lower, upper = venn_abers(cases, events)
    assert (lower < upper).all() and (lower <= merged(lower, upper)).all() and (merged(lower, upper) <= upper).all()
    more = venn_abers(100 * cases, 100 * events)
    assert (more[1] - more[0]).max() < 0.1 * (upper - lower).min()
