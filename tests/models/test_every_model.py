"""What every registered network must do."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.models import registry
from weatherml.state import StateSpec, parse_channels

BATCH, N_FORCINGS = 3, 1
SPEC = StateSpec(parse_channels(["z500", "z850", "t500", "t850", "msl"]), LatLonGrid.gaussian(8, 12))
SMALL = {
    "fourcastnet": {"patch": 2, "width": 24, "depth": 2, "n_blocks": 2},
    "sfno": {"scale_factor": 1.5, "width": 24, "depth": 2},
}


@pytest.fixture(params=list(registry))
def network(request):
    config = registry[request.param](**SMALL[request.param])
    return config.build(SPEC, N_FORCINGS, nnx.Rngs(0))


@pytest.fixture
def fields():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(BATCH, SPEC.n_channels + N_FORCINGS, *SPEC.grid.shape))
    return jnp.asarray(x, jnp.float32), jnp.asarray(rng.normal(size=(BATCH, *SPEC.shape)), jnp.float32)


@nnx.jit
def run(network, x):
    return network(x)


def assert_close(ours, reference):
    """Equal to rounding, which is relative to the largest value."""
    np.testing.assert_allclose(ours, reference, rtol=0, atol=3e-6 * jnp.abs(reference).max())


def squared_error(network, x, target):
    return jnp.square(network(x) - target).mean()


def test_jitted_equals_eager(network, fields):
    x, target = fields
    eager = network(x)
    assert eager.shape == target.shape and eager.dtype == jnp.float32
    assert_close(run(network, x), eager)


def test_batch_of_n_equals_n_of_one(network, fields):
    x, _ = fields
    alone = jnp.concatenate([run(network, x[i : i + 1]) for i in range(BATCH)])
    assert_close(run(network, x), alone)


def test_every_parameter_has_a_finite_gradient_that_is_not_zero(network, fields):
    gradient = nnx.jit(nnx.grad(squared_error))(network, *fields)
    for path, leaf in jax.tree.leaves_with_path(gradient):
        assert jnp.isfinite(leaf).all() and jnp.abs(leaf).max() > 0, path


def test_gradient_agrees_with_finite_differences(network, fields):
    graph, state = nnx.split(network)
    x, target = fields
    loss = jax.jit(lambda s: squared_error(nnx.merge(graph, s), x, target))
    gradient = jax.grad(loss)(state)
    norm = optax.tree.norm(gradient)
    moved = [jax.tree.map(lambda p, g, sign=sign: p + sign * 1e-2 * g / norm, state, gradient) for sign in (1, -1)]
    np.testing.assert_allclose((loss(moved[0]) - loss(moved[1])) / 2e-2, norm, rtol=1e-2)


def test_overfits_one_batch(network, fields):
    optimizer = nnx.Optimizer(network, optax.adam(1e-2), wrt=nnx.Param)

    @nnx.jit
    def train(network, optimizer, x, target):
        loss, gradient = nnx.value_and_grad(squared_error)(network, x, target)
        optimizer.update(network, gradient)
        return loss

    losses = [train(network, optimizer, *fields) for _ in range(300)]
    assert losses[-1] < 0.05 * losses[0]


def test_unknown_network_suggests_the_near_one():
    with pytest.raises(UserError, match="did you mean 'fourcastnet'"):
        registry["fourcasnet"]
