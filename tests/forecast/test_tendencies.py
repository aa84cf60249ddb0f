"""Stochastically perturbed tendencies: the process in time, the pattern in space, and what it multiplies."""

import math

import jax
import numpy as np
import pytest
from tiny_forecast import (
    SPEC,
    TIME_STEP,
    TIMES,
    Advection,
    forecaster_of,
    make_analysis,
    make_forecaster,
    make_statistics,
)

from weatherml.checkpoint import Provenance
from weatherml.errors import UserError
from weatherml.forecast import CombinedConfig, ForecastConfig, SphericalConfig, SpptConfig
from weatherml.forecast.perturbation.sppt import TendencyNoise
from weatherml.forecast.plan import batches
from weatherml.forecast.rollout.model import Model
from weatherml.models.noise.random_field import RandomField
from weatherml.state import to_array

HOUR = np.timedelta64(3600 * 10**9, "ns")
N_TICKS = 6


def build(**parameters):
    return SpptConfig(**parameters).tendencies(make_statistics(), 6 * HOUR)


def noise_of(n_members, tendencies):
    return TendencyNoise(tendencies, jax.random.split(jax.random.key(2), n_members), np.arange(n_members))


def fields(noise, ends):
    """[tick, member, lat, lon] of the perturbed members"""
    return np.asarray(jax.lax.map(FIELD.evaluate, noise.during(ends[:, None])[:, 0, 1:]))


LONG = build(length=3000, decorrelation="12h")
FIELD = LONG.field


@pytest.fixture(scope="module")
def patterns():
    """[tick, member, lat, lon]"""
    return fields(noise_of(401, LONG), np.arange(1, N_TICKS + 1))


def test_pattern_has_mean_zero_and_variance_one_at_all_times(patterns):
    assert np.abs(patterns.mean(1)).max() < 0.2
    np.testing.assert_allclose(patterns.var(axis=1).mean((1, 2)), 1, atol=0.05)


def test_correlation_in_time_decays_exponentially(patterns):
    for lag in (1, 2, 4):
        found = (patterns[lag:] * patterns[:-lag]).mean()
        assert found == pytest.approx(math.exp(-lag * 6 / 12), abs=0.05)


def test_correlation_in_space_is_that_of_the_length(patterns):
    lat, lon = np.radians(SPEC.grid.latitude[3]), np.radians(SPEC.grid.longitude[1] - SPEC.grid.longitude[0])
    distance = 6371 * 2 * math.asin(math.cos(lat) * math.sin(lon / 2))
    found = (patterns[:, :, 3, 1:] * patterns[:, :, 3, :-1]).mean()
    assert found == pytest.approx(math.exp(-0.5 * (distance / 3000) ** 2), abs=0.05)


def test_pattern_of_a_tick_does_not_depend_on_which_others_are_wanted(patterns):
    noise = noise_of(401, LONG)
    for ticks in ([4], [5, 4, 1], [6, 6], [2, 3]):
        np.testing.assert_array_equal(fields(noise, np.array(ticks)), patterns[np.array(ticks) - 1])


def test_process_goes_on_from_chunk_to_chunk(monkeypatch):
    """Sixty leads are sixty draws, not the sum of 1 .. 60."""
    draws = []
    own = RandomField.draw_coefficients

    def counted(field, key, n_fields):
        jax.debug.callback(lambda: draws.append(n_fields))
        return own(field, key, n_fields)

    monkeypatch.setattr(RandomField, "draw_coefficients", counted)
    noise = noise_of(1, build(length=4000))
    for end in range(1, 61):
        noise.during(np.array([[end]])).block_until_ready()
    jax.effects_barrier()
    assert len(draws) == 60


def test_control_is_not_perturbed():
    found = noise_of(3, build()).during(np.array([[1, 2], [3, 4]]))
    assert found.shape == (2, 2, 3, *build().field.shape)
    assert (found[:, :, 0] == 0).all()
    assert (found[:, :, 1:] != 0).all()


def test_change_over_the_step_is_multiplied_alike_in_all_channels():
    analysis = make_analysis()
    forecast = make_forecaster().run(
        analysis, TIMES[0], ForecastConfig(lead_time="6h", members=2, perturbation=SpptConfig(scale=0.3))
    )
    control, member = to_array(forecast, SPEC)[0, 0]
    change = control - to_array(analysis.sel(time=TIMES[0]), SPEC)
    factor = (member - control) / np.where(np.abs(change) > 2, change, np.nan)
    assert np.nanmax(np.abs(factor)) <= 1.001
    assert np.nanstd(factor) == pytest.approx(0.3, rel=0.3)
    assert np.nanmax(np.abs(factor - np.nanmean(factor, axis=0))) < 2e-3


def test_no_change_turns_round():
    states, following = np.zeros((2, 1, *SPEC.shape), np.float32) + np.array([[[[[[0]]]]], [[[[[3]]]]]], np.float32)
    extreme = np.linspace(-50, 50, int(np.prod(SPEC.grid.shape)), dtype=np.float32).reshape(1, *SPEC.grid.shape)
    perturbed = np.asarray(build(scale=1.0).scale_change(states[0], following[0], extreme))
    assert perturbed.min() == 0
    assert perturbed.max() == 6


def run(lead_time="30h", every=None, numbers=None, forecaster=None):
    config = ForecastConfig(
        lead_time=lead_time,
        every=every,
        members=4,
        numbers=numbers,
        batch=3,
        perturbation=CombinedConfig(parts=(SphericalConfig(), SpptConfig())),
    )
    return to_array((forecaster or make_forecaster()).run(make_analysis(), TIMES[0], config), SPEC)[0]


def test_chunks_of_output_change_nothing(monkeypatch):
    whole = run()
    for n_outputs in (1, 2):
        monkeypatch.setattr(batches, "CHUNK_BYTES", n_outputs * 4 * 3 * int(np.prod(SPEC.shape)))
        np.testing.assert_array_equal(run(), whole)


def test_pattern_of_a_time_does_not_depend_on_the_leads_that_are_kept():
    np.testing.assert_allclose(run("24h", every="12h"), run("30h")[1:4:2], atol=2e-3)


def test_member_alone_is_bit_equal_where_models_of_two_steps_take_turns():
    class Two(Advection):
        def __call__(self, state, forcing):
            return super().__call__(super().__call__(state, forcing), forcing)

    one = make_forecaster().suites[0].models[0]
    two = Model(Two(), 2 * TIME_STEP, one.forcings, Provenance({}, "none"))
    normalizer = make_forecaster().suites[0].normalizer
    together, alone = (
        run("24h", numbers=numbers, forecaster=forecaster_of((one, two), normalizer)) for numbers in (None, (1,))
    )
    np.testing.assert_array_equal(alone[:, 0], together[:, 1])


def test_two_perturbations_of_tendencies_are_refused(forecaster, analysis):
    config = ForecastConfig(members=2, perturbation=CombinedConfig(parts=(SpptConfig(), SpptConfig(length=900.0))))
    with pytest.raises(UserError, match="parts has 2 perturbations of tendencies; keep one"):
        forecaster.run(analysis, TIMES[0], config)
