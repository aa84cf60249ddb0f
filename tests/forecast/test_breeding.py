"""Bred vectors, on a linear model whose fastest growing vector is known."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
import tiny_forecast
from flax import nnx
from tiny_forecast import SPEC, TIME_STEP, TIMES, Echo, make_forecaster, make_statistics

from weatherml.checkpoint import Provenance
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.forecast import BredConfig, ForecastConfig
from weatherml.forecast.analyses import Analyses
from weatherml.forecast.rollout.model import Model
from weatherml.grid import LatLonGrid
from weatherml.state import StateSpec, to_dataset

SMALL = StateSpec(SPEC.channels[:2], LatLonGrid.regular(3, 4, poles=False))
N = int(np.prod(SMALL.shape))
RNG = np.random.default_rng(0)
VECTORS = np.linalg.qr(RNG.normal(size=(N, N)))[0] + 0.3 * RNG.normal(size=(N, N)) / N**0.5
GROWTH = np.r_[1.3, np.linspace(1.0, 0.2, N - 1)]
LEADING = VECTORS[:, 0].reshape(SMALL.shape)


class Linear(nnx.Module):
    """Multiplies the state by a matrix that is not symmetric, and adds the first forcing."""

    def __init__(self):
        matrix = VECTORS @ np.diag(GROWTH) @ np.linalg.inv(VECTORS)
        self.matrix = nnx.Param(jnp.asarray(matrix, jnp.float32))

    def __call__(self, state, forcing):
        flat = state.reshape(len(state), -1)
        return (flat @ self.matrix[...].T).reshape(state.shape) + forcing[:, :1]


def make_linear_forecaster():
    whole = make_statistics()
    moments = {name: getattr(whole, name)[:2] for name in ("mean", "std", "difference_std")}
    statistics = dataclasses.replace(whole, spec=SMALL, valid=np.ones(SMALL.shape, bool), **moments)
    forcings = Forcings(("latitude",), SMALL.grid, TIME_STEP)
    return tiny_forecast.forecaster_of(
        (Model(Linear(), TIME_STEP, forcings, Provenance({}, "none")),), Normalizer(statistics)
    )


def bred(numbers=(1, 2, 3), times=TIMES, order=slice(None), **parameters):
    """Bred vectors `[member, channel, lat, lon]`."""
    array = np.random.default_rng(3).normal(250, 10, (len(times), *SMALL.shape))
    forecaster = make_linear_forecaster()
    analyses = Analyses(to_dataset(array, SMALL, {"time": times}).isel(time=order), forecaster.suites[0].normalizer)
    config = ForecastConfig(members=9, perturbation=BredConfig(**parameters))
    perturbation = tiny_forecast.initial_states(config, times[-1:], analyses, forecaster).perturbation
    init_times = np.full(len(numbers), times[-1])
    return np.asarray(perturbation(None, init_times, np.array(numbers)))


def alignment(vector):
    """Cosine of the angle to the leading vector."""
    return abs(np.vdot(vector, LEADING)) / np.linalg.norm(vector) / np.linalg.norm(LEADING)


def size(vector, amplitude=(1.0, 1.0)):
    """Root mean square over area and channels in units of the channels' amplitudes."""
    scaled = vector / np.array(amplitude)[:, None, None]
    return np.sqrt(np.mean(scaled**2 * SMALL.grid.area_weights()))


def test_vectors_turn_to_the_one_that_grows_fastest():
    by_cycles = [alignment(bred(cycles=cycles, steps=2)[0]) for cycles in (1, 4, 16)]
    assert by_cycles[0] < 0.9
    assert by_cycles[0] < by_cycles[1] < by_cycles[2]
    assert by_cycles[2] > 0.999


def test_steps_of_a_cycle_count():
    assert alignment(bred(cycles=3, steps=8)[0]) == pytest.approx(alignment(bred(cycles=6, steps=4)[0]), abs=2e-3)


def test_size_is_that_of_the_noise_whatever_grew():
    for scale in (0.01, 0.1):
        sizes = [size(vector) for vector in bred(cycles=3, steps=1, scale=scale)]
        np.testing.assert_allclose(sizes, scale, rtol=1e-4)


def test_amplitudes_are_the_units_of_the_size():
    vector = bred(cycles=2, steps=1, amplitude={"t500": 0.25})[0]
    assert size(vector, (0.1, 0.025)) == pytest.approx(1, rel=1e-4)


def test_pairs_are_opposite_and_others_differ():
    one, minus_one, two = bred(cycles=1, steps=1)
    np.testing.assert_allclose(minus_one, -one, atol=1e-5)
    assert alignment(one) != pytest.approx(alignment(two), abs=1e-3)


def test_cycles_before_the_first_analysis_start_from_it():
    """The model is linear, so that the vectors do not depend on the analyses, but for rounding."""
    np.testing.assert_allclose(bred(cycles=4, times=TIMES[-1:]), bred(cycles=4), atol=1e-4)


def test_order_of_analyses_does_not_matter():
    np.testing.assert_array_equal(bred(cycles=3, order=slice(None, None, -1)), bred(cycles=3))


def test_cycles_start_from_the_analyses_of_their_times():
    read = []

    class Recorded(Analyses):
        def read_batch(self, times, members):
            read.append(times[0])
            return super().read_batch(times, members)

    forecaster = make_linear_forecaster()
    times = TIMES[[1, 3, 5, 6, 8]]  # 6 h apart or 12
    array = np.full((len(times), *SMALL.shape), 250.0)
    analyses = Recorded(to_dataset(array, SMALL, {"time": times}), forecaster.suites[0].normalizer)
    config = ForecastConfig(members=3, perturbation=BredConfig(cycles=5, steps=2))
    states = tiny_forecast.initial_states(config, times[-1:], analyses, forecaster)
    states(times[-1:], np.array([1]))
    # From 60, 48, 36, 24 and 12 h before the last, where there are analyses, else from the one before, else the first.
    assert read[1:] == [TIMES[k] for k in (1, 1, 1, 3, 6)]


def test_what_the_model_forgets_is_no_perturbation(analysis):
    config = ForecastConfig(lead_time="6h", members=2, perturbation=BredConfig(cycles=1))
    forecast = make_forecaster(Echo()).run(analysis, TIMES[5], config)
    assert "failed" not in forecast.attrs or not forecast.attrs["failed"]
    np.testing.assert_array_equal(forecast["temperature"][0, 0, 1], forecast["temperature"][0, 0, 0])
