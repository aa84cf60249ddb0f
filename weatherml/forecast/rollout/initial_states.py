"""From initial times and numbers to the states that members start from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from weatherml.forecast.analyses import Analyses
from weatherml.forecast.config import ForecastConfig
from weatherml.forecast.perturbation.base import Perturbation, PerturbationContext
from weatherml.forecast.rollout.model import Model
from weatherml.forecast.rollout.propagation import Propagator


@dataclass(frozen=True, eq=False)
class InitialStates:
    """Analyses, perturbed.

    Attributes:
        analyses: On the grid of the models.
        perturbation: What differs between members; None where nothing does.
    """

    analyses: Analyses
    perturbation: Perturbation | None

    @classmethod
    def build(
        cls,
        config: ForecastConfig,
        init_times: np.ndarray,
        analyses: Analyses,
        models: Sequence[Model],
        n_models: int = 1,
    ) -> Self:
        """Build what `config` asks for.

        Args:
            config: Members, and what differs between them.
            init_times: All of them, `datetime64[ns]` [init_time].
            analyses: What members start from.
            models: Of the forecaster.
            n_models: How many forecasters members take turns among.

        Raises:
            UserError: The perturbation names what the state lacks, or needs analyses or steps that are not there.
        """
        if config.perturbation is None:
            return cls(analyses, None)
        context = PerturbationContext(
            analyses.normalizer.statistics,
            analyses,
            init_times,
            config.member_numbers(),
            config.seed,
            Propagator(models),
            min(model.time_step for model in models),
            n_models,
        )
        return cls(analyses, config.perturbation.perturbation(context))

    def __call__(self, init_times: np.ndarray, numbers: np.ndarray) -> Array:
        """Return the normalised states of members, `[batch, channel, lat, lon]`, for initial times and numbers [batch].

        Raises:
            UserError: A value is missing where there were data in training.
        """
        states = jnp.array(self.analyses.read_batch(init_times, np.zeros_like(numbers)))
        if self.perturbation is None:
            return states
        perturbed: Array = _add(states, self.perturbation(states, init_times, numbers), numbers)
        return perturbed


@partial(jax.jit, donate_argnames="states")
def _add(states: Array, increments: Array, numbers: Array) -> Array:
    """Add increments, all `[batch, channel, lat, lon]`; number 0 stays as it is."""
    return jnp.where(numbers[:, None, None, None] == 0, states, states + increments)
