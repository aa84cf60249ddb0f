"""What every network must do: those that are registered, and the one that docs/add_a_model.md shows."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from docs_page import run_python
from flax import nnx

from weatherml.checkpoint import Checkpoint, Provenance
from weatherml.data.forcings import Forcings
from weatherml.data.normalization import Normalizer
from weatherml.data.statistics import Statistics
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.models import FourCastNetConfig, NetworkConfig, PanguConfig, SFNOConfig, registry
from weatherml.models.weights import weights_of, with_weights
from weatherml.state import StateSpec, parse_channels

BATCH = 3


@dataclass(frozen=True)
class Small:
    """A network that is small enough for every law, and a state that suits it."""

    config: NetworkConfig
    grid: LatLonGrid
    channels: tuple[str, ...] = ("z500", "z850", "t500", "t850", "msl")
    forcings: tuple[str, ...] = ("latitude",)

    def initialize(self) -> Checkpoint:
        spec, step = StateSpec(parse_channels(self.channels), self.grid), np.timedelta64(6, "h")
        mean, std = np.zeros(spec.n_channels, np.float32), np.ones(spec.n_channels, np.float32)
        statistics = Statistics(spec, mean, std, std, np.ones(spec.shape, bool), step, ("2001-01-01", "2001-12-31"), 1)
        forcings = Forcings(self.forcings, self.grid, step)
        return Checkpoint.initialize(self.config, forcings, Normalizer(statistics), Provenance({}, "none"), seed=0)


SMALL = {
    "fourcastnet": Small(
        FourCastNetConfig(patch=2, width=24, depth=2, n_blocks=2, drop_path=0.5), LatLonGrid.regular(8, 12, poles=False)
    ),
    "pangu": Small(
        PanguConfig(
            patch=(1, 2, 2), width=16, depths=(2, 1, 1, 2), heads=(2, 4, 4, 2), window=(2, 2, 3), drop_path=0.5
        ),
        LatLonGrid.regular(9, 12),
    ),
    "sfno": Small(SFNOConfig(scale_factor=1.5, width=24, depth=2, drop_path=0.5), LatLonGrid.gaussian(8, 12)),
    "convnet": Small(
        run_python("add_a_model.md", registry)["ConvNetConfig"](width=12, depth=2, drop_path=0.5),
        LatLonGrid.regular(7, 10),
    ),
}


@pytest.fixture(scope="module", params=SMALL)
def small(request):
    return SMALL[request.param]


@pytest.fixture(scope="module")
def checkpoint(small):
    return small.initialize()


@pytest.fixture(scope="module")
def network(checkpoint):
    return checkpoint.build_step().network


@pytest.fixture(scope="module")
def fields(checkpoint):
    return fields_of(checkpoint, BATCH)


def fields_of(checkpoint, batch):
    """Return an input and a target, `[batch, channel, lat, lon]`."""
    rng, (n_channels, *shape) = np.random.default_rng(1), checkpoint.spec.shape
    sizes = (n_channels + checkpoint.forcings.n_maps, n_channels)
    return tuple(jnp.asarray(rng.normal(size=(batch, n, *shape)), jnp.float32) for n in sizes)


@nnx.jit
def run(network, x, key=None):
    return network(x, key)


def relative_error(ours, reference):
    return jnp.abs(ours - reference).max() / jnp.abs(reference).max()


OPTIMIZER = optax.adam(1e-2)


@partial(jax.jit, static_argnames="graph")
def train(graph, parameters, constants, optimizer_state, x, target):
    """One step of training, compiled once for all laws; returns loss, output, gradient, and what comes after."""

    def squared_error(parameters):
        output = nnx.merge(graph, parameters, constants)(x)
        return jnp.square(output - target).mean(), output

    (loss, output), gradient = jax.value_and_grad(squared_error, has_aux=True)(parameters)
    updates, optimizer_state = OPTIMIZER.update(gradient, optimizer_state)
    return loss, output, gradient, optax.apply_updates(parameters, updates), optimizer_state


def start_of_training(network):
    graph, parameters, constants = nnx.split(network, nnx.Param, ...)
    return graph, parameters, constants, OPTIMIZER.init(parameters)


def test_jitted_equals_eager(network, fields):
    x, target = fields
    eager = network(x)
    assert eager.shape == target.shape and eager.dtype == jnp.float32
    assert relative_error(run(network, x), eager) < 3e-6


def test_batch_of_n_equals_n_of_one(network, fields):
    x, _ = fields
    alone = jnp.concatenate([run(network, x[i : i + 1]) for i in range(BATCH)])
    assert relative_error(run(network, x), alone) < 3e-6


def test_every_parameter_has_a_finite_gradient_that_is_not_zero(network, fields):
    _, _, gradient, *_ = train(*start_of_training(network), *fields)
    rounding = 1e-6 * max(jnp.abs(leaf).max() for leaf in jax.tree.leaves(gradient))
    for path, leaf in jax.tree.leaves_with_path(gradient):
        assert jnp.isfinite(leaf).all() and jnp.abs(leaf).max() > rounding, path


def test_gradient_agrees_with_finite_differences(network, fields):
    graph, parameters, constants, optimizer_state = start_of_training(network)

    def loss(parameters):
        return train(graph, parameters, constants, optimizer_state, *fields)[0]

    _, _, gradient, *_ = train(graph, parameters, constants, optimizer_state, *fields)
    norm = optax.tree.norm(gradient)
    moved = [jax.tree.map(lambda p, g, sign=sign: p + sign * 1e-2 * g / norm, parameters, gradient) for sign in (1, -1)]
    np.testing.assert_allclose((loss(moved[0]) - loss(moved[1])) / 2e-2, norm, rtol=1e-2)


def test_overfits_one_batch(network, fields):
    graph, parameters, constants, optimizer_state = start_of_training(network)
    losses = []
    for _ in range(300):
        loss, _, _, parameters, optimizer_state = train(graph, parameters, constants, optimizer_state, *fields)
        losses.append(loss)
    assert losses[-1] < 0.05 * losses[0]


def test_bfloat16_stays_near_float32(small, checkpoint, network, fields):
    x, _ = fields
    config = small.config.model_copy(update={"dtype": "bfloat16"})
    rounded = nnx.eval_shape(lambda: config.build(checkpoint.spec, checkpoint.forcings.n_maps, nnx.Rngs(0)))
    output = run(with_weights(rounded, weights_of(network)), x)
    assert output.dtype == jnp.float32
    assert 1e-4 < relative_error(output, run(network, x)) < 3e-2


def test_a_saved_network_comes_back_bit_for_bit(checkpoint, network, fields, tmp_path):
    checkpoint.save(tmp_path / "model")
    loaded = Checkpoint.load(tmp_path / "model")
    assert loaded.model == checkpoint.model
    np.testing.assert_array_equal(run(loaded.build_step().network, fields[0]), run(network, fields[0]))


def test_a_key_draws_what_is_dropped_and_the_same_key_draws_the_same(network, fields):
    x, _ = fields
    draws = [run(network, x, jax.random.key(seed)) for seed in (0, 1, 2, 0)]
    np.testing.assert_array_equal(draws[0], draws[3])
    assert len({np.asarray(draw).tobytes() for draw in draws}) > 1


def test_without_a_key_nothing_is_dropped(small, checkpoint, network, fields):
    x, _ = fields
    config = small.config.model_copy(update={"drop_path": 0.0})
    undropped = nnx.eval_shape(lambda: config.build(checkpoint.spec, checkpoint.forcings.n_maps, nnx.Rngs(0)))
    undropped = with_weights(undropped, weights_of(network))
    np.testing.assert_array_equal(run(network, x), run(undropped, x))
    np.testing.assert_array_equal(run(undropped, x, jax.random.key(0)), run(undropped, x))


def test_every_registered_network_is_here():
    ours = {name for name in registry if registry[name].__module__.startswith("weatherml.")}
    assert ours <= set(SMALL)


def test_unknown_network_suggests_the_near_one():
    with pytest.raises(UserError, match="did you mean 'fourcastnet'"):
        registry["fourcasnet"]
