"""Several perturbations at once."""

from dataclasses import replace
from itertools import accumulate
from typing import Literal, Self

import jax.numpy as jnp
import numpy as np
from jax import Array
from pydantic import Field, model_validator

from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.errors import UserError
from weatherml.forecast.perturbation.base import (
    AnyPerturbation,
    Perturbation,
    PerturbationConfig,
    PerturbationContext,
    registry,
)
from weatherml.forecast.perturbation.sppt import StochasticTendencies


@registry.register("combined")
class CombinedConfig(PerturbationConfig):
    """The sum of perturbations, such as noise on the initial state and stochastic tendencies; `scale` multiplies all.

    Parts are independent: the position of each, counted through combinations within combinations, is folded into the
    random keys of the members. That of the first is not, so that it is what it is alone.

    Attributes:
        parts: At most one of them of tendencies.
    """

    name: Literal["combined"] = "combined"
    scale: float = Field(default=1.0, ge=0)
    parts: tuple[AnyPerturbation, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _tells_maps_once(self) -> Self:
        n_telling = sum(part.map_scale is not None for part in self.parts)
        if n_telling > 1:
            raise ValueError(f"parts has {n_telling} that tell models random maps; keep one of them")
        if n_telling and self.amplitude:
            raise ValueError("amplitude is of channels, which random maps do not have; give it to the other parts")
        return self

    @property
    def map_scale(self) -> float | None:
        """What the random maps of models are multiplied by."""
        scales = [part.map_scale for part in self.parts if part.map_scale is not None]
        return self.scale * scales[0] if scales else None

    @property
    def n_parts(self) -> int:
        """How many there are, those of parts among them."""
        return sum(part.n_parts for part in self.parts)

    @property
    def reads_members(self) -> bool:
        """Whether initial states come from the dimension `number` of the analyses."""
        return any(part.reads_members for part in self.parts)

    def perturbation(self, context: PerturbationContext) -> Perturbation | None:
        """Build what acts on initial states.

        Raises:
            UserError: A part lacks what it needs.
        """
        positions = accumulate((part.n_parts for part in self.parts[:-1]), initial=context.part)
        placed = zip(self.parts, positions, strict=True)
        built = [part.perturbation(replace(context, part=position)) for part, position in placed]
        acting = [perturbation for perturbation in built if perturbation is not None]
        factors = jnp.asarray(self.factors(context.statistics))

        def sum_of_parts(states: Array, init_times: np.ndarray, numbers: np.ndarray) -> Array:
            return factors * sum(perturbation(states, init_times, numbers) for perturbation in acting)

        return sum_of_parts if acting else None

    def other_times(self, context: PerturbationContext) -> np.ndarray:
        """Return those of the parts, `datetime64[ns]` [time]."""
        return np.concatenate([part.other_times(context) for part in self.parts])

    def tendencies(self, statistics: Statistics, tick: np.timedelta64) -> StochasticTendencies | None:
        """Build what acts on every step of the models.

        Raises:
            UserError: Several parts do.
        """
        built = [part.tendencies(statistics, tick) for part in self.parts]
        acting = [tendencies for tendencies in built if tendencies is not None]
        if len(acting) > 1:
            raise UserError(f"parts has {len(acting)} perturbations of tendencies; keep one of them")
        factors = jnp.asarray(self.factors(statistics))
        return replace(acting[0], amplitude=factors * acting[0].amplitude) if acting else None
