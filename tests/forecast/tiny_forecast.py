"""A small model, its statistics and its analyses; every size differs."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy_weights import drawn

from weatherml.checkpoint import Provenance
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.data.statistics.climatology import Climatology
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.forecast import Forecaster, Suite
from weatherml.forecast.perturbation.base import InitialStates, PerturbationContext
from weatherml.forecast.rollout.model import Model
from weatherml.grid import LatLonGrid
from weatherml.models import FourCastNetConfig, Step
from weatherml.state import StateSpec, parse_channels, to_dataset

SPEC = StateSpec(parse_channels(["z500", "t500", "t850", "u850", "sst"]), LatLonGrid.regular(8, 12, poles=False))
TIME_STEP = np.timedelta64(6 * 3600 * 10**9, "ns")
TIMES = np.datetime64("2020-02-27T00", "ns") + np.arange(9) * TIME_STEP
PERIOD = ("2018-01-01", "2018-12-31")
MIDDLE, SPREAD = np.array([250, 250, 250, 100, 290]), np.array([1, 1, 1, 1, 0.2])
"""Of each channel, so that all are plausible."""


class Advection(nnx.Module):
    """Moves every channel one column east, damps it, and adds the first forcing."""

    def __init__(self):
        self.damping = nnx.Param(jnp.float32(0.9))

    def __call__(self, state, forcing):
        return self.damping[...] * jnp.roll(state, 1, axis=-1) + 0.1 * forcing[:, :1]


class NoisyAdvection(Advection):
    """Adds a random map to every channel, too."""

    def __call__(self, state, forcing, noise=None):
        moved = super().__call__(state, forcing)
        return moved if noise is None else moved + 0.3 * noise[:, :1]


class Echo(nnx.Module):
    """Forgets the state: the first forcing is the next state of all channels."""

    def __call__(self, state, forcing):
        return jnp.broadcast_to(forcing[:, :1], state.shape)


class Explosion(nnx.Module):
    """Overflows at the second step wherever the state began above 1."""

    def __call__(self, state, forcing):
        return jnp.where(state > 1, state * 1e25, state)


def make_statistics():
    rng = np.random.default_rng(1)
    mean, std = MIDDLE + SPREAD * rng.uniform(-50, 50, SPEC.n_channels), SPREAD * rng.uniform(5, 15, SPEC.n_channels)
    valid = np.ones(SPEC.shape, bool)
    valid[SPEC.index("sst"), 2:5, 3:7] = False
    moments = [a.astype(np.float32) for a in (mean, std, 0.2 * std)]
    return Statistics(SPEC, *moments, valid, TIME_STEP, PERIOD, 1460)


def make_climatology():
    rng = np.random.default_rng(2)
    coefficients = rng.normal(size=(3, *SPEC.shape)).astype(np.float32)
    coefficients[0] += MIDDLE[:, None, None].astype(np.float32)
    return Climatology(SPEC, coefficients, n_annual=1, n_diurnal=0, period=PERIOD)


def plausible(noise):
    """Return fields float32 `[..., channel, lat, lon]` with some noise of ten or so about what is usual."""
    return (MIDDLE[:, None, None] + SPREAD[:, None, None] * noise).astype(np.float32)


def make_analysis(times=TIMES):
    rng = np.random.default_rng(3)
    array = plausible(rng.normal(0, 10, (len(times), *SPEC.shape)))
    array[:, ~make_statistics().valid] = np.nan
    return to_dataset(array, SPEC, {"time": times})


def make_model():
    return FourCastNetConfig(patch=4, width=16, depth=2, n_blocks=2)


def make_network_step():
    """A small FourCastNet, whose matrix products could differ between slots."""
    statistics = make_statistics()
    network = drawn(lambda: make_model().build(SPEC, 2, nnx.Rngs(0)))
    return Step(network, statistics.difference_std / statistics.std, statistics.valid)


def forecaster_of(models, normalizer):
    """Return the forecaster of one suite."""
    return Forecaster((Suite(tuple(models), normalizer),))


def replaced(forecaster, **changes):
    """Return a forecaster of one suite with another value of it."""
    (suite,) = forecaster.suites
    return Forecaster((replace(suite, **changes),))


def initial_states(config, init_times, analyses, forecaster):
    """Return what members of a forecaster of one suite start from."""
    (suite,) = forecaster.suites
    numbers, statistics = config.member_numbers(), analyses.normalizer.statistics
    context = PerturbationContext(statistics, analyses, init_times, numbers, config.seed, suite, suite.time_step)
    return InitialStates.build(config.perturbation, context)


def make_forecaster(step=None, climatology=None):
    """Build a forecaster; advection is the step unless another is given."""
    statistics = make_statistics()
    forcings = Forcings(("insolation", "latitude"), SPEC.grid, TIME_STEP)
    normalizer = Normalizer(statistics, climatology)
    model = Model(step or Advection(), TIME_STEP, forcings, Provenance({}, "none"))
    return forecaster_of((model,), normalizer)
