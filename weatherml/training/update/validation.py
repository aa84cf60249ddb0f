"""The compiled loss of given weights on a batch."""

from collections.abc import Callable

import jax
from jax import Array
from jax.sharding import Mesh

from weatherml.data.loading.samples import Batch
from weatherml.models import NoiseMaps, Step
from weatherml.models.weights import Weights, split_weights
from weatherml.parallel import replicate
from weatherml.training.objective.losses import Loss
from weatherml.training.objective.rollout import Noise, rollout_loss

Validate = Callable[[Weights, Batch], Array]
_Told = tuple[object, Loss, NoiseMaps | None]


def build_validate(step: Step, loss: Loss, mesh: Mesh, seed: int = 0, maps: NoiseMaps | None = None) -> Validate:
    """Build the compiled loss of given weights on a batch; `maps` are the same for every batch, and every time."""
    rebuild, constants = split_weights(step)
    told = replicate((constants, loss, maps), mesh)

    @jax.jit
    def validate(weights: Weights, told: _Told, batch: Batch) -> Array:
        constants, loss, maps = told
        noise = None if maps is None else Noise(maps, jax.random.key(seed))
        return rollout_loss(rebuild(weights, constants), loss, batch, noise=noise)

    return lambda weights, batch: validate(weights, told, batch)
