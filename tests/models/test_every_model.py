"""What every network must do: those that are registered, and the one that docs/add_a_model.md shows."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from docs_page import run_python
from flax import nnx
from jax.flatten_util import ravel_pytree

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
TIME_STEP = np.timedelta64(6, "h")


@dataclass(frozen=True)
class Small:
    """A network that is small enough for every law, and a state that suits it.

    `unused` ends the names of parameters that cannot matter, such as a bias whose effect the next norm takes away.
    """

    config: NetworkConfig
    grid: LatLonGrid
    channels: tuple[str, ...] = ("z500", "z850", "t500", "t850", "msl")
    forcings: tuple[str, ...] = ("latitude",)
    unused: tuple[str, ...] = ()

    @property
    def spec(self):
        return StateSpec(parse_channels(self.channels), self.grid)

    @property
    def told(self):
        return Forcings(self.forcings, self.grid, TIME_STEP)

    def initialize(self):
        zero, one, valid = np.zeros(len(self.channels)), np.ones(len(self.channels)), np.ones(self.spec.shape, bool)
        statistics = Statistics(self.spec, zero, one, one, valid, TIME_STEP, ("2001-01-01", "2001-12-31"), 1)
        return Checkpoint.initialize(self.config, self.told, Normalizer(statistics), Provenance({}, "none"), seed=0)

    def abstract(self, **changes):
        """Return the network without weights, with changes of its configuration."""
        config = self.config.model_copy(update=changes)
        return nnx.eval_shape(lambda: config.build(self.spec, self.told.n_maps, nnx.Rngs(0)))

    def fields(self, batch):
        """Return an input and a target, `[batch, channel, lat, lon]`."""
        rng, (n_channels, *shape) = np.random.default_rng(1), self.spec.shape
        sizes = (n_channels + self.told.n_maps, n_channels)
        return tuple(jnp.asarray(rng.normal(size=(batch, n, *shape)), jnp.float32) for n in sizes)


SMALL = {
    "fourcastnet": Small(
        FourCastNetConfig(patch=2, width=24, depth=2, n_blocks=2, drop_path=0.5), LatLonGrid.regular(8, 12, poles=False)
    ),
    "pangu": Small(
        PanguConfig(
            patch=(1, 2, 2), width=48, depths=(2, 1, 1, 1), heads=(3, 2, 4, 1), window=(2, 2, 3), drop_path=0.5
        ),
        LatLonGrid.regular(9, 12),
    ),
    "sfno": Small(
        SFNOConfig(scale_factor=1.5, width=24, depth=2, drop_path=0.5),
        LatLonGrid.gaussian(8, 12),
        unused=("mlp.contract.bias",),
    ),
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
def fields(small):
    return small.fields(BATCH)


@nnx.jit
def run(network, x, key=None):
    return network(x, key)


def relative_error(ours, reference):
    return jnp.abs(ours - reference).max() / jnp.abs(reference).max()


def objective_of(network):
    """Return the loss, the gradient and the output as one compiled function of a vector, and the vector of weights."""
    graph, parameters, constants = nnx.split(network, nnx.Param, ...)
    vector, tree_of = ravel_pytree(parameters)

    def squared_error(vector, x, target):
        output = nnx.merge(graph, tree_of(vector), constants)(x)
        return jnp.square(output - target).mean(), output

    return jax.jit(jax.value_and_grad(squared_error, has_aux=True)), vector, tree_of


@pytest.fixture(scope="module")
def objective(network):
    return objective_of(network)


def test_jitted_equals_eager(network, fields):
    x, target = fields
    eager = network(x)
    assert eager.shape == target.shape and eager.dtype == jnp.float32
    assert relative_error(run(network, x), eager) < 3e-6


def test_batch_of_n_equals_n_of_one(network, fields):
    x, _ = fields
    alone = jnp.concatenate([run(network, x[i : i + 1]) for i in range(BATCH)])
    assert relative_error(run(network, x), alone) < 3e-6


def test_every_parameter_that_is_used_has_a_finite_gradient_that_is_not_zero(small, objective, fields):
    evaluate, vector, tree_of = objective
    _, gradient = evaluate(vector, *fields)
    rounding = 1e-6 * jnp.abs(gradient).max()
    for path, leaf in nnx.to_flat_state(tree_of(gradient)):
        name, largest = ".".join(map(str, path)), jnp.abs(leaf[...]).max()
        assert (largest > rounding) != name.endswith(small.unused), name
        assert jnp.isfinite(leaf[...]).all(), name


def test_gradient_agrees_with_finite_differences(objective, fields):
    evaluate, vector, _ = objective
    (loss, _), gradient = evaluate(vector, *fields)
    norm = jnp.linalg.norm(gradient)
    step = 1e-3 * loss / norm**2 * gradient
    change = evaluate(vector + step, *fields)[0][0] - evaluate(vector - step, *fields)[0][0]
    np.testing.assert_allclose(change, 2e-3 * loss, rtol=1e-2)


def test_overfits_one_batch(objective, fields):
    evaluate, vector, _ = objective
    optimizer = optax.adam(1e-2)
    update, state, losses = jax.jit(optimizer.update), optimizer.init(vector), []
    for _ in range(300):
        (loss, _), gradient = evaluate(vector, *fields)
        change, state = update(gradient, state)
        vector += change
        losses.append(loss)
    assert losses[-1] < 0.05 * losses[0]


def test_bfloat16_stays_near_float32(small, network, fields):
    x, _ = fields
    output = run(with_weights(small.abstract(dtype="bfloat16"), weights_of(network)), x)
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


def test_without_a_key_nothing_is_dropped(small, network, fields):
    x, _ = fields
    undropped = with_weights(small.abstract(drop_path=0.0), weights_of(network))
    np.testing.assert_array_equal(run(network, x), run(undropped, x))


def test_every_registered_network_is_here():
    ours = {name for name in registry if registry[name].__module__.startswith("weatherml.")}
    assert ours <= set(SMALL)


def test_unknown_network_suggests_the_near_one():
    with pytest.raises(UserError, match="did you mean 'fourcastnet'"):
        registry["fourcasnet"]
