"""The period that a calibration is learnt on, which no training and no test may share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from weatherml.errors import UserError
from weatherml.times import Period, Periods, each_period, parse_period, show_periods, write_periods


@dataclass(frozen=True)
class HeldOut:
    """A period for calibration, and those that it must lie apart from.

    Attributes:
        period: First and last time, both included. Forecasts count whose initial and last valid time lie inside.
        apart_from: What else uses data, by name: `{"training": ("1979", "2015"), "test": ("2018", "2018")}`.

    Raises:
        UserError: A period shares a time with the calibration's.
    """

    period: Period
    apart_from: Mapping[str, Periods] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = parse_period(self.period, "calibration period")
        for name, periods in self.apart_from.items():
            for other in each_period(periods):
                theirs = parse_period(other, name)
                if (first := max(own.first, theirs.first)) <= min(own.last, theirs.last):
                    raise UserError(
                        f"calibration {show_periods(self.period)} and {name} {show_periods(other)} share times from"
                        f" {first.astype('datetime64[m]')} on, so that what is calibrated would be known already;"
                        " choose periods that lie apart"
                    )

    def holds(self, init_times: np.ndarray, longest_lead: np.timedelta64 | np.ndarray) -> np.ndarray:
        """Return which forecasts lie inside up to their last valid time, bool, of the shape of `init_times`.

        Raises:
            UserError: None does.
        """
        first, last = parse_period(self.period)
        inside: np.ndarray = (init_times >= first) & (init_times + longest_lead <= last)
        if not inside.any():
            raise UserError(
                f"no forecast lies in {show_periods(self.period)} up to its last valid time, of {init_times.size} from"
                f" {init_times.min():.16} to {init_times.max():.16}; choose a period that holds some"
            )
        return inside

    def require_apart(self, init_times: np.ndarray, longest_lead: np.timedelta64 | np.ndarray) -> None:
        """Require that forecasts to be judged have no time in common with the period.

        Raises:
            UserError: One has.
        """
        first, last = parse_period(self.period)
        inside = (init_times <= last) & (init_times + longest_lead >= first)
        for time in np.atleast_1d(init_times)[np.atleast_1d(inside)]:
            raise UserError(
                f"the forecast of {time:.16} reaches into {show_periods(self.period)}, which the calibration was learnt"
                " on; judge forecasts of another period"
            )

    def written(self) -> "HeldOut":
        """Return the same, all periods as text."""
        return HeldOut(write_periods(self.period), {name: write_periods(own) for name, own in self.apart_from.items()})
