"""Programs of given weights on a batch, from which nothing is learned."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import jax
from flax import nnx

from weatherml.data.loading.samples import Batch
from weatherml.models.weights import Weights, split_weights
from weatherml.parallel import Layout, to_device
from weatherml.training.objective.objective import AnyLoss
from weatherml.training.update.step import Draws
from weatherml.training.update.told import Told

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Given(Generic[Result]):
    """A compiled function of weights, which may lie in memory of the host, and a batch.

    Attributes:
        program: What is compiled.
        told: What it is told that never changes.
    """

    program: Any
    told: Told

    def __call__(self, weights: Weights, batch: Batch) -> Result:
        """Return what it gives."""
        given: Result = self.program(to_device(weights), self.told, batch)
        return given

    def lower(self, weights: Weights, batch: Batch) -> Any:
        """Return the program for such weights and batch, to be compiled; shapes and shardings of both will do."""
        return self.program.lower(weights, self.told, batch)


def with_given_weights(
    step: nnx.Module,
    loss: AnyLoss,
    layout: Layout,
    draws: Draws,
    function: Callable[[Any, Told, Batch], Result],
) -> Given[Result]:
    """Compile a function of a module with given weights, what it is told, and a batch.

    Args:
        step: The module; whose own weights are of no account.
        loss: Of what it makes.
        layout: Where everything lies.
        draws: Random maps that it is told.
        function: Traced where axes are named.
    """
    rebuild, constants = split_weights(step)

    @jax.jit
    def program(weights: Weights, told: Told, batch: Batch) -> Result:
        with layout.naming():
            return function(rebuild(layout.used(weights), told.used(layout)), told, batch)

    return Given(program, Told.placed(constants, loss, draws.maps, layout))
