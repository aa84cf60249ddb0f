"""Weights from numpy where any will do: drawing them as the package does compiles a program for each network."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
from flax import nnx

from weatherml.checkpoint import Checkpoint
from weatherml.models.weights import weights_of, with_weights


def draw_weights(shapes, seed=0, deviation=0.02):
    """Return arrays by name: scales of norms near 1, all else near 0, nothing exactly there."""
    rng = np.random.default_rng(seed)
    return {
        name: jnp.asarray(rng.normal(name.endswith("scale"), deviation, shape), jnp.float32)
        for name, shape in shapes.items()
    }


def drawn(build, seed=0, deviation=0.02):
    """Return what a function builds, with other weights than it would draw."""
    module = nnx.eval_shape(build)
    return with_weights(module, draw_weights(_shapes_of(module), seed, deviation))


def drawn_checkpoint(model, forcings, normalizer, provenance, seed=0, prediction="tendency", deviation=0.02):
    """Return an untrained checkpoint; see `Checkpoint.initialize`."""
    untrained = Checkpoint(model, forcings, normalizer, {}, provenance, prediction)
    module = nnx.eval_shape(lambda: untrained._wrap(untrained._build_network(0)))
    return replace(untrained, weights=draw_weights(_shapes_of(module), seed, deviation))


def _shapes_of(module):
    return {name: array.shape for name, array in weights_of(module).items()}
