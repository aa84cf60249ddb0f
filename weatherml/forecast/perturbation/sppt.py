"""The perturbation of every step: stochastically perturbed tendencies."""

import math
from typing import Literal

import jax.numpy as jnp
import numpy as np
from pydantic import Field, PositiveFloat

from weatherml.data.statistics import Statistics
from weatherml.durations import parse_duration
from weatherml.forecast.perturbation.base import PerturbationConfig, registry
from weatherml.forecast.perturbation.tendencies import StochasticTendencies
from weatherml.models.random_field import RandomField


@registry.register("sppt")
class SpptConfig(PerturbationConfig):
    """The change over every step is multiplied by one plus a random pattern; see `StochasticTendencies`.

    `scale` is the pattern's standard deviation. Weather services perturb the tendencies of parametrised physics only;
    a data-driven step is the whole change, so that less is needed than their 0.5.

    Attributes:
        length: Correlation length of the pattern, km.
        decorrelation: Time after which the pattern's correlation is 1/e, such as `6h`.
    """

    name: Literal["sppt"] = "sppt"
    scale: float = Field(default=0.2, ge=0)
    length: PositiveFloat = 500.0
    decorrelation: str = "6h"

    def tendencies(self, statistics: Statistics, tick: np.timedelta64) -> StochasticTendencies:
        """Build what acts on every step."""
        field = RandomField.build(statistics.spec.grid, self.length)
        persistence = math.exp(-tick / parse_duration(self.decorrelation))
        return StochasticTendencies(jnp.asarray(self.factors(statistics)), field, jnp.float32(persistence))
