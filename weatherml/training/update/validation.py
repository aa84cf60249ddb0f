"""The compiled loss of given weights on a batch."""

from collections.abc import Callable

import jax
from flax import nnx
from jax import Array

from weatherml.data.loading.samples import Batch
from weatherml.models.weights import Weights, split_weights
from weatherml.parallel import Layout, to_device
from weatherml.training.objective.objective import AnyLoss, evaluate
from weatherml.training.objective.rollout import Noise
from weatherml.training.update.accumulation import mean_over_parts
from weatherml.training.update.step import NOTHING_TOLD, Draws
from weatherml.training.update.told import Told

Validate = Callable[[Weights, Batch], Array]


def build_validate(
    step: nnx.Module, loss: AnyLoss, layout: Layout, draws: Draws = NOTHING_TOLD, accumulate: int = 1
) -> Validate:
    """Build the compiled loss of given weights on a batch; random maps are the same for every batch, and every time.

    Args:
        step: One step.
        loss: Of forecasts.
        layout: Where everything lies.
        draws: Random maps.
        accumulate: Parts of a batch that are computed one after another.
    """
    rebuild, constants = split_weights(step)
    told = Told.placed(constants, loss, draws.maps, layout)

    @jax.jit
    def validate(weights: Weights, told: Told, batch: Batch) -> Array:
        def missed(part: tuple[Batch, Array]) -> Array:
            noise = None if told.maps is None else Noise(told.maps, part[1])
            return evaluate(rebuild(layout.used(weights), told.used(layout)), told.loss, part[0], noise=noise)

        keys = jax.random.split(jax.random.key(draws.seed), len(batch.state))
        with layout.naming():
            return mean_over_parts(missed, (batch, keys), accumulate)

    return lambda weights, batch: validate(to_device(weights), told, batch)
