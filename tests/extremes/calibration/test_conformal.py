"""Conformal quantiles and levels against ranks counted by hand, and their promises on synthetic blocks."""

import numpy as np
import pytest

from weatherml.extremes.calibration.conformal import block_quantile, blocks_of, controlled_level, fewest_blocks


def test_of_blocks_of_one_forecast_the_quantile_is_that_of_rank_n_plus_one_times_coverage():
    scores = np.random.default_rng(0).permutation(19).astype(float)
    assert block_quantile(scores, np.arange(19), 0.9) == np.sort(scores)[18 - 1]
    assert block_quantile(scores, np.arange(19), 0.95) == np.sort(scores)[19 - 1]


def test_too_few_blocks_promise_nothing():
    assert block_quantile(np.arange(8.0), np.arange(8), 0.9) == np.inf
    assert block_quantile(np.arange(9.0), np.arange(9), 0.9) == 8
    assert fewest_blocks(0.9) == 9


def test_a_block_of_many_forecasts_weighs_as_one():
    scores, blocks = np.array([*range(10, 20), 100.0, *[0.0] * 1000]), np.array([*range(11), *[11] * 1000])
    by_hand = sorted([(0.0, 1.0), *[(float(score), 1.0) for score in range(10, 20)], (100.0, 1.0)])
    expected = by_hand[int(np.ceil(13 * 0.7)) - 1][0]
    assert block_quantile(scores, blocks, 0.7) == expected


def test_coverage_is_kept_for_forecasts_of_another_block_however_alike_those_of_one_are():
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(400):
        shared = rng.exponential(size=(21, 1)) + 0.1 * rng.random((21, 5))
        quantile = block_quantile(shared[:20].ravel(), np.repeat(np.arange(20), 5), 0.8)
        covered.append((shared[20] <= quantile).mean())
    assert 0.8 - 0.05 < np.mean(covered) < 0.9


def test_controlled_level_is_the_last_whose_bound_keeps_the_risk():
    losses = np.array([[0, 0.1, 0.5, 1], [0, 0, 0.2, 1], [0, 0, 0, 1], [0, 0.3, 0.3, 1]])
    bounds = [(losses[:, level].sum() + 1) / 5 for level in range(4)]
    assert bounds == pytest.approx([0.2, 0.28, 0.4, 1.0])
    assert [controlled_level(losses, risk) for risk in (0.1, 0.2, 0.3, 0.4, 0.99)] == [-1, 0, 1, 2, 2]


def test_blocks_are_spans_of_initial_times():
    times = np.datetime64("2020-01-01", "ns") + np.array([0, 1, 4, 5, 16, 9]) * np.timedelta64(1, "D")
    assert blocks_of(times, "5d").tolist() == [0, 0, 0, 1, 2, 1]
