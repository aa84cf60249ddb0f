"""Quantiles of the days around each date, of all years: exact, from analyses that need no store."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.errors import Option, UserError
from weatherml.extremes.thresholds.climates import position
from weatherml.extremes.thresholds.local_quantiles import MEMORY
from weatherml.process.logs import ONCE
from weatherml.references import as_slice
from weatherml.times import Periods, is_within, parse_times, show_periods, write_periods

_DAY = np.timedelta64(1, "D")

_logger = logging.getLogger(__name__)

N_DAYS = 366

Hours = Literal["all", "own"]
"""Which analyses of a day count at an hour: those of all hours, or those of the same hour alone."""


@dataclass(frozen=True, eq=False)
class CalendarQuantiles:
    """Quantiles by day of the year.

    Attributes:
        dataset: Dims (quantile, [hour,] dayofyear, level, latitude, longitude), in SI units; days from 1 to 366, those
            that were asked for. The coordinate `n_times` says of how many analyses each is.
        period: Of what analyses they are.
        window_days: How many days around each date count, an odd number.
    """

    dataset: xr.Dataset
    period: Periods
    window_days: int

    @property
    def probabilities(self) -> tuple[float, ...]:
        """Rising, from 0 to 1."""
        return tuple(map(float, self.dataset["quantile"].values))

    def at(self, times: np.ndarray) -> xr.Dataset:
        """Return the quantiles at `times` [time], dims (time, quantile, ...); without `quantile` where there is one.

        Raises:
            UserError: A day of the year, or an hour, was not asked for.
        """
        times = parse_times(times)
        places = {"dayofyear": self._places("dayofyear", day_of_year(times), times)}
        if "hour" in self.dataset.dims:
            places["hour"] = self._places("hour", _hour_of(times), times)
        chosen = self.dataset.isel({dim: xr.DataArray(own, dims="time") for dim, own in places.items()})
        chosen = chosen.drop_vars([*places, "n_times"]).assign_coords(time=times)
        chosen = chosen.squeeze("quantile", drop=True) if chosen.sizes["quantile"] == 1 else chosen
        return chosen.transpose("time", "quantile", ..., missing_dims="ignore")

    def of(self, probability: float) -> Self:
        """Return one of the quantiles.

        Raises:
            UserError: It is not there.
        """
        return replace(
            self, dataset=self.dataset.isel(quantile=[position(self.dataset["quantile"].values, probability)])
        )

    def only(self, variables: Mapping[str, Sequence[int]]) -> Self:
        """Keep some variables, of those that there are, at all levels."""
        others = [name for name in self.dataset.data_vars if name not in variables]
        return replace(self, dataset=self.dataset.drop_vars(others))

    def _places(self, dim: str, wanted: np.ndarray, times: np.ndarray) -> np.ndarray:
        places: np.ndarray = self.dataset.indexes[dim].get_indexer(wanted)
        for lacking in times[places < 0]:
            raise UserError(
                f"the calendar quantiles know no {dim} of {np.datetime64(lacking, 'm')}; pass its time among times="
                " when they are computed, and analyses that have it"
            )
        return places


def calendar_quantiles(
    analyses: xr.Dataset,
    probabilities: Sequence[float],
    period: Periods,
    window_days: int = 31,
    *,
    times: np.ndarray | None = None,
    hours: Hours = "all",
    memory: int = MEMORY,
) -> CalendarQuantiles:
    """Return quantiles of the days around each date, of all years of a period, at each grid point.

    They are exact: linear between the values in order, as `numpy.quantile`. The record is read once for each band of
    rows whose values of all times fit in a quarter of `memory`.

    Args:
        analyses: Dims (time, level, latitude, longitude). A point that is NaN at any time in a window has no quantile.
        probabilities: Rising, from 0 to 1; `PERCENTILES` for an extreme forecast index.
        period: First and last time that count, both included, or several such; none that will be judged.
        window_days: How many days around each date count, odd: 31 for half a month before and after it. A date is
            told by its number in the year, and so many days around the day of that number count of each year, across
            New Year, too. From March on a date of a leap year is therefore that of the day after in others; day 366 is
            the last day of years that have none. Records that leave out every 29 February, as models of 365 days do,
            have as many days in a window.
        times: What will be asked for `[time]`: dates of any year. All days that the period has when None.
        hours: Whether analyses of all hours count at each, or of the same hour alone, which daily cycles need.
        memory: Bytes to take, besides what is returned.

    Raises:
        UserError: A probability or the window is none, or no analysis lies in the window around a date.
    """
    levels = require_probabilities(probabilities)
    _require_window(window_days)
    chosen = _within(analyses, period)
    windows = _Windows.of(chosen["time"].values, window_days, times, hours)
    fields = {name: field for name, field in chosen.data_vars.items() if "time" in field.dims}
    quantiles = xr.Dataset({name: windows.quantiles(field, levels, memory // 4) for name, field in fields.items()})
    quantiles = quantiles.assign_coords(n_times=(windows.dims, windows.counts()))
    _warn_of_few(levels, windows.counts())
    return CalendarQuantiles(quantiles, write_periods(period), window_days)


def _warn_of_few(levels: np.ndarray, counts: np.ndarray) -> None:
    """Say where less than one analysis lies beyond a quantile: it then hangs on a single day."""
    tails = np.minimum(levels, 1 - levels)
    inner = levels[tails > 0]
    if len(inner) and tails[tails > 0].min() * counts.min() < 1 - 1e-9:
        _logger.warning(
            "there are dates with %d analyses around them: their quantile %g hangs on a single one; widen window_days,"
            " or take a longer period",
            counts.min(),
            inner[tails[tails > 0].argmin()],
            extra=ONCE,
        )


def day_of_year(times: np.ndarray) -> np.ndarray:
    """Return days of the year, from 1, of `datetime64` of any shape."""
    days, years = times.astype("datetime64[D]"), times.astype("datetime64[Y]").astype("datetime64[D]")
    numbers: np.ndarray = (days - years).astype(int) + 1
    return numbers


@dataclass(frozen=True)
class _Windows:
    """Which times count for each day of the year, and each hour where hours are told apart."""

    labels: dict[str, np.ndarray]
    members: list[np.ndarray]

    @classmethod
    def of(cls, known: np.ndarray, window_days: int, times: np.ndarray | None, hours: Hours) -> Self:
        asked = known if times is None else parse_times(times)
        day = np.unique(day_of_year(asked))
        inside = _are_around(known.astype("datetime64[D]"), day, window_days // 2)
        hour = np.unique(_hour_of(asked))
        at_hour = _hour_of(known) == hour[:, None] if hours == "own" else np.ones((1, len(known)), bool)
        members = [np.flatnonzero(h & d) for h in at_hour for d in inside]
        labels = ({"hour": hour} if hours == "own" else {}) | {"dayofyear": day}
        _require_members(members, labels, window_days)
        return cls(labels, members)

    @property
    def dims(self) -> tuple[str, ...]:
        return tuple(self.labels)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(map(len, self.labels.values()))

    def counts(self) -> np.ndarray:
        return np.array([len(own) for own in self.members]).reshape(self.shape)

    def quantiles(self, field: xr.DataArray, levels: np.ndarray, memory: int) -> xr.DataArray:
        """Return `(quantile, [hour,] dayofyear, [level,] latitude, longitude)` of one variable."""
        field = field.transpose("time", ..., "latitude", "longitude")
        found = np.empty((len(levels), len(self.members), *field.shape[1:]), np.float32)
        for part in rows_within(field.shape[1:], len(field), memory):
            values = np.asarray(field[(slice(None), *part)].values, np.float32)
            own = np.ascontiguousarray(values.reshape(len(values), -1).T)  # a cell's values beside each other, to sort
            for number, members in enumerate(self.members):
                found[(slice(None), number, *part)] = ordered_quantiles(own[:, members], levels).reshape(
                    -1, *values.shape[1:]
                )
        dims = ("quantile", *self.dims, *field.dims[1:])
        kept = {str(name): c for name, c in field.coords.items() if "time" not in c.dims and name != "time"}
        return xr.DataArray(
            found.reshape(len(levels), *self.shape, *field.shape[1:]),
            kept | {"quantile": levels} | self.labels,
            dims,
            attrs=field.attrs,
        )


def _are_around(known: np.ndarray, days: np.ndarray, n_days: int) -> np.ndarray:
    """Return which dates lie no more days than so many from a day of some year, `[day of year, date]`."""
    dates, where = np.unique(known, return_inverse=True)
    count, years = _counting(dates), dates.astype("datetime64[Y]")
    inside = np.zeros((len(days), len(dates)), bool)
    for off in (-1, 0, 1):  # a window across New Year is of a day of the year before or after
        first, last = ((years + np.timedelta64(off + more, "Y")).astype("datetime64[D]") for more in (0, 1))
        middles = np.minimum(first + (days[:, None] - 1) * _DAY, last - _DAY)
        inside |= np.abs(count(middles) - count(dates)) <= n_days
    return np.asarray(inside[:, where])


def _counting(dates: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return what numbers days one after the other, in a calendar without 29 February where dates, unique, have none
    although they have both days beside one."""
    first, last = dates[[0, -1]].astype("datetime64[Y]").astype(int)
    years = np.arange(first - 2, last + 3).astype("datetime64[Y]")
    leap = (years.astype("datetime64[M]") + np.timedelta64(2, "M")).astype("datetime64[D]") - _DAY
    leap = leap[day_of_year(leap) == 60]
    beside = np.isin(leap - _DAY, dates) & np.isin(leap + _DAY, dates)
    left_out = beside.any() and not np.isin(leap, dates).any()

    def count(days: np.ndarray) -> np.ndarray:
        numbers = days.astype("datetime64[D]").astype(int)
        return np.asarray(numbers - np.searchsorted(leap, days) if left_out else numbers)

    return count


def ordered_quantiles(values: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return `[quantile, cell]` of `[cell, time]`; NaN where one is."""
    ordered = np.sort(values, axis=1)  # NaN last
    place = levels * (values.shape[1] - 1)
    lower = np.floor(place).astype(int)
    upper = np.minimum(lower + 1, values.shape[1] - 1)
    below = ordered[:, lower].astype(np.float64)
    between = below + (place - lower) * (ordered[:, upper] - below)
    found: np.ndarray = np.where(np.isnan(ordered[:, -1:]), np.nan, between).T
    return found


def rows_within(shape: tuple[int, ...], n_values: int, memory: int) -> Iterator[tuple[slice | int, ...]]:
    """Yield rows of a level of `[(level,) lat, lon]` of which so many values each fit in memory, one row at least."""
    *n_levels, n_lat, n_lon = shape
    n_rows = max(1, memory // (4 * n_values * n_lon))
    for level in range(n_levels[0] if n_levels else 1):
        for row in range(0, n_lat, n_rows):
            yield (level, slice(row, row + n_rows)) if n_levels else (slice(row, row + n_rows),)


def _within(analyses: xr.Dataset, period: Periods) -> xr.Dataset:
    chosen = analyses.isel(time=as_slice(np.flatnonzero(is_within(analyses["time"].values, period))))
    if not chosen.sizes["time"]:
        times = analyses.indexes["time"]
        raise UserError(
            f"no data from {show_periods(period, ' to ')}; they cover {times[0]} .. {times[-1]}: choose a period inside"
        )
    return chosen


def require_probabilities(probabilities: Sequence[float]) -> np.ndarray:
    """Return probabilities as an array.

    Raises:
        UserError: They do not rise from 0 to 1.
    """
    levels = np.atleast_1d(np.asarray(probabilities, np.float64))
    if not len(levels) or (np.diff(levels) <= 0).any() or not (levels[0] >= 0 and levels[-1] <= 1):
        raise UserError(f"probabilities rise from 0 to 1, got {probabilities}; write 0.95 for the 95th percentile")
    return levels


def _require_window(window_days: int) -> None:
    if window_days < 1 or window_days % 2 == 0 or window_days > N_DAYS:
        raise UserError(
            f"a window is an odd number of days, the date in its middle, not {window_days}", Option("window_days", 31)
        )


def _require_members(members: Sequence[np.ndarray], labels: dict[str, np.ndarray], window_days: int) -> None:
    for number in (number for number, own in enumerate(members) if not len(own)):
        where = np.unravel_index(number, tuple(map(len, labels.values())))
        told = " and ".join(_label(dim, own[i]) for (dim, own), i in zip(labels.items(), where, strict=True))
        raise UserError(
            f"no analysis lies within {window_days // 2} days of {told}; choose a longer period, a wider"
            " window_days, or times that lie in it"
        )


def _label(dim: str, value: float) -> str:
    """Write an hour, or a day of the year with the date that it is in most years."""
    date = pd.Timestamp(2001, 1, 1) + pd.Timedelta(days=min(int(value), 365) - 1)
    return f"{dim} {value:g}" + (f" ({date.day} {date:%B})" if dim == "dayofyear" else "")


def _hour_of(times: np.ndarray) -> np.ndarray:
    hours: np.ndarray = (times - times.astype("datetime64[D]")) / np.timedelta64(1, "h")
    return hours
