"""Sums of a period: exact, whatever the blocks, the parts and their order, the gaps and the steps."""

import numpy as np
import pytest
from fake_data import analyses
from hypothesis import given, settings
from hypothesis import strategies as st

from weatherml.data.statistics.accumulators.harmonics import Harmonics
from weatherml.data.statistics.accumulators.moments import moments_of
from weatherml.data.statistics.accumulators.products import product
from weatherml.data.statistics.accumulators.sums import Sums
from weatherml.errors import UserError
from weatherml.state import spec_of, to_array

STEPS = tuple(np.array([6, 18], "timedelta64[h]").astype("timedelta64[ns]"))
HARMONICS = Harmonics(1, 1)
VARIABLES = {"geopotential": (500,), "2m_temperature": ()}


def record(seed, n_times, n_left_out, spread=1.0):
    """Analyses with gaps: a geopotential of 5e5 m2 s-2 with a small spread, and a temperature with a mask."""
    rng = np.random.default_rng(seed)
    dataset = analyses(VARIABLES, times=n_times, seed=seed)
    dataset["geopotential"] = (dataset["geopotential"].astype(float) * spread + 5e5).astype(np.float32)
    dataset["2m_temperature"][:, 2:4, 5:] = np.nan
    kept = np.sort(rng.choice(np.arange(1, n_times), n_times - 1 - n_left_out, replace=False))
    return dataset.isel(time=np.r_[0, kept])


def sums_of(dataset, runs, n_block=5, steps=STEPS):
    """Sums of each run of times, in the order of `runs`, merged one after the other."""
    spec = spec_of(dataset)
    times, array = dataset["time"].values, to_array(dataset, spec)
    merged = None
    for start, stop in runs:
        sums = Sums(spec, HARMONICS, steps, array[0])
        for first in range(start, stop, n_block):
            block = slice(first, min(first + n_block, stop))
            sums.add(times[block], array[block].copy())
        if merged is None:
            merged = sums
        else:
            merged.merge(sums)
    return merged


def in_memory(dataset, step, coefficients=None):
    """Mean, spread and spread of changes of each channel in float64, the plain way."""
    spec, times = spec_of(dataset), dataset["time"].values
    array = to_array(dataset, spec).astype(float)
    if coefficients is not None:
        array = array - np.einsum("tk,kcyx->tcyx", HARMONICS.at(times), coefficients.astype(float))
    later = np.isin(times + step, times)
    changes = array[np.searchsorted(times, times[later] + step)] - array[later]
    areas = spec.grid.cell_areas()[:, None]
    found = []
    for channel in range(spec.n_channels):
        own = [np.broadcast_to(areas, a[:, channel].shape)[np.isfinite(a[:, channel])] for a in (array, changes)]
        values = [a[:, channel][np.isfinite(a[:, channel])] for a in (array, changes)]
        means = [np.average(v, weights=w) for v, w in zip(values, own, strict=True)]
        stds = [np.sqrt(np.average((v - m) ** 2, weights=w)) for v, m, w in zip(values, means, own, strict=True)]
        found.append((means[0], stds[0], stds[1]))
    return np.array(found).T


runs_of = st.lists(st.integers(1, 59), max_size=4, unique=True).map(sorted)


@settings(max_examples=25)
@given(st.integers(0, 99), runs_of, st.randoms(), st.integers(1, 25), st.sampled_from([0, 3, 20]))
def test_sums_of_runs_in_any_order_are_those_of_the_whole_in_memory(seed, cuts, order, n_block, n_left_out):
    dataset = record(seed, 60 + n_left_out, n_left_out)
    runs = list(zip([0, *cuts], [*cuts, 60], strict=True))
    order.shuffle(runs)
    sums = sums_of(dataset, runs, n_block)
    coefficients = sums.coefficients()
    assert len(sums.times) == 60
    for position, step in enumerate(STEPS):
        for own in (None, coefficients):
            expected = in_memory(dataset, step, own)
            found = moments_of(sums, position, own)
            np.testing.assert_allclose(found.std, expected[1], rtol=1e-6)
            np.testing.assert_allclose(found.change_std, expected[2], rtol=1e-6)
            np.testing.assert_allclose(found.mean, expected[0], atol=1e-6 * np.abs(expected[1]).max())


@pytest.mark.parametrize("spread", [0.3, 1e4])
def test_coefficients_are_those_of_least_squares_in_float64(spread):
    dataset = record(1, 80, 10, spread)
    hours = dataset["time"] - dataset["time"][0]
    dataset = dataset.assign_coords(time=dataset["time"] + 12 * hours)  # not 20 days but 260
    spec, times = spec_of(dataset), dataset["time"].values
    sums = sums_of(dataset, [(0, 30), (30, 70)])
    basis, right = HARMONICS.at(times), to_array(dataset, spec).astype(float).reshape(len(times), -1)
    gram = basis.T @ basis
    centre = right[0]
    expected = np.linalg.solve(gram, basis.T @ (right - centre))
    solved = sums.harmonics.inverse(sums.times) @ sums.right.reshape(len(gram), -1)
    valid = np.isfinite(centre)
    np.testing.assert_allclose(solved[:, valid], expected[:, valid], rtol=1e-6, atol=1e-6 * spread)
    assert np.isnan(sums.coefficients().reshape(len(gram), -1)[:, ~valid]).all()


@pytest.mark.parametrize("n_columns", [1, 1000, 2 * 2**18 // 15 + 7])
def test_products_in_pieces_are_products(n_columns):
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(3, 5)), rng.normal(size=(5, n_columns + 2))[:, 2:]
    np.testing.assert_allclose(product(left, right), left @ right, rtol=1e-12, atol=1e-12)


def test_terms_one_step_later_are_turned_terms():
    harmonics = Harmonics(2, 1)
    times = np.datetime64("1999-12-30T18", "ns") + np.arange(9) * np.timedelta64(31, "h")
    step = np.timedelta64(7, "h")
    np.testing.assert_allclose(harmonics.at(times + step), harmonics.at(times) @ harmonics.shift(step), atol=1e-12)
    assert harmonics.n_terms == harmonics.at(times).shape[1] == 15


def test_ranges_and_quantiles_are_those_of_the_values():
    dataset = record(3, 400, 0)
    spec = spec_of(dataset)
    array, areas = to_array(dataset, spec), spec.grid.cell_areas()
    own = sums_of(dataset, [(150, 400), (0, 150)], 50).distribution
    np.testing.assert_array_equal(own.minimum, np.nanmin(array, axis=(0, 2, 3)))
    np.testing.assert_array_equal(own.maximum, np.nanmax(array, axis=(0, 2, 3)))
    assert 0 < own.rank_error < 0.005
    for channel, quantiles in enumerate(own.quantiles([0.05, 0.5, 0.99]).T):
        values = array[:, channel]
        weights = np.broadcast_to(areas[:, None], values.shape) * np.isfinite(values)
        below = [(weights * (values <= quantile)).sum() / weights.sum() for quantile in quantiles]
        np.testing.assert_allclose(below, [0.05, 0.5, 0.99], atol=0.01)


def test_anomalies_without_a_pair_have_moments_of_values_alone():
    dataset = record(3, 8, 0).isel(time=[0, 2, 4, 6])  # 12 hours apart: none has another 18 hours later
    sums = sums_of(dataset, [(0, 4)], steps=STEPS[1:])
    moments = moments_of(sums, 0, np.zeros((HARMONICS.n_terms, *sums.spec.shape)))
    array = to_array(dataset, sums.spec)[:, 0].astype(float)
    mean = np.average(array, weights=np.broadcast_to(sums.spec.grid.cell_areas()[:, None], array.shape))
    assert moments.mean[0] == pytest.approx(mean)
    assert np.isnan(moments.change_std).all()


def test_times_that_are_there_twice_are_refused():
    dataset = record(0, 20, 0)
    with pytest.raises(UserError, match="3 times from 2001-01-02T12:00 on would count twice"):
        sums_of(dataset, [(0, 9), (6, 20)])


def test_sums_of_periods_that_begin_otherwise_do_not_merge():
    dataset = record(0, 20, 0)
    with pytest.raises(UserError, match="begin with other fields"):
        sums_of(dataset, [(0, 9)]).merge(sums_of(dataset.isel(time=slice(9, 20)), [(0, 11)]))


def test_sums_of_other_steps_do_not_merge():
    dataset = record(0, 20, 0)
    with pytest.raises(UserError, match="other channels, harmonics or steps"):
        sums_of(dataset, [(0, 9)]).merge(sums_of(dataset, [(9, 20)], steps=STEPS[:1]))
