"""Laws of the optimiser step without weights: it is the program that a training runs."""

import jax
import jax.numpy as jnp
import numpy as np
from data_parallel import data_layout
from tiny_training import config, start

from weatherml.checkpoint import Checkpoint
from weatherml.data.loading.samples import Batch
from weatherml.parallel.layouts.placing import outlined
from weatherml.parallel.programs.compiled import memory_of
from weatherml.training.update.step import build_update, initial_state


def arguments(checkpoint):
    """Return the step of a training and its optimiser, and a batch of it."""
    training, spec = config(), checkpoint.spec
    optimizer = training.optimizer.build(training.stages)
    loss = training.loss.build(checkpoint.normalizer.statistics)
    shape = (training.batch_size, 2)
    batch = Batch(
        jnp.zeros((*shape, *spec.shape), jnp.float32),
        jnp.zeros((*shape, checkpoint.forcings.n_maps, *spec.grid.shape), jnp.float32),
    )
    return checkpoint.build_step(), loss, optimizer, data_layout().place_batch(batch)


def test_an_outline_has_the_weights_of_the_model_and_none_of_their_values():
    own = start()
    outline = Checkpoint.outline(own.model, own.forcings, own.normalizer, own.provenance)
    assert all(isinstance(weight, jax.ShapeDtypeStruct) for weight in outline.weights.values())
    shapes = {name: (weight.shape, weight.dtype) for name, weight in own.weights.items()}
    assert {name: (weight.shape, weight.dtype) for name, weight in outline.weights.items()} == shapes


def test_the_step_lowered_for_shapes_is_the_one_that_trains():
    step, loss, optimizer, batch = arguments(start())
    state = data_layout().placed(initial_state(start().weights, optimizer))
    real = build_update(step, loss, optimizer, 0.9, data_layout())
    abstract = build_update(outlined(step), outlined(loss), optimizer, 0.9, data_layout())
    lowered = abstract.lower(outlined(state), outlined(batch))
    assert lowered.as_text() == real.lower(state, batch).as_text()
    n_bytes = sum(np.prod(weight.shape) * 4 for weight in start().weights.values())
    assert memory_of(lowered.compile()).aliased >= 4 * n_bytes  # weights, average and two moments change in place
