"""What a heat wave is, and what a cold spell, with every threshold named."""

import math
from abc import ABC
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.hazards.daily import Daily, Days, require_daily, require_minimum_days
from weatherml.extremes.thresholds.calendar_quantiles import CalendarQuantiles, calendar_quantiles
from weatherml.extremes.units import require_units
from weatherml.times import Periods


@dataclass(frozen=True)
class Spell(ABC):
    """Some days in a row beyond a percentile of the days around each date.

    Attributes:
        percentile: Of the same daily values in other years.
        daily: What of the values of a day.
        minimum_days: How many days in a row.
        margin: K by which each of them is beyond the percentile, more than.
        window_days: How many days around each date the percentile is of, an odd number: 31 (Russo et al. 2015), or 5 as
            ETCCDI's indices of spells have it, which takes 30 years.
        variable: Temperature, K: of any hours of a day, or one value a day.
        neighbours: Of a cell in an object, 8 or 4; it goes on from day to day as `objects.label` says.
        minimum_area: km2 that an object has covered at least, on one day or another.
    """

    percentile: float
    daily: Daily
    minimum_days: int = 3
    margin: float = 0.0
    window_days: int = 31
    variable: str = "2m_temperature"
    neighbours: int = 8
    minimum_area: float = 0.0

    sign: ClassVar[int]
    words: ClassVar[str]

    def __post_init__(self) -> None:
        require_daily(self.daily)
        if self.neighbours not in (4, 8):
            raise UserError(f"neighbours={self.neighbours} are of no cell; give 8 or 4")
        require_minimum_days(self.minimum_days)
        if self.minimum_days < 1 or not self.minimum_area >= 0:
            raise UserError(
                f"minimum_days={self.minimum_days} and minimum_area={self.minimum_area:g} are of no {self.words}: it"
                " lasts 1 day or more and covers 0 km2 or more"
            )
        if not 1 <= self.percentile < 100:
            raise UserError(
                f"a percentile lies between 1 and 100, got {self.percentile:g}; write 90 for the hottest tenth"
            )
        if not (self.margin >= 0 and math.isfinite(self.margin)):
            raise UserError(
                f"margin={self.margin:g} is no number from 0 on: it is by how many K days lie beyond; give 0 or more"
            )
        if not 1 <= self.window_days <= 365 or self.window_days % 2 == 0:
            raise UserError(
                f"window_days={self.window_days} is no odd number of days from 1 to 365 with the date in its middle;"
                " give 31, or 5"
            )

    def days(self, fields: xr.Dataset) -> Days:
        """Return the daily values of fields along `time`.

        Raises:
            UserError: They have no such variable, or no time.
        """
        if self.variable not in fields:
            raise UserError(
                f"a {self.words} is of {self.variable}, and the data have only {', '.join(map(str, fields.data_vars))};"
                " pass data with it, or variable= in the definition"
            )
        require_units(fields[self.variable])
        return Days.of(fields[self.variable], self.daily)


@dataclass(frozen=True)
class HeatWave(Spell):
    """Days in a row above a percentile of the days around each date: of daily maxima, or of minima (warm nights)."""

    percentile: float = 90.0
    daily: Daily = "maximum"

    sign: ClassVar[int] = 1
    words: ClassVar[str] = "heat wave"


@dataclass(frozen=True)
class ColdSpell(Spell):
    """Days in a row below a percentile of the days around each date: of daily minima, or of maxima."""

    percentile: float = 10.0
    daily: Daily = "minimum"

    sign: ClassVar[int] = -1
    words: ClassVar[str] = "cold spell"


def threshold(
    analyses: xr.Dataset, definition: Spell, period: Periods, times: np.ndarray | None = None
) -> CalendarQuantiles:
    """Return the percentile of daily values around each date, of all years of a period.

    Args:
        analyses: Dims (time, latitude, longitude), of any hours.
        definition: Which percentile, of what daily values, in which window.
        period: First and last time that count, both included; none that will be judged.
        times: What will be asked for, dates of any year; all days that the period has when None.

    Raises:
        UserError: The period has too few days, or the analyses lack the variable.
    """
    daily = definition.days(analyses).lazily().to_dataset(name=definition.variable)
    return calendar_quantiles(daily, [definition.percentile / 100], period, definition.window_days, times=times)
