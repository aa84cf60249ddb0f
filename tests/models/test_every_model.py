"""What every network must do: those that are registered, and the one that docs/add_a_model.md shows."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.flatten_util import ravel_pytree
from small_models import SMALL

from weatherml.checkpoint import Checkpoint
from weatherml.errors import UserError
from weatherml.models import NoiseMapsConfig, registry
from weatherml.models.weights import weights_of, with_weights

BATCH = 3


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


def test_every_parameter_has_a_finite_gradient_that_is_not_zero(objective, fields):
    evaluate, vector, tree_of = objective
    _, gradient = evaluate(vector, *fields)
    rounding = 1e-6 * np.abs(gradient).max()
    for path, leaf in nnx.to_flat_state(tree_of(gradient)):
        slope = np.asarray(leaf[...])
        assert np.isfinite(slope).all() and np.abs(slope).max() > rounding, path


def test_gradient_agrees_with_finite_differences(objective, fields):
    evaluate, vector, _ = objective
    (loss, _), gradient = evaluate(vector, *fields)
    norm = jnp.linalg.norm(gradient)
    step = 1e-3 * loss / norm**2 * gradient
    change = evaluate(vector + step, *fields)[0][0] - evaluate(vector - step, *fields)[0][0]
    np.testing.assert_allclose(change, 2e-3 * loss, rtol=1e-2)


def test_overfits_one_batch(objective, fields):
    evaluate, vector, _ = objective
    optimizer = optax.adam(3e-3)  # at 1e-2 Pangu rests on rounding: it learns under one jax and not under another
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


def test_keys_draw_what_is_dropped_and_the_same_keys_draw_the_same(network, fields):
    x, _ = fields
    draws = [run(network, x, jax.random.split(jax.random.key(seed), BATCH)) for seed in (0, 1, 2, 0)]
    np.testing.assert_array_equal(draws[0], draws[3])
    assert len({np.asarray(draw).tobytes() for draw in draws}) > 1


def test_without_a_key_nothing_is_dropped(small, network, fields):
    x, _ = fields
    undropped = with_weights(small.abstract(drop_path=0.0), weights_of(network))
    np.testing.assert_array_equal(run(network, x), run(undropped, x))


@pytest.fixture(scope="module")
def noisy(small, checkpoint):
    """The same network told two random maps, as a checkpoint; weights from numpy, which compiles nothing."""
    noise, rng = NoiseMapsConfig(lengths=(2000, 5000)), np.random.default_rng(2)
    shapes = {name: array.shape for name, array in weights_of(small.abstract(noise=noise)).items()}
    weights = {f"network.{name}": jnp.asarray(rng.normal(0, 0.2, shape), jnp.float32) for name, shape in shapes.items()}
    return replace(checkpoint, model=small.config.model_copy(update={"noise": noise}), weights=weights)


def test_what_a_network_gives_depends_on_its_random_maps_alone(small, noisy, fields):
    step, maps = jax.jit(noisy.build_step()), noisy.build_noise()
    state, forcing = jnp.split(fields[0], [noisy.spec.n_channels], axis=1)
    keys = jax.random.split(jax.random.key(5), BATCH)
    control, one, again, other = (
        np.asarray(step(state, forcing, noise=noise))
        for noise in (None, maps.draw(keys), maps.draw(keys), maps.draw(keys[::-1]))
    )
    np.testing.assert_array_equal(one, again)
    np.testing.assert_array_equal(step(state, forcing, noise=jnp.zeros_like(maps.draw(keys))), control)
    for sample in (0, BATCH - 1):
        assert len({fields[sample].tobytes() for fields in (control, one, other)}) == 3


def test_a_saved_network_comes_back_with_its_random_maps(noisy, tmp_path):
    noisy.save(tmp_path / "model")
    loaded, key = Checkpoint.load(tmp_path / "model"), jax.random.split(jax.random.key(6), 1)
    assert loaded.model == noisy.model
    np.testing.assert_array_equal(loaded.build_noise().draw(key), noisy.build_noise().draw(key))


def test_every_registered_network_is_here():
    ours = {name for name in registry if registry[name].__module__.startswith("weatherml.")}
    assert ours <= set(SMALL)


def test_unknown_network_suggests_the_near_one():
    with pytest.raises(UserError, match="did you mean 'fourcastnet'"):
        registry["fourcasnet"]
