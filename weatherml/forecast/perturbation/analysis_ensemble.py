"""Initial states from the members of an ensemble of analyses, such as ERA5's ensemble of data assimilations."""

from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import Array
from pydantic import Field

from weatherml.errors import UserError
from weatherml.forecast.perturbation.base import Perturbation, PerturbationConfig, Setting, registry


@registry.register("analysis_ensemble")
class AnalysisEnsembleConfig(PerturbationConfig):
    """Member k starts from member k of the analyses' dimension `number`, the control from the first.

    `scale` multiplies the difference from the first: 1 takes the members as they are, more inflates their spread.
    """

    name: Literal["analysis_ensemble"] = "analysis_ensemble"
    scale: float = Field(default=1.0, ge=0)

    @property
    def reads_members(self) -> bool:
        """Whether initial states come from the dimension `number` of the analyses."""
        return True

    def perturbation(self, setting: Setting) -> Perturbation:
        """Build what acts on initial states.

        Raises:
            UserError: There are fewer analyses than members.
        """
        available, last = setting.analyses.n_members, int(setting.numbers.max())
        if last >= available:
            raise UserError(
                f"member {last} has no analysis: there are {available} (numbers 0 .. {available - 1}) of each time;"
                f" ask for at most {available} members, or open the members of an analysis ensemble"
            )
        return AnalysisMembers(setting, jnp.asarray(self.factors(setting.statistics)))


@dataclass(frozen=True, eq=False)
class AnalysisMembers:
    """Analyses of several members; `factors` is `[channel, lat, lon]`."""

    setting: Setting
    factors: Array

    def __call__(self, states: Array, init_times: np.ndarray, numbers: np.ndarray) -> Array:
        """Return what to add to members, `[batch, channel, lat, lon]`; see `Perturbation`."""
        return self.factors * (self.setting.analyses.read_batch(init_times, numbers) - states)
