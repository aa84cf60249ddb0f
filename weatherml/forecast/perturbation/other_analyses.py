"""Members from other analyses: older ones that the models have brought to the initial time, or those of an ensemble."""

from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import Array
from pydantic import Field

from weatherml.durations import DurationText, parse_duration
from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.forecast.perturbation.base import Perturbation, PerturbationConfig, PerturbationContext, registry


@registry.register("lagged")
class LaggedConfig(PerturbationConfig):
    """Member k starts k intervals earlier and runs longer, to the same valid times.

    `scale` is the share of the difference from the control that a member keeps: with 1 it is the older forecast.

    Attributes:
        interval: Time between the starts of members, such as `6h`; the models' shortest step when None.
    """

    name: Literal["lagged"] = "lagged"
    scale: float = Field(default=1.0, ge=0)
    interval: DurationText | None = None

    def perturbation(self, context: PerturbationContext) -> Perturbation:
        """Build what acts on initial states.

        Raises:
            UserError: The analyses lack a time from which a member starts, or no steps of the models lead from it.
        """
        members = LaggedMembers(context, self._spacing(context), jnp.asarray(self.factors(context.statistics)))
        members.require()
        return members

    def other_times(self, context: PerturbationContext) -> np.ndarray:
        """Return the times from which members start, `datetime64[ns]` [time]."""
        return (context.init_times - context.numbers[:, None] * self._spacing(context)).ravel()

    def _spacing(self, context: PerturbationContext) -> np.timedelta64:
        return context.time_step if self.interval is None else parse_duration(self.interval)


@dataclass(frozen=True, eq=False)
class LaggedMembers:
    """Older forecasts in place of analyses; `factors` is `[channel, lat, lon]`."""

    context: PerturbationContext
    interval: np.timedelta64
    factors: Array

    def __call__(self, states: Array, init_times: np.ndarray, numbers: np.ndarray) -> Array:
        """Return what to add to members, `[batch, channel, lat, lon]`; see `Perturbation`."""
        ages = numbers * self.interval
        older = jnp.asarray(self.context.analyses.read_batch(init_times - ages, np.zeros_like(numbers)))
        return self.factors * (self.context.models.propagate(older, init_times - ages, ages) - states)

    def require(self) -> None:
        """Require the analyses that all members start from, and steps from there."""
        context = self.context
        for number in context.numbers:
            starts = context.init_times - number * self.interval
            missing = starts[~np.isin(starts, context.analyses.times)]
            if len(missing):
                raise UserError(
                    f"lagged member {number} starts from the analysis of {missing[0]}, which is not there; the first is"
                    f" of {context.analyses.times.min()}: choose a later init_time, fewer members or another interval"
                )
            context.models.path(number * self.interval)


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

    def perturbation(self, context: PerturbationContext) -> Perturbation:
        """Build what acts on initial states.

        Raises:
            UserError: There are fewer analyses than members.
        """
        available, last = context.analyses.n_members, int(context.numbers.max(initial=0))
        if last >= available:
            raise UserError(
                f"member {last} has no analysis: there are {available} (numbers 0 .. {available - 1}) of each time;"
                f" ask for at most {counted(available, 'member')}, or open the members of an analysis ensemble"
            )
        return AnalysisMembers(context, jnp.asarray(self.factors(context.statistics)))


@dataclass(frozen=True, eq=False)
class AnalysisMembers:
    """Analyses of several members; `factors` is `[channel, lat, lon]`."""

    context: PerturbationContext
    factors: Array

    def __call__(self, states: Array, init_times: np.ndarray, numbers: np.ndarray) -> Array:
        """Return what to add to members, `[batch, channel, lat, lon]`; see `Perturbation`."""
        return self.factors * (self.context.analyses.read_batch(init_times, numbers) - states)
