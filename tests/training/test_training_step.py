import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from data_parallel import data_layout
from flax import nnx

from weatherml.data.loading.samples import Batch
from weatherml.models import Step
from weatherml.models.weights import weights_of, with_weights
from weatherml.training.objective.losses import Loss, mean_squared_error
from weatherml.training.objective.rollout import rollout_loss
from weatherml.training.update.step import Draws, build_update, initial_state
from weatherml.training.validation.loss import build_validate

BATCH, CHANNEL, FORCING, LAT, LON = 3, 2, 1, 4, 5


class Pointwise(nnx.Module):
    """A pointwise network that counts how often it is traced."""

    traces = 0

    def __init__(self):
        self.linear = nnx.Linear(CHANNEL + FORCING, CHANNEL, rngs=nnx.Rngs(0))

    def __call__(self, x, key=None):
        Pointwise.traces += 1
        return jnp.tanh(self.linear(jnp.moveaxis(x, 1, -1)).transpose(0, 3, 1, 2))


@pytest.fixture
def step():
    Pointwise.traces = 0
    return Step(Pointwise(), np.array([0.5, 0.2]), np.ones((CHANNEL, LAT, LON), bool))


@pytest.fixture
def loss():
    weights = np.random.default_rng(0).random((CHANNEL, LAT, LON))
    return Loss(jnp.asarray(weights / weights.sum()), jnp.array([[[0.5]], [[0.2]]]), mean_squared_error)


def batch(n_steps, seed=0):
    rng = np.random.default_rng(seed)
    shape = (BATCH, n_steps + 1)
    return Batch(
        rng.standard_normal((*shape, CHANNEL, LAT, LON)).astype(np.float32),
        rng.standard_normal((*shape, FORCING, LAT, LON)).astype(np.float32),
    )


class Linear(nnx.Module):
    """state and forcing to `a state + b forcing`, so that any number of steps can be written down."""

    def __init__(self):
        self.a, self.b = nnx.Param(jnp.float32(0.7)), nnx.Param(jnp.float32(-0.4))

    def __call__(self, x, key=None):
        return self.a[...] * x[:, :CHANNEL] + self.b[...] * x[:, CHANNEL:]


def closed_form(a, b, batch, loss):
    """The loss of three steps in float64: x3 = a^3 x0 + b (a^2 f0 + a f1 + f2), and so on."""
    x, f = batch.state.astype(float), batch.forcing.astype(float)
    forecasts = [
        a * x[:, 0] + b * f[:, 0],
        a**2 * x[:, 0] + b * (a * f[:, 0] + f[:, 1]),
        a**3 * x[:, 0] + b * (a**2 * f[:, 0] + a * f[:, 1] + f[:, 2]),
    ]
    weights, scale = np.asarray(loss.weights, float), np.asarray(loss.scale, float)
    squares = [(((forecast - x[:, k + 1]) / scale) ** 2 * weights) for k, forecast in enumerate(forecasts)]
    return np.mean([square.sum(axis=(1, 2, 3)).mean() for square in squares])


def test_rollout_loss_is_the_mean_over_steps_that_feed_on_each_other(loss):
    step, data = Step(Linear(), None, np.ones((CHANNEL, LAT, LON), bool)), batch(3)
    assert float(rollout_loss(step, loss, data)) == pytest.approx(closed_form(0.7, -0.4, data, loss), rel=1e-5)


def test_the_gradient_flows_through_every_step(loss):
    step, data = Step(Linear(), None, np.ones((CHANNEL, LAT, LON), bool)), batch(3)
    gradient = jax.grad(lambda w: rollout_loss(with_weights(step, w), loss, data))(weights_of(step))
    for name, nudge in {"network.a": (1e-5, 0), "network.b": (0, 1e-5)}.items():
        above, below = (closed_form(0.7 + s * nudge[0], -0.4 + s * nudge[1], data, loss) for s in (1, -1))
        assert float(gradient[name]) == pytest.approx((above - below) / 2e-5, rel=1e-4)


def test_an_update_is_one_optax_step_and_moves_the_average_towards_it(step, loss):
    optimizer, data, weights = optax.sgd(0.1), batch(1), weights_of(step)
    gradient = jax.grad(lambda w: rollout_loss(with_weights(step, w), loss, data))(weights)
    state = data_layout().placed(initial_state(weights, optimizer))
    state, outcome = build_update(step, loss, optimizer, 0.999, data_layout())(state, data)
    for name, before in weights.items():
        after = before - 0.1 * gradient[name]
        np.testing.assert_allclose(state.weights[name], after, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(state.average[name], after + 0.1 * (before - after), rtol=1e-5, atol=1e-7)
    norm = np.sqrt(sum(float(jnp.square(g).sum()) for g in gradient.values()))
    assert float(outcome.gradient_norm) == pytest.approx(norm, rel=1e-5)
    assert int(state.step) == 1


def test_an_update_of_what_is_not_finite_is_one_step_without_any_change(step, loss):
    data, weights, optimizer = batch(1), weights_of(step), optax.adam(0.1)
    data.state[0, 1, 0, 0, 0] = np.nan
    state = data_layout().placed(initial_state(weights, optimizer))
    state, outcome = build_update(step, loss, optimizer, 0.9, data_layout())(state, data)
    assert np.isnan(outcome.loss)
    assert (int(state.step), int(state.optimizer[0].count)) == (1, 0)
    for name, before in weights.items():
        np.testing.assert_array_equal(state.weights[name], before)
        np.testing.assert_array_equal(state.average[name], before)


def test_updates_compile_once_for_each_rollout_length(step, loss):
    optimizer = optax.sgd(0.1)
    update = build_update(step, loss, optimizer, 0.9, data_layout())
    state = data_layout().placed(initial_state(weights_of(step), optimizer))
    traces = []
    for n_steps in (1, 1, 1, 2, 2, 1):
        state, _ = update(state, batch(n_steps))
        traces.append(Pointwise.traces)
    assert traces[0] == traces[2] < traces[3] == traces[5]


def test_an_update_consumes_its_state_but_not_the_weights_it_began_with(step, loss):
    optimizer, weights = optax.sgd(0.1), weights_of(step)
    before = data_layout().placed(initial_state(weights, optimizer))
    build_update(step, loss, optimizer, 0.9, data_layout())(before, batch(1))
    assert all(array.is_deleted() for array in before.weights.values())
    assert not any(array.is_deleted() for array in weights.values())


def test_one_batch_can_be_learnt_by_heart(step, loss):
    teacher = with_weights(step, {k: -2 * w + 0.3 for k, w in weights_of(step).items()})
    data = batch(1)
    data.state[:, 1] = teacher(data.state[:, 0], data.forcing[:, 0])
    optimizer = optax.adam(0.05)
    update = build_update(step, loss, optimizer, 0.9, data_layout())
    state = data_layout().placed(initial_state(weights_of(step), optimizer))
    losses = []
    for _ in range(200):
        state, outcome = update(state, data)
        losses.append(float(outcome.loss))
    assert losses[-1] < 1e-3 * losses[0]
    assert float(build_validate(step, loss, data_layout())(state.weights, data)) < 1e-3 * losses[0]


class Noisy(nnx.Module):
    """A network that adds what its key draws, as stochastic depth does."""

    def __init__(self):
        self.scale = nnx.Param(jnp.float32(1.0))

    def __call__(self, x, key=None):
        noise = 0 if key is None else jax.vmap(jax.random.normal)(key)[:, None, None, None]
        return self.scale[...] * x[:, :CHANNEL] + noise


def test_training_draws_from_the_seed_and_the_step_and_validation_draws_nothing(loss):
    step = Step(Noisy(), None, np.ones((CHANNEL, LAT, LON), bool))
    optimizer, data = optax.sgd(0.0), batch(2)

    def losses(seed):
        update = build_update(step, loss, optimizer, 0.9, data_layout(), Draws(seed))
        state, found = data_layout().placed(initial_state(weights_of(step), optimizer)), []
        for _ in range(2):
            state, outcome = update(state, data)
            found.append(float(outcome.loss))
        return found

    assert losses(0) == losses(0)
    assert len({*losses(0), *losses(1)}) == 4
    validate = build_validate(step, loss, data_layout())
    assert validate(weights_of(step), data) == rollout_loss(step, loss, data)
