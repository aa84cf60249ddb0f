"""The distributions of extremes against scipy, and their L-moments against integrals and hand-made sums."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from weatherml.extremes.return_periods.families import GEV, GPD
from weatherml.extremes.return_periods.likelihood import fit
from weatherml.extremes.return_periods.lmoments import sample_lmoments

SHAPES = [-0.3, -1e-9, 0.0, 0.2]


def scipys(family, shape):
    parameters = np.array([10.0, 2.0, shape]) if family is GEV else np.array([2.0, shape])
    made = stats.genextreme(-shape, 10, 2) if family is GEV else stats.genpareto(shape, 0, 2)
    return parameters, made


@pytest.mark.parametrize("family", [GEV, GPD], ids=lambda family: family.name)
@pytest.mark.parametrize("shape", SHAPES)
def test_quantiles_probabilities_and_densities_are_scipys(family, shape):
    parameters, made = scipys(family, shape)
    probability = np.array([0.01, 0.5, 0.99, 0.9999])
    values = np.append(made.ppf(probability), [-100.0, 1e6])
    np.testing.assert_allclose(family.quantile(probability, parameters), values[:4], rtol=1e-6)
    np.testing.assert_allclose(family.probability(values, parameters), made.cdf(values), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(family.log_density(values, parameters)[:4], made.logpdf(values)[:4], rtol=1e-5)


def test_sample_lmoments_are_averages_over_all_subsets():
    """Half the mean difference of pairs, and of triples the outer ones less the middle one twice, over three."""
    values = np.random.default_rng(0).gumbel(size=9)
    pairs = [np.ptp(own) / 2 for own in combinations(values, 2)]
    triples = [np.dot(np.sort(own), [1, -2, 1]) / 3 for own in combinations(values, 3)]
    first, second, ratio = sample_lmoments(values)
    assert (first, second) == (pytest.approx(values.mean()), pytest.approx(np.mean(pairs)))
    assert ratio == pytest.approx(np.mean(triples) / np.mean(pairs))


def test_records_of_unequal_length_are_each_by_themselves():
    values = np.random.default_rng(1).gumbel(size=(3, 9))
    holed = values.copy()
    holed[1, [0, 5]], holed[2, 2:] = np.nan, np.nan
    found = np.array(sample_lmoments(holed))
    np.testing.assert_allclose(found[:, 0], sample_lmoments(values[0]))
    np.testing.assert_allclose(found[:, 1], sample_lmoments(np.delete(values[1], [0, 5])))
    assert np.isnan(found[:, 2]).all()


@pytest.mark.parametrize("family", [GEV, GPD], ids=lambda family: family.name)
@pytest.mark.parametrize("shape", [-0.6, -0.1, 0.0, 0.1, 0.45])
def test_parameters_are_found_of_the_lmoments_of_a_distribution(family, shape):
    """Whose L-moments are integrals of its quantiles with polynomials of the probability."""
    parameters, made = scipys(family, shape)
    weights = (lambda p: 1.0, lambda p: 2 * p - 1, lambda p: 6 * p**2 - 6 * p + 1)
    first, second, third = (quad(lambda p, w=own: made.ppf(p) * w(p), 0, 1, limit=200)[0] for own in weights)
    found = family.from_lmoments(*map(np.float64, (first, second, third / second)))
    np.testing.assert_allclose(found, parameters, atol=2e-4)


@pytest.mark.parametrize("family", [GEV, GPD], ids=lambda family: family.name)
def test_the_likeliest_parameters_are_scipys(family):
    _, made = scipys(family, 0.1)
    values = made.rvs(60, random_state=3)
    found = fit(values, family, family.from_lmoments(*sample_lmoments(values)))
    expected = stats.genextreme.fit(values, -0.1) if family is GEV else stats.genpareto.fit(values, 0.1, floc=0)
    shape, location, scale = expected
    np.testing.assert_allclose(found[-1], -shape if family is GEV else shape, atol=2e-3)
    np.testing.assert_allclose(found[-2], scale, rtol=2e-3)
    assert family is GPD or found[0] == pytest.approx(location, rel=1e-3)
    assert family.log_density(values, found).sum() >= made.dist.logpdf(values, *expected).sum() - 1e-6
