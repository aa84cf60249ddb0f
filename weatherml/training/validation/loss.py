"""The compiled loss of given weights on a batch."""

import jax
from flax import nnx
from jax import Array

from weatherml.data.loading.samples import Batch
from weatherml.parallel import Layout
from weatherml.training.objective.objective import AnyLoss, evaluate
from weatherml.training.objective.rollout import Noise
from weatherml.training.update.accumulation import mean_over_parts
from weatherml.training.update.step import NOTHING_TOLD, Draws
from weatherml.training.update.told import Told
from weatherml.training.validation.given import Given, with_given_weights


def build_validate(
    step: nnx.Module, loss: AnyLoss, layout: Layout, draws: Draws = NOTHING_TOLD, accumulate: int = 1
) -> Given[Array]:
    """Build the compiled loss of given weights on a batch; random maps are the same for every batch, and every time.

    Args:
        step: One step.
        loss: Of forecasts.
        layout: Where everything lies.
        draws: Random maps.
        accumulate: Parts of a batch that are computed one after another.
    """

    def validate(module: nnx.Module, told: Told, batch: Batch) -> Array:
        def missed(part: tuple[Batch, Array]) -> Array:
            noise = None if told.maps is None else Noise(told.maps, part[1])
            return evaluate(module, told.loss, part[0], noise=noise)

        keys = jax.random.split(jax.random.key(draws.seed), len(batch.state))
        return mean_over_parts(missed, (batch, keys), accumulate)

    return with_given_weights(step, loss, layout, draws, validate)
