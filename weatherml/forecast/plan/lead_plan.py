"""Which of a forecaster's models take its states to the leads that are wanted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from weatherml.durations import format_duration
from weatherml.errors import UserError
from weatherml.forecast.plan.aggregation import Plan, plan
from weatherml.forecast.plan.segments import Burst, schedule
from weatherml.forecast.rollout.model import Model


@dataclass(frozen=True, eq=False)
class Itinerary:
    """A plan of model calls, with what its numbers mean.

    Attributes:
        models: One for each step.
        plan: Durations in whole `unit`.
        unit: `timedelta64[ns]`.
    """

    models: tuple[Model, ...]
    plan: Plan
    unit: np.timedelta64

    @classmethod
    def to(cls, lead_times: np.ndarray, models: Sequence[Model]) -> Self:
        """Plan the calls that reach `lead_times`, `timedelta64[ns]` [lead_time].

        Raises:
            UserError: Two models take the same step, or a lead cannot be reached.
        """
        steps = np.array([model.time_step for model in models])
        for index, step in enumerate(steps):
            if step in steps[:index]:
                raise UserError(f"two models take steps of {format_duration(step)}; pass one model for each step")
        made, unit = plan_to(lead_times, steps)
        return cls(tuple(models), made, unit)

    def model(self, burst: Burst) -> Model:
        """Return the model of a burst."""
        return next(model for model in self.models if model.time_step == burst.step * self.unit)

    def bursts(self, chunk: int) -> list[list[Burst]]:
        """Return the bursts of each chunk of `chunk` leads, in order."""
        return schedule(self.plan, chunk)


def plan_to(lead_times: np.ndarray, steps: np.ndarray) -> tuple[Plan, np.timedelta64]:
    """Return the plan to `lead_times` by models of `steps` (both `timedelta64[ns]`), and the unit of its durations.

    Raises:
        UserError: A lead cannot be reached.
    """
    durations = [np.asarray(values, "timedelta64[ns]").astype(np.int64) for values in (steps, lead_times)]
    unit = int(np.gcd.reduce(np.concatenate(durations)))
    whole_steps, leads = ((values // unit).tolist() for values in durations)
    made = plan(whole_steps, leads, lambda duration: format_duration(np.timedelta64(duration * unit, "ns")))
    return made, np.timedelta64(unit, "ns")
