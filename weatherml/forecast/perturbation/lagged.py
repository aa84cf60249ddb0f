"""Lagged members: earlier analyses that the model has brought to the initial time (Hoffman and Kalnay 1983)."""

from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import Array
from pydantic import Field

from weatherml.durations import parse_duration
from weatherml.errors import UserError
from weatherml.forecast.perturbation.base import Perturbation, PerturbationConfig, Setting, registry


@registry.register("lagged")
class LaggedConfig(PerturbationConfig):
    """Member k starts k intervals earlier and runs longer, to the same valid times.

    `scale` is the share of the difference from the control that a member keeps: with 1 it is the older forecast.

    Attributes:
        interval: Time between the starts of members, such as `6h`; the models' shortest step when None.
    """

    name: Literal["lagged"] = "lagged"
    scale: float = Field(default=1.0, ge=0)
    interval: str | None = None

    def perturbation(self, setting: Setting) -> Perturbation:
        """Build what acts on initial states.

        Raises:
            UserError: The analyses lack a time from which a member starts, or no steps of the models lead from it.
        """
        interval = setting.time_step if self.interval is None else parse_duration(self.interval)
        members = LaggedMembers(setting, interval, jnp.asarray(self.factors(setting.statistics)))
        members.require()
        return members


@dataclass(frozen=True, eq=False)
class LaggedMembers:
    """Older forecasts in place of analyses; `factors` is `[channel, lat, lon]`."""

    setting: Setting
    interval: np.timedelta64
    factors: Array

    def __call__(self, states: Array, init_times: np.ndarray, numbers: np.ndarray) -> Array:
        """Return what to add to members, `[batch, channel, lat, lon]`; see `Perturbation`."""
        ages = numbers * self.interval
        older = jnp.asarray(self.setting.analyses.read_batch(init_times - ages, np.zeros_like(numbers)))
        return self.factors * (self.setting.propagate(older, init_times - ages, ages) - states)

    def require(self) -> None:
        """Require the analyses that all members start from."""
        setting = self.setting
        for number in setting.numbers:
            starts = setting.init_times - number * self.interval
            missing = starts[~np.isin(starts, setting.analyses.times)]
            if len(missing):
                raise UserError(
                    f"lagged member {number} starts from the analysis of {missing[0]}, which is not there; the first is"
                    f" of {setting.analyses.times.min()}: choose a later init_time, fewer members or another interval"
                )
