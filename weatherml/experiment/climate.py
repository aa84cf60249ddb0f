"""The ensemble of the climate that an experiment's forecasts are held against."""

from dataclasses import dataclass
from typing import Self

from weatherml.experiment.config import ExperimentConfig
from weatherml.times import Periods


@dataclass(frozen=True)
class Climate:
    """An ensemble of analyses of the training period.

    Attributes:
        members: How many.
        window_days: Of dates around the valid time's; None where there are no seasons.
        period: The training period.
    """

    members: int
    window_days: int | None
    period: Periods

    @classmethod
    def of(cls, config: ExperimentConfig, n_annual: int) -> Self | None:
        """Return what is wanted, if anything is.

        Args:
            config: Of the experiment.
            n_annual: Harmonics of the year that the climatology has.
        """
        wanted = config.baselines
        window = wanted.window_days if n_annual else None
        return None if wanted.members is None else cls(wanted.members, window, config.periods.training)
