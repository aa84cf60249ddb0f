"""What is asked of an ensemble: configuration, durations, and the random keys of members."""

import numpy as np
from pydantic import Field, PositiveFloat

from weatherml.config import Config
from weatherml.durations import DurationText, format_duration, parse_duration, require_multiple
from weatherml.errors import Option, UserError
from weatherml.errors.wording import counted
from weatherml.forecast.guards import GuardsConfig
from weatherml.forecast.perturbation import AnyPerturbation
from weatherml.forecast.statistics.config import StatisticsConfig

_MOST_MEMBERS, _LARGEST_BATCH = 1_000_000, 10_000  # beyond, there is a typing error


class ForecastConfig(Config):
    """What to forecast and what to keep.

    Attributes:
        lead_time: The longest lead, such as `10d`, `36h` or `90min`.
        every: Spacing of the leads that are kept, the first being one spacing (lead 0 is the analysis and is not
            kept); the model's own step when None.
        members: Size of the ensemble; number 0 is the unperturbed control, so 1 is a deterministic forecast.
        numbers: Which of the members to compute; all when None.
        perturbation: A registered perturbation, by name or with its parameters; required when `members` > 1.
        seed: Of all random numbers, below 2³².
        channels: Names of the channels to keep, those of diagnostics among them; all when None.
        batch: Members per compiled call. Results of another batch may differ by rounding. When None, up to 10, as many
            as fit the device's memory; a forecast says how many it had in its attribute `batch`.
        statistics: What to keep of the members instead of themselves; the members when None.
        rounding: Largest error that rounding may make, in standard deviations of each channel; no rounding when None.
            Diagnostics have no statistics and are never rounded.
        guards: What keeps members physical, and stops those that are not.
    """

    lead_time: DurationText = "10d"
    every: DurationText | None = None
    members: int = Field(default=1, gt=0, le=_MOST_MEMBERS)
    numbers: tuple[int, ...] | None = None
    perturbation: AnyPerturbation | None = None
    seed: int = Field(default=0, ge=0, lt=2**32)
    channels: tuple[str, ...] | None = None
    batch: int | None = Field(default=None, gt=0, le=_LARGEST_BATCH)
    statistics: StatisticsConfig | None = None
    rounding: PositiveFloat | None = None
    guards: GuardsConfig = GuardsConfig()

    def lead_times(self, time_step: np.timedelta64) -> np.ndarray:
        """Return the leads that are kept, `timedelta64[ns]` [lead_time]; `time_step` apart unless told otherwise.

        Raises:
            UserError: A duration is not one, the longest lead is not a multiple of the spacing, or that is shorter than
                `time_step`.
        """
        every = time_step if self.every is None else parse_duration(self.every)
        last = parse_duration(self.lead_time)
        if every < time_step:
            shortest = format_duration(time_step)
            raise UserError(
                f"every {format_duration(every)} cannot be reached by steps of {shortest}; the nearest that can is"
                f" {shortest}"
            )
        require_multiple("lead_time", last, every, "the spacing of outputs")
        return np.arange(1, last // every + 1) * every

    def member_numbers(self) -> np.ndarray:
        """Return the members to compute, ascending, int64 [number].

        Raises:
            UserError: A number is not one of the ensemble's, or members would all be the same.
        """
        if self.members > 1 and self.perturbation is None:
            raise UserError(
                f"{self.members} members without a perturbation would all be the same",
                Option("forecast.perturbation", "spherical"),
            )
        if self.numbers is None:
            return np.arange(self.members)
        beyond = [number for number in self.numbers if not 0 <= number < self.members]
        if beyond or not self.numbers:
            got = beyond[0] if beyond else "none"
            more = [Option("forecast.members", max(beyond) + 1)] if max(beyond, default=0) > 0 else []
            members = counted(self.members, "member")
            raise UserError(f"numbers must lie in 0 .. {self.members - 1} of {members}, got {got}", *more)
        return np.unique(np.array(self.numbers, np.int64))
