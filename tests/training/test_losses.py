import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_training import dataset, start

from weatherml.config import from_mapping
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.state import StateSpec, parse_channels, to_array
from weatherml.training import LossConfig
from weatherml.training.objective.losses import cell_weights
from weatherml.variables import PRESETS

SPEC = StateSpec(parse_channels(["z500", "t850", "t2m"]), LatLonGrid.regular(4, 5))


def statistics():
    valid = np.ones(SPEC.shape, bool)
    valid[1, 2:, 1:] = False
    std = np.array([2.0, 4.0, 5.0], np.float32)
    difference_std = np.array([1.0, 0.5, 10.0], np.float32)
    step = np.timedelta64(6, "h").astype("timedelta64[ns]")
    return Statistics(SPEC, 0 * std, std, difference_std, valid, step, ("2001", "2001"), 9)


def fields(seed=0):
    rng = np.random.default_rng(seed)
    forecast, truth = rng.standard_normal((2, 3, *SPEC.shape)).astype(np.float32) * statistics().valid
    return forecast, truth


def brute_force(forecast, truth, distance, unit):
    """Area mean over valid cells of each channel and sample, then the plain mean of those."""
    area, valid, means = SPEC.grid.cell_areas(), statistics().valid, []
    for sample in range(len(truth)):
        for channel in range(SPEC.n_channels):
            total = weight = 0.0
            for lat, lon in np.argwhere(valid[channel]):
                error = (forecast - truth)[sample, channel, lat, lon] / unit[channel]
                total, weight = total + area[lat] * distance(error), weight + area[lat]
            means.append(total / weight)
    return np.mean(means)


@pytest.mark.parametrize(
    ("name", "distance"),
    [
        ("mse", lambda e: e**2),
        ("mae", abs),
        ("huber", lambda e: e**2 / 2 if abs(e) < 1 else abs(e) - 0.5),
    ],
)
@pytest.mark.parametrize(("channel_weight", "unit"), [("uniform", (1, 1, 1)), ("tendency", (1 / 2, 1 / 8, 2))])
def test_loss_is_the_area_mean_over_valid_cells_then_the_mean_over_channels(name, distance, channel_weight, unit):
    loss = LossConfig(name=name, channel_weight=channel_weight).build(statistics())
    expected = brute_force(*fields(), distance, unit)
    assert float(loss(*fields())) == pytest.approx(expected, rel=1e-5)


def test_relative_l2_is_a_ratio_of_plain_norms_averaged_over_samples():
    forecast, truth = fields()
    loss = LossConfig(name="relative_l2", channel_weight="uniform").build(statistics())
    ratios = [np.linalg.norm(f - t) / np.linalg.norm(t) for f, t in zip(forecast, truth, strict=True)]
    assert float(loss(forecast, truth)) == pytest.approx(np.mean(ratios), rel=1e-5)


@pytest.mark.parametrize("members", [2, 5])
def test_crps_compares_the_members_of_each_sample(members):
    loss = LossConfig(name="crps", members=members, channel_weight="uniform").build(statistics())
    _, truth = fields()
    forecast = np.stack([fields(seed)[0] for seed in range(members)], axis=1)  # [batch, member, ...]
    between = [abs(forecast[:, j] - forecast[:, k]) for j, k in itertools.combinations(range(members), 2)]
    fairness = 0.95 * np.mean(between, 0) + 0.05 * np.sum(between, 0) * 2 / members**2
    crps = abs(forecast - truth[:, None]).mean(1) - fairness / 2
    expected = brute_force(crps * statistics().valid, 0 * truth, lambda e: e, (1, 1, 1))
    assert float(loss(forecast.reshape(-1, *SPEC.shape), truth)) == pytest.approx(expected, rel=1e-5)


def test_crps_takes_two_members_where_nothing_is_said():
    assert (LossConfig(name="crps").n_members, LossConfig().n_members) == (2, 1)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"name": "mae", "members": 3}, "mae judges one forecast, got 3 members; leave them out or take crps"),
        ({"name": "crps", "members": 1}, "crps judges 2 members or more, got 1"),
    ],
)
def test_members_that_do_not_suit_the_loss_are_refused(asked, message):
    with pytest.raises(UserError, match=message):
        from_mapping(LossConfig, asked)


def test_persistence_has_a_loss_of_one_in_units_of_the_tendency():
    data = dataset()
    checkpoint = start()
    training = data.sel(time=slice(*checkpoint.normalizer.statistics.period))
    array = to_array(training, checkpoint.spec)
    states = checkpoint.normalizer.normalize(array, training["time"].values)
    loss = LossConfig(name="mse", channel_weight="tendency").build(checkpoint.normalizer.statistics)
    # Statistics subtract the mean difference, which is small for a random walk but not zero.
    assert float(loss(states[:-1], states[1:])) == pytest.approx(1, abs=0.02)


def test_mae_with_pangu_weights_is_the_published_loss(shared):
    golden = np.load(shared("golden/pangu_a.npz"))
    spec = StateSpec(parse_channels(PRESETS["pangu"]), LatLonGrid.regular(49, 192))
    ones, step = np.ones(spec.n_channels, np.float32), np.timedelta64(24, "h").astype("timedelta64[ns]")
    published = Statistics(spec, 0 * ones, ones, ones, np.ones(spec.shape, bool), step, ("1979", "2017"), 1)
    loss = LossConfig(name="mae", channel_weight="pangu").build(published)

    def state(kind):
        upper, surface = (golden[f"{kind}_{part}_normalised"] for part in ("upper", "surface"))
        return jnp.concatenate([upper.reshape(1, -1, *spec.grid.shape), surface], axis=1)

    assert float(loss(state("output"), state("target"))) == pytest.approx(float(golden["loss"]), rel=1e-5)


def test_cells_without_a_value_have_no_gradient():
    loss = LossConfig().build(statistics())
    gradient = jax.grad(loss)(*map(jnp.asarray, fields()))
    assert (np.asarray(gradient)[:, ~statistics().valid] == 0).all()
    assert (np.asarray(gradient)[:, statistics().valid] != 0).all()


def test_a_channel_without_any_cell_leaves_the_others_their_mean():
    area, valid = SPEC.grid.area_weights(), statistics().valid.copy()
    valid[0] = False
    np.testing.assert_allclose(cell_weights(area, valid).sum(axis=(1, 2)), [0, 1 / 2, 1 / 2], rtol=1e-6)


def test_an_unknown_loss_suggests_the_near_one():
    with pytest.raises(UserError, match=r"unknown loss 'hubber'; did you mean 'huber'"):
        from_mapping(LossConfig, {"name": "hubber"})
