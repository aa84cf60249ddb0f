"""Terms of physics are zero for the truth, and tell what they are named for from everything else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.state import StateSpec, parse_channels
from weatherml.training import LossConfig
from weatherml.training.objective.physics import terms

NAMES = ("sp", "tcwv", "z500", "z850", "t500", "t850", "q500", "q850", "q925")
STD = np.array([900, 12, 3000, 1500, 9, 11, 1e-3, 4e-3, 5e-3], np.float32)
CHANGE = np.array([300, 3, 500, 400, 2, 3, 4e-4, 1e-3, 2e-3], np.float32)
ON_LEVELS = ("sp", "q500", "q850", "q925")
GRID, BATCH, BELOW_GROUND = LatLonGrid.regular(5, 12), 3, slice(2)


def statistics(names=NAMES, below_ground=None):
    """Return statistics; a channel has no values in two rows where it is said to lie below ground."""
    chosen = [NAMES.index(name) for name in names]
    spec = StateSpec(parse_channels(names), GRID)
    step, std = np.timedelta64(6, "h").astype("timedelta64[ns]"), STD[chosen]
    valid = np.ones(spec.shape, bool)
    if below_ground:
        valid[names.index(below_ground), BELOW_GROUND] = False
    return Statistics(spec, 0 * std, std, CHANGE[chosen], valid, step, ("2001", "2001"), 9)


def truth():
    return np.random.default_rng(0).standard_normal((BATCH, len(NAMES), *GRID.shape)).astype(np.float32)


def with_changes(**changes):
    """Return the truth with physical amounts added to channels."""
    forecast = truth()
    for name, change in changes.items():
        place = NAMES.index(name)
        forecast[:, place] += np.broadcast_to(change, GRID.shape) / STD[place]
    return forecast


def value(name, **changes):
    return float(terms[name](statistics())(jnp.asarray(with_changes(**changes)), jnp.asarray(truth())))


def balanced():
    """Return fields of which the area mean is nothing."""
    field = np.random.default_rng(1).standard_normal(GRID.shape)
    return field - np.average(field, weights=np.broadcast_to(GRID.area_weights(), GRID.shape))


@pytest.mark.parametrize("name", terms)
def test_the_truth_keeps_everything(name):
    assert value(name) == 0


def test_dry_mass_is_the_mean_of_pressure_less_the_weight_of_vapour():
    assert value("dry_mass", sp=60) == pytest.approx((60 / 300) ** 2, rel=1e-4)
    assert value("dry_mass", sp=200 * balanced()) < 1e-9
    assert value("dry_mass", sp=9.80665 * 4, tcwv=4) < 1e-9
    assert value("dry_mass", tcwv=4) == pytest.approx((9.80665 * 4 / 300) ** 2, rel=1e-4)


def test_moisture_is_the_mean_of_the_column():
    assert value("moisture", tcwv=1.5) == pytest.approx((1.5 / 3) ** 2, rel=1e-4)
    assert value("moisture", tcwv=5 * balanced()) < 1e-9
    levels = statistics(("q500", "q850"))
    ours = truth()[:, 6:8] + np.array([0, 1e-3 / 4e-3], np.float32)[:, None, None]
    assert float(terms["moisture"](levels)(ours, truth()[:, 6:8])) == pytest.approx(1, rel=1e-4)


def of_changes(name, statistics, **changes):
    """Return a term of physical amounts that are added to fields of zeros, of cells that have values."""
    forecast = np.zeros((BATCH, *statistics.spec.shape), np.float32)
    for short, change in changes.items():
        place = statistics.spec.names.index(str(parse_channels((short,))[0]))
        forecast[:, place] = change / statistics.std[place] * statistics.valid[place]
    return float(terms[name](statistics)(jnp.asarray(forecast), jnp.zeros(forecast.shape)))


@pytest.mark.parametrize("humidity", [(1e-3, 1e-3, 1e-3), (1e-3, 3e-3, 4e-3), (4e-3, 1e-3, 0)])
def test_vapour_on_levels_is_integrated_from_the_first_to_the_last_and_weighs_in_pressure(humidity):
    vapour = np.trapezoid(humidity, [50000, 85000, 92500]) / 9.80665  # kg m-2
    found = statistics(ON_LEVELS)
    changes = dict(zip(("q500", "q850", "q925"), humidity, strict=True))
    unit = max(17500 * 4e-4, 21250 * 1e-3, 3750 * 2e-3) / 9.80665
    assert of_changes("moisture", found, **changes) == pytest.approx((vapour / unit) ** 2, rel=1e-4)
    assert of_changes("dry_mass", found, sp=9.80665 * vapour, **changes) < 1e-9
    assert of_changes("dry_mass", found, **changes) == pytest.approx((9.80665 * vapour / 300) ** 2, rel=1e-4)


def test_dry_mass_is_that_of_all_air_where_vapour_is_not_told():
    assert of_changes("dry_mass", statistics(("sp", "q500")), sp=60, q500=1e-3) == pytest.approx(0.04, rel=1e-4)


def test_what_lies_below_the_ground_is_in_no_balance_and_no_column():
    thickness = 287.05 * np.log(850 / 500)
    found = statistics(("z500", "z850", "t500", "t850"), below_ground="t850")
    assert of_changes("hydrostatic", found, z500=2 * thickness, t500=2, t850=2) < 1e-9
    assert of_changes("hydrostatic", found, z500=100) == pytest.approx(1e4 / (500**2 + 400**2), rel=1e-4)
    areas = GRID.area_weights()[:, 0]
    share_of_air = 1 - areas[BELOW_GROUND].sum() / areas.sum()
    found, pressure = statistics(ON_LEVELS, below_ground="q925"), 3750 * 1e-3 * share_of_air
    assert of_changes("dry_mass", found, sp=pressure, q925=1e-3) < 1e-9


def test_hydrostatic_balance_knows_thickness_by_temperature_in_every_cell():
    warm = 3 * balanced()
    thicker = 287.05 * np.log(850 / 500) * warm
    unit = np.hypot(500, 400)
    assert value("hydrostatic", t500=warm, t850=warm, z500=thicker) < 1e-9
    assert value("hydrostatic", z500=700 * balanced(), z850=700 * balanced()) < 1e-9
    expected = np.average((thicker / unit) ** 2, weights=np.broadcast_to(GRID.area_weights(), GRID.shape))
    assert value("hydrostatic", z500=thicker) == pytest.approx(expected, rel=1e-4)


def test_energy_tells_smooth_fields_from_moved_ones():
    term = terms["energy"](statistics())
    moved = np.roll(truth(), 5, axis=-1)
    assert float(term(moved, truth())) < 1e-9
    waves = np.fft.rfft(truth(), axis=-1)
    waves[..., 4:] *= 0.5  # of the six waves of twelve points
    smooth = np.fft.irfft(waves, 12, axis=-1).astype(np.float32)
    assert float(term(smooth, truth())) == pytest.approx(np.log(4) ** 2 * 3 / 6, rel=1e-2)


@pytest.mark.parametrize("name", terms)
def test_a_term_is_a_mean_over_samples(name):
    """So that a batch is the same in however many parts it is computed."""
    term, forecast = terms[name](statistics()), truth() * np.array([0.5, 2, 3], np.float32)[:, None, None, None]
    alone = [float(term(forecast[k : k + 1], truth()[k : k + 1])) for k in range(BATCH)]
    assert float(term(forecast, truth())) == pytest.approx(np.mean(alone), rel=1e-4) and np.ptp(alone) > 0.01


def test_a_loss_adds_its_terms_by_their_weights_for_every_member():
    config = {"name": "crps", "members": 2}
    plain = LossConfig(**config).build(statistics())
    added = LossConfig(**config, physics={"dry_mass": 5.0, "hydrostatic": 0.5}).build(statistics())
    forecast = jnp.repeat(jnp.asarray(truth()), 2, axis=0).at[1::2, 0].add(60 / 900)  # every second member
    expected = plain(forecast, truth()) + 5 * (60 / 300) ** 2 / 2
    assert float(added(forecast, truth())) == pytest.approx(float(expected), rel=1e-4)
    gradient = jax.grad(lambda fields: added(fields, truth()))(jnp.asarray(truth()).repeat(2, axis=0))
    assert bool(jnp.isfinite(gradient).all())


@pytest.mark.parametrize(
    ("names", "physics", "reason"),
    [
        (("z500", "t500"), "dry_mass", "dry_mass needs surface_pressure or mean_sea_level_pressure"),
        (("z500", "q500"), "moisture", "moisture needs total_column_water_vapour, or specific_humidity on two levels"),
        (("z500", "t850"), "hydrostatic", "needs geopotential and temperature on the same two levels"),
        (("z500", "t850"), "enrgy", "unknown physics term 'enrgy'; did you mean 'energy'"),
    ],
)
def test_a_term_that_the_state_cannot_have_is_refused(names, physics, reason):
    with pytest.raises(UserError, match=reason) as caught:
        LossConfig(physics={physics: 1.0}).build(statistics(names))
    assert "\n" not in str(caught.value)
