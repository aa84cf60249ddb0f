"""Likeliest parameters of many records at once: against scipy's densities and search, and by derivatives."""

import logging

import numpy as np
import pytest
from scipy import optimize, stats

from weatherml.extremes.return_periods import likelihood
from weatherml.extremes.return_periods.families import GEV, GPD
from weatherml.extremes.return_periods.fits import fitted
from weatherml.extremes.return_periods.newton import information, likeliest


def cost_of(family, values):
    """By scipy: location, scale and shape, or scale and shape, to the negative log-likelihood."""
    if family is GEV:
        return lambda p: -stats.genextreme.logpdf(values, -p[2], p[0], p[1]).sum() if p[1] > 0 else np.inf
    return lambda p: -stats.genpareto.logpdf(values, p[1], 0, p[0]).sum() if p[0] > 0 else np.inf


def drawn(family, shape, n, seed):
    if family is GEV:
        return stats.genextreme.rvs(-shape, 300, 2, n, random_state=seed)
    return stats.genpareto.rvs(shape, 0, 3, n, random_state=seed)


@pytest.mark.parametrize("family", [GEV, GPD])
def test_they_are_those_of_a_search_over_densities_of_scipy(family):
    shapes = [-0.4, -0.2, -1e-3, 0.0, 1e-6, 0.1, 0.3, 0.6]
    records = np.stack([drawn(family, shape, 60, seed) for seed, shape in enumerate(shapes)])
    found = fitted(records, family, "likelihood")
    for values, own in zip(records, found.T, strict=True):
        options = {"xatol": 1e-9, "fatol": 1e-13, "maxiter": 5000, "maxfev": 5000}
        simplex = own + np.vstack([np.zeros(len(own)), 0.05 * np.eye(len(own))])
        cost = cost_of(family, values)
        searched = optimize.minimize(cost, own, method="Nelder-Mead", options=options | {"initial_simplex": simplex})
        np.testing.assert_allclose(own, searched.x, rtol=1e-6, atol=2e-6)
        assert cost(own) <= searched.fun + 1e-10


@pytest.mark.parametrize("family", [GEV, GPD])
@pytest.mark.parametrize("shape", [-0.3, 0.0, 1e-9, 1e-4, 0.4])
def test_the_information_is_the_curvature_of_the_likelihood(family, shape):
    values = drawn(family, 0.05, 30, 3)
    at = np.array([300.2, 2.1, shape] if family is GEV else [3.2, shape])
    found = information(values[None], family, at[:, None])[0]
    cost, step = cost_of(family, values), 1e-3 * np.array([2.1, 2.1, 1.0] if family is GEV else [3.2, 1.0])
    if abs(shape) < 1e-3:
        step[-1] = 2e-3  # scipy changes formulas near 0
    units = np.eye(len(at)) * step
    corners = [(a, b) for a in (1, -1) for b in (1, -1)]
    expected = [
        [sum(a * b * cost(at + a * one + b * two) for a, b in corners) / (4 * one.sum() * two.sum()) for two in units]
        for one in units
    ]
    if family is GEV:  # by the scale itself, where the slope is not 0
        slope = (cost(at + units[1]) - cost(at - units[1])) / (2 * step[1])
    else:
        slope = (cost(at + units[0]) - cost(at - units[0])) / (2 * step[0])
    expected = np.array(expected)
    place = len(at) - 2
    expected[place, place] += slope / at[place]  # the curvature is by the scale's logarithm
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3 * abs(expected).max())


def test_records_of_any_number_of_values_are_fitted_as_each_alone():
    rng = np.random.default_rng(0)
    records = stats.gumbel_r.rvs(10, 3, (50, 30), random_state=1)
    records[rng.random(records.shape) < 0.3] = np.nan
    together = fitted(records.reshape(5, 10, 30), GEV, "likelihood").reshape(3, 50)
    alone = [fitted(own[~np.isnan(own)][None], GEV, "likelihood")[:, 0] for own in records]
    np.testing.assert_allclose(together, np.transpose(alone), rtol=1e-7, atol=1e-8)


def test_most_records_get_there_from_a_poor_start_too():
    records = stats.genextreme.rvs(0.1, 300, 2, (200, 40), random_state=4)
    start = np.stack([records.mean(axis=1) - 2, 2 * records.std(axis=1), np.full(200, 0.05)])
    found, done = likeliest(records, GEV, start)
    assert done.all()
    np.testing.assert_allclose(found, fitted(records, GEV, "likelihood"), rtol=1e-7, atol=1e-7)


CROWDED = np.r_[1 - 1e-3 * np.arange(20.0) ** 1.01, 0.2, 0.5]  # at their upper end
MAXIMA = np.array([284.38, 279.29, 276.66, 283.25, 280.67, 281.37, 282.9, 284.19, 283.3, 282.96])
SEVERAL = np.array([281.2, 283.5, 279.9, 285.1, 284.8, 282.7, 284.4, 285.0])


@pytest.mark.parametrize("values", [CROWDED, MAXIMA, SEVERAL])
def test_a_likelihood_that_rises_up_to_an_end_is_searched_one_by_one(values):
    start = fitted(values[None], GEV, "lmoments")
    if not np.isfinite(cost_of(GEV, values)(start[:, 0])):
        start = np.array([[values.mean()], [values.std()], [0.1]])
    assert likeliest(values[None], GEV, start)[1].tolist() == [False]
    found, done = likelihood.fit_all(values[None], GEV, start)
    assert not done[0] and found[2, 0] == pytest.approx(-1, abs=1e-3)
    cost = cost_of(GEV, values)
    assert cost(found[:, 0]) <= cost(likelihood.fit(values, GEV, start[:, 0])) + 1e-6


@pytest.mark.parametrize("values", [MAXIMA, [0.0, 0.001, 0.003, 0.01, 5.0]])
def test_where_the_likelihood_rises_up_to_an_end_there_is_no_likeliest(values, caplog):
    """The second rises without end as the shape grows."""
    with caplog.at_level(logging.WARNING):
        assert np.isnan(fitted(np.array([values]), GEV, "likelihood")).all()
    assert "1 place of 1 have extremes whose likelihood rises up to a shape of -1 or 1" in caplog.text
    kept = fitted(np.array([values]), GEV, "likelihood", keep_ends=True)[:, 0]
    assert abs(kept[2]) == pytest.approx(1, abs=1e-3) and np.isfinite(GEV.log_density(np.array(values), kept)).all()


@pytest.mark.parametrize("method", ["lmoments", "likelihood"])
def test_a_record_with_an_infinite_value_has_no_parameters(method):
    records = np.stack([drawn(GEV, 0.1, 30, 0)] * 2)
    records[0, 3] = np.inf
    assert np.isfinite(fitted(records, GEV, method)).all(axis=0).tolist() == [False, True]
    assert np.isnan(fitted(records, GEV, method)[:, 0]).all()
