"""Guards inside the rollout: physical units of a time, bounds, positivity, conserved means, relaxation, the record."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from tiny_forecast import forecaster_of

from weatherml.checkpoint import Provenance
from weatherml.column import GRAVITY
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.data.statistics.climatology import Climatology
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.forecast import ForecastConfig
from weatherml.forecast.guards import GuardsConfig
from weatherml.forecast.guards.step_modifiers import (
    Bounds,
    StepInputs,
    StepModifiers,
    describe_failure,
    guard_modifiers,
)
from weatherml.forecast.guards.units import Units
from weatherml.forecast.rollout.model import Model
from weatherml.forecast.rollout.step_loop import to_physical
from weatherml.grid import LatLonGrid
from weatherml.state import Channel, StateSpec, parse_channels, to_array, to_dataset

SPEC = StateSpec(parse_channels(["sp", "t850", "q850", "tcwv", "sst", "msl"]), LatLonGrid.regular(7, 11))
STEP = np.timedelta64(6 * 3600 * 10**9, "ns")
START = np.datetime64("2020-02-27T06", "ns")
TIMES = START + np.arange(4) * 40 * np.timedelta64(24, "h")
PERIOD = ("2018-01-01", "2018-12-31")
# Powers of two, so that a boundary is a number of normalised units exactly.
MEAN = np.array([98304, 256, 0.00390625, 16, 288, 101376], np.float32)
STD = np.array([1024, 4, 0.00390625, 8, 2, 512], np.float32)
LARGEST = 5.0
"""Of noise: no channel comes near its bounds, and humidity falls below zero."""


def make_normalizer(has_climatology):
    valid = np.ones(SPEC.shape, bool)
    valid[SPEC.index("sst"), 2:5, 3:7] = False
    statistics = Statistics(SPEC, MEAN, STD, 0.2 * STD, valid, STEP, PERIOD, 1460)
    if not has_climatology:
        return Normalizer(statistics)
    # The mean over the area changes with the season, and there is none where there are no data.
    amplitude = np.random.default_rng(2).uniform(0, 0.6, (3, *SPEC.shape)) * STD[:, None, None]
    amplitude[0] += MEAN[:, None, None]
    coefficients = np.where(valid, amplitude, np.nan).astype(np.float32)
    return Normalizer(statistics, Climatology(SPEC, coefficients, 1, 0, PERIOD))


NORMALIZERS = {name: make_normalizer(name == "climatology") for name in ("mean", "climatology")}
VALID = NORMALIZERS["mean"].statistics.valid
WEIGHTS = SPEC.grid.area_weights().astype(np.float64)
BOTH = pytest.mark.parametrize("reference", list(NORMALIZERS))


def make_states(n_members=3, seed=0):
    noise = np.random.default_rng(seed).normal(size=(n_members, *SPEC.shape))
    return np.where(VALID, np.clip(noise, -LARGEST, LARGEST), 0).astype(np.float32)


def step_to(terms, tick):
    """What the guards are told of a step."""
    return StepInputs(None, terms, tick, 0, None, None, None, np.int32(1))


def build(config, normalizer):
    units = Units.build(normalizer)
    modifiers = guard_modifiers(config, normalizer, units, [1], STEP)
    return StepModifiers(tuple(modifiers), Bounds.build(normalizer.spec.channels, units, config.bounds))


@jax.jit
def call(guards, members, following, step):
    return guards(members, following, step)


def guarded(following, reference="mean", time=TIMES[1], tick=2, **config):
    """Members after a step that ends at a time, whose model gives `following`."""
    normalizer = NORMALIZERS[reference]
    guards = build(GuardsConfig(**config), normalizer)
    terms = normalizer.terms(np.full(len(following), time))
    members = guards.begin(jnp.zeros(following.shape), terms)
    return jax.device_get(call(guards, members, jnp.asarray(following), step_to(terms, tick)))


def set_physical(states, place, value, reference="mean", time=TIMES[1]):
    """Give one place (member, channel, lat, lon) of normalised states a value in SI units."""
    member, name, lat, lon = place
    channel = SPEC.index(name)
    zero = NORMALIZERS[reference].denormalize(np.zeros(SPEC.shape), time)[channel, lat, lon]
    states[member, channel, lat, lon] = (np.float64(value) - np.float64(zero)) / STD[channel]
    return states


@BOTH
def test_units_on_the_device_are_those_of_the_normalizer(reference):
    normalizer = NORMALIZERS[reference]
    units, keep = Units.build(normalizer, 2), [7, 4, 0, 2]
    rng = np.random.default_rng(1)
    fields = rng.normal(size=(5, 3, len(keep), *SPEC.grid.shape)).astype(np.float32)
    nothing = np.full(len(keep), -np.inf, np.float32)
    terms = normalizer.terms(TIMES)
    found = np.asarray(to_physical(fields, np.array([2, 0]), units.select(keep), terms, nothing, None))
    state = np.zeros((4, 2, *SPEC.shape), np.float32)
    state[:, :, keep[1:]] = fields[:4, [2, 0], 1:]
    expected = normalizer.denormalize(state, TIMES[:, None])[:, :, keep[1:]]
    np.testing.assert_allclose(found[:, :, 1:], expected, rtol=3e-7, atol=1e-8)
    np.testing.assert_array_equal(found[:, :, 0], fields[:4, [2, 0], 0])


def test_a_reference_of_means_takes_no_maps():
    assert Units.build(NORMALIZERS["mean"]).coefficients.shape == (1, SPEC.n_channels, 1, 1)


@pytest.mark.parametrize(("value", "stops"), [(350, False), (np.nextafter(np.float32(350), np.inf), True)])
def test_bounds_are_exact(value, stops):
    members = guarded(set_physical(make_states(), (1, "t850", 3, 5), value))
    assert (members.failure.tick > 0).tolist() == [False, stops, False]


@pytest.mark.parametrize(("value", "stops"), [(349.999, False), (350.001, True), (150.001, False), (149.999, True)])
def test_bounds_are_those_of_the_value_at_that_time(value, stops):
    members = guarded(set_physical(make_states(), (1, "t850", 3, 5), value, "climatology"), "climatology")
    assert (members.failure.tick > 0).tolist() == [False, stops, False]


def test_without_bounds_only_what_is_not_finite_stops():
    states = set_physical(make_states(), (1, "t850", 3, 5), 1e6)
    states[2, 1, 0, 0] = np.nan
    assert guarded(states, bounds=False).failure.tick.tolist() == [0, 0, 2]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channel", ["msl", "q850"])
def test_what_is_not_finite_stops_and_is_not_lifted_to_zero(value, channel):
    states = make_states()
    states[1, SPEC.index(channel), 6, 10] = value
    failure = guarded(states, conserve=("dry_air", "msl")).failure
    assert failure.tick.tolist() == [0, 2, 0]
    assert failure.channel[1] == SPEC.index(channel)
    assert not np.isfinite(failure.value[1])


def test_cells_without_data_are_not_judged():
    states = make_states()
    states[1, SPEC.index("sst"), 3, 4] = 1e4
    assert not guarded(states).failure.tick.any()
    states[1, SPEC.index("sst"), 3, 7] = 1e4
    assert guarded(states).failure.tick.tolist() == [0, 2, 0]


def test_a_stopped_member_is_nan_and_the_others_keep_their_bits():
    states = make_states()
    before = guarded(states.copy()).states
    after = guarded(set_physical(states, (1, "msl", 3, 5), 2e5)).states
    assert np.isnan(after[1]).all()
    np.testing.assert_array_equal(after[[0, 2]], before[[0, 2]])


def test_a_stopped_member_stays_stopped_when_its_model_forgets():
    guards = build(GuardsConfig(), NORMALIZERS["mean"])
    members = guards.begin(jnp.zeros((2, *SPEC.shape)), np.ones((2, 1), np.float32))
    wrong = set_physical(make_states(2), (0, "sst", 0, 0), 316)
    for tick, states in ((3, wrong), (5, make_states(2))):
        members = guards(members, jnp.asarray(states), step_to(np.ones((2, 1), np.float32), tick))
    assert members.failure.tick.tolist() == [3, 0]
    assert np.isnan(members.states[0]).all() and np.isfinite(members.states[1]).all()


@BOTH
def test_humidity_below_zero_is_lifted_to_it_and_nothing_else_is_touched(reference):
    normalizer, states = NORMALIZERS[reference], make_states()
    before = normalizer.denormalize(states, TIMES[1])
    found = guarded(states, reference, bounds=False).states
    after = normalizer.denormalize(found, TIMES[1])
    for name in ("q850", "tcwv"):
        channel = SPEC.index(name)
        assert before[:, channel].min() < 0
        np.testing.assert_allclose(after[:, channel], np.maximum(before[:, channel], 0), atol=1e-6 * STD[channel])
    untouched = ~(before < 0)
    np.testing.assert_array_equal(found[untouched], states[untouched])


@BOTH
@pytest.mark.parametrize("quantum", [None, 0.25])
def test_kept_humidity_and_rain_are_never_below_zero(reference, quantum):
    channels = (*SPEC.channels, Channel("total_precipitation_6hr"))
    units = Units.build(NORMALIZERS[reference], 1)
    fields = np.random.default_rng(1).normal(size=(2, 3, len(channels), *SPEC.grid.shape)).astype(np.float32)
    quanta = None if quantum is None else np.append(quantum * STD, 0).astype(np.float32)
    terms = NORMALIZERS[reference].terms(TIMES[:2])
    kept = {}
    for lifts in (True, False):
        floor = GuardsConfig(nonnegative=lifts).floor(channels)
        kept[lifts] = np.asarray(to_physical(fields, np.arange(3), units, terms, floor, quanta))
    humid = [SPEC.index("q850"), SPEC.index("tcwv"), len(SPEC.channels)]
    assert (kept[False][:, :, humid] < 0).any(axis=(0, 1, 3, 4)).all()
    assert (kept[True][:, :, humid] >= 0).all()
    dry = np.delete(np.arange(len(channels)), humid)
    np.testing.assert_array_equal(kept[True][:, :, dry], kept[False][:, :, dry])


class Drift(nnx.Module):
    """Moves fields east by some columns, and everything up by some share of a standard deviation."""

    def __init__(self, columns, rise):
        self.columns, self.rise = columns, rise

    def __call__(self, state, forcing):
        return jnp.where(VALID, jnp.roll(state, self.columns, axis=-1) + self.rise, 0)


def make_forecaster(reference, *steps):
    """Models of steps of so many times 6 hours."""
    forcings = Forcings(("latitude",), SPEC.grid, STEP)
    models = tuple(Model(step, n * STEP, forcings, Provenance({}, str(n))) for n, step in steps)
    return forecaster_of(models, NORMALIZERS[reference])


def make_analysis(reference, states):
    array = NORMALIZERS[reference].denormalize(states[:1], np.array([START]))
    return to_dataset(array, SPEC, {"time": np.array([START])})


def run(reference, steps, lead_time, states=None, **config):
    """A forecast of four members, or of the control from given states."""
    members = {"members": 4, "batch": 3, "perturbation": {"name": "gaussian"}} if states is None else {}
    asked = ForecastConfig(lead_time=lead_time, guards=GuardsConfig(**config), **members)
    analysis = make_analysis(reference, make_states() if states is None else states)
    return make_forecaster(reference, *steps).run(analysis, START, asked)


def area_mean(fields, *names):
    """Mean over valid cells of `[..., channel, lat, lon]`, float64 `[..., name]`."""
    channels = [SPEC.index(name) for name in names]
    weights = WEIGHTS * VALID[channels]
    total = np.where(VALID[channels], fields[..., channels, :, :].astype(np.float64), 0) * weights
    return total.sum((-1, -2)) / weights.sum((-1, -2))


@BOTH
def test_conserved_means_stay_over_many_steps_and_through_branches(reference):
    steps = ((1, Drift(1, 0.01)), (4, Drift(3, -0.02)))
    forecast = run(reference, steps, "246h", conserve=("msl", "sst", "dry_air"), bounds=False)
    fields = to_array(forecast, SPEC)[0]
    initial = to_array(make_analysis(reference, make_states()), SPEC)
    np.testing.assert_allclose(area_mean(fields[:, 0], "msl", "sst"), area_mean(initial, "msl", "sst")[[0] * 41], 1e-6)
    pressure, water = np.moveaxis(area_mean(fields, "sp", "tcwv"), -1, 0)
    assert np.ptp(water, axis=0).min() > 0.1
    dry_air = pressure - GRAVITY * water
    start, vapour = area_mean(initial, "sp", "tcwv")[0]
    np.testing.assert_allclose(dry_air[:, 0], start - GRAVITY * vapour, rtol=1e-6)
    assert np.ptp(dry_air, axis=0).max() < 1e-6 * start
    assert np.ptp(dry_air, axis=1).min() > 1  # each member keeps its own


def test_a_shift_for_conservation_is_uniform():
    plain, kept = (run("climatology", [(1, Drift(1, 0.05))], "12h", conserve=names) for names in ((), ("msl",)))
    shift = (kept["mean_sea_level_pressure"] - plain["mean_sea_level_pressure"]).values
    assert (np.abs(shift).max((-1, -2)) > 10).all()
    assert np.ptp(shift, axis=(-1, -2)).max() < 0.05
    for name in ("temperature", "surface_pressure"):
        np.testing.assert_array_equal(kept[name], plain[name])


def test_without_vapour_dry_air_is_the_mean_pressure():
    for names, shifted in ((["sp", "t850"], 0), (["t850", "msl", "tcwv"], 1)):
        positions = [SPEC.index(name) for name in names]
        spec = StateSpec(parse_channels(names), SPEC.grid)
        parts = {name: getattr(NORMALIZERS["mean"].statistics, name)[positions] for name in ("mean", "std", "valid")}
        statistics = dataclasses.replace(NORMALIZERS["mean"].statistics, spec=spec, **parts)
        *_, conserved = build(GuardsConfig(conserve=("dry_air",)), Normalizer(statistics)).modifiers
        assert conserved.channels == (shifted,)


@BOTH
def test_relaxation_draws_to_the_reference_at_its_rate_whatever_the_step(reference):
    forecast = run(reference, [(1, Drift(0, 0)), (4, Drift(0, 0))], "36h", states=make_states(1), relaxation="2d")
    fields = to_array(forecast, SPEC)[0, :, 0]
    times = START + np.arange(1, 7) * STEP
    expected = make_states(1) * np.exp(-np.arange(1, 7) / 8)[:, None, None, None].astype(np.float32)
    temperature = SPEC.index("t850")
    found = NORMALIZERS[reference].normalize(fields, times)[:, temperature]
    np.testing.assert_allclose(found, expected[:, temperature], atol=2e-5)


def test_the_record_names_the_step_the_channel_and_the_value_though_no_lead_shows_it():
    class Spike(Drift):
        """Leaves the bounds of two channels after the first step alone."""

        def __call__(self, state, forcing):
            return jnp.where(state < 15, state + 20, 0)

    states = np.zeros((1, *SPEC.shape), np.float32)
    forecaster = make_forecaster("mean", (1, Spike(0, 0)))
    config = ForecastConfig(lead_time="36h", every="18h")
    with_spike = forecaster.run(make_analysis("mean", states), START, config)
    assert with_spike.attrs["failed"] == [
        "init_time 2020-02-27T06:00 number 0 at 2020-02-27T12:00 (lead 6h) by surface_pressure:"
        " 1.188e+05 Pa above 112000"
    ]
    assert np.isnan(to_array(with_spike, SPEC)).all()


def test_the_record_has_the_earliest_failure_of_all_branches():
    steps = ((1, Drift(0, 10)), (3, Drift(0, 11)))
    forecast = run("mean", steps, "24h", states=np.zeros((1, *SPEC.shape), np.float32))
    (line,) = forecast.attrs["failed"]
    assert "at 2020-02-27T18:00 (lead 12h) by" in line
    finite = np.isfinite(to_array(forecast, SPEC)[0, :, 0, 0]).all((-1, -2))
    assert finite.tolist() == [True, False, True, False]


def test_a_failure_is_told_in_plain_words():
    t850, q850 = parse_channels(["t850", "q850"])
    assert describe_failure(t850, 412.34) == "temperature_850: 412.3 K above 350"
    assert describe_failure(t850, 3.0) == "temperature_850: 3 K below 150"
    assert describe_failure(q850, float("nan")) == "specific_humidity_850, which is no longer finite"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"conserve": ("dry_aire",)}, "conserve names 'dry_aire', which is no channel .*; did you mean 'dry_air'"),
        ({"conserve": ("mslp",)}, "conserve names 'mslp'"),
        ({"conserve": ("sp", "dry_air")}, "would shift surface_pressure twice; leave one out"),
        ({"conserve": ("tcwv",)}, "conserve total_column_water_vapour: a shift can take it below zero"),
        ({"relaxation": "50"}, "duration '50' must be a positive number of"),
    ],
)
def test_what_cannot_be_guarded_is_one_line(config, message):
    with pytest.raises(UserError, match=message) as caught:
        run("mean", [(1, Drift(0, 0))], "6h", **config)
    assert "\n" not in str(caught.value)


def test_dry_air_of_a_state_without_pressure_is_refused():
    spec = StateSpec(parse_channels(["t850"]), SPEC.grid)
    parts = {name: getattr(NORMALIZERS["mean"].statistics, name)[1:2] for name in ("mean", "std", "valid")}
    normalizer = Normalizer(dataclasses.replace(NORMALIZERS["mean"].statistics, spec=spec, **parts))
    with pytest.raises(UserError, match="'dry_air' needs surface_pressure or mean_sea_level_pressure, which the state"):
        build(GuardsConfig(conserve=("dry_air",)), normalizer)
