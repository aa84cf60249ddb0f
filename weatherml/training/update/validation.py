"""The compiled loss of given weights on a batch."""

from collections.abc import Callable

import jax
from flax import nnx
from jax import Array

from weatherml.data.loading.samples import Batch
from weatherml.models import NoiseMaps
from weatherml.models.weights import Weights, split_weights
from weatherml.parallel import Layout
from weatherml.training.objective.objective import AnyLoss, evaluate
from weatherml.training.objective.rollout import Noise

Validate = Callable[[Weights, Batch], Array]
_Told = tuple[object, AnyLoss, NoiseMaps | None]


def build_validate(
    step: nnx.Module, loss: AnyLoss, layout: Layout, seed: int = 0, maps: NoiseMaps | None = None
) -> Validate:
    """Build the compiled loss of given weights on a batch; `maps` are the same for every batch, and every time."""
    rebuild, constants = split_weights(step)
    told = layout.place_maps((constants, loss, maps), loss.grid)

    @jax.jit
    def validate(weights: Weights, told: _Told, batch: Batch) -> Array:
        constants, loss, maps = told
        noise = None if maps is None else Noise(maps, jax.random.key(seed))
        with layout.naming():
            return evaluate(rebuild(layout.used(weights), constants), loss, batch, noise=noise)

    return lambda weights, batch: validate(weights, told, batch)
