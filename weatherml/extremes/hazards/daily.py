"""Values of whole days, from fields of any hours."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.extremes.hazards.steps import lengths

Daily = Literal["maximum", "minimum", "mean"]
"""What of the values of a day, of the hours that there are: a maximum of six-hourly fields is a little low."""

DAY = np.timedelta64(1, "D")
_REDUCE: dict[str, Callable[..., np.ndarray]] = {"maximum": np.max, "minimum": np.min, "mean": np.mean}
_READ_BYTES = 2**25
_YEAR = 366


def require_daily(how: str) -> None:
    """Require that it is known what of the values of a day is asked for."""
    if how not in _REDUCE:
        raise UserError(f"daily {how!r} is unknown; choose {', '.join(_REDUCE)}")


def require_minimum_days(minimum_days: int) -> None:
    """Require days in a row to be no more than a year has: thresholds are of dates of the year."""
    if minimum_days > _YEAR:
        raise UserError(f"minimum_days={minimum_days} in a row are more than a year; give {_YEAR} or fewer, such as 3")


@dataclass(frozen=True, eq=False)
class Day:
    """One field of a day.

    Attributes:
        date: The day, `datetime64[ns]` at 00 UTC.
        values: float32 `[lat, lon]`.
    """

    date: np.datetime64
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class Days:
    """Whole days of a field.

    Attributes:
        field: Dims (time, latitude, longitude), times rising; it is read some days at a time.
        how: What of the values of a day.
        dates: Of the days that have all their hours, `datetime64[ns]` [day].
        per_day: How many values each of them has [day]: fewer where the fields are further apart.
    """

    field: xr.DataArray
    how: Daily
    dates: np.ndarray
    per_day: np.ndarray

    @classmethod
    def of(cls, field: xr.DataArray, how: Daily) -> "Days":
        """Look at the times of a field: a day is from 00 UTC to the next, with the former and without the latter.

        Times that do not rise are sorted. A day has all its hours where each value stands for the time until the next,
        and all of them for 24 hours.

        Raises:
            UserError: The field has no time, or one twice, or `how` is unknown.
        """
        require_daily(how)
        if "time" not in field.dims or not field.sizes["time"]:
            raise UserError(f"{field.name or 'the field'} has no times to make days of; pass fields along 'time'")
        own = _rising(field).transpose("time", "latitude", "longitude")
        dates, firsts, counts = np.unique(
            own["time"].values.astype("datetime64[D]"), return_index=True, return_counts=True
        )
        whole = np.add.reduceat(_lengths(own["time"].values), firsts) >= DAY
        return cls(own, how, _ns(dates[whole]), counts[whole])

    def __iter__(self) -> Iterator[Day]:
        """Give one day after the other."""
        of_time = self.field["time"].values.astype("datetime64[D]")
        firsts = np.searchsorted(of_time, self.dates.astype("datetime64[D]"))
        n_bytes = 4 * self.per_day.max(initial=1) * self.field[0].size
        for start, stop in _blocks(firsts, self.per_day, max(1, _READ_BYTES // n_bytes)):
            last = firsts[stop - 1] + self.per_day[stop - 1]
            read = np.asarray(self.field[firsts[start] : last].values, np.float32)
            for number in range(start, stop):
                own = firsts[number] - firsts[start]
                values = read[own : own + self.per_day[number]]
                whole = values[0] if len(values) == 1 else _REDUCE[self.how](values, axis=0)
                yield Day(self.dates[number], np.asarray(whole, np.float32))

    @property
    def holes(self) -> np.ndarray:
        """Days that lack, or lack hours, between the first and the last time of the field, `datetime64[ns]` [day].

        Not those on which it begins after 00 UTC or ends before 24: these are no part of what is looked at.
        """
        times = self.field["time"].values
        first, last = times[0].astype("datetime64[D]"), times[-1].astype("datetime64[D]")
        if times[0] > first:
            first += DAY
        if times[-1] + _lengths(times)[-1] < last + DAY:
            last -= DAY
        return np.setdiff1d(_ns(np.arange(first, last + DAY)), self.dates)

    def require_some(self) -> None:
        """Require that there is a whole day.

        Raises:
            UserError: There is none.
        """
        if not len(self.dates):
            raise UserError(
                f"{self.field.name or 'the field'} has no whole day, 00 UTC to 00 UTC, among its"
                f" {counted(self.field.sizes['time'], 'time')}; pass all hours of one or more"
            )

    def only(self, dates: np.ndarray) -> "Days":
        """Return some of the days, `datetime64` [day]."""
        chosen = np.isin(self.dates, _ns(dates))
        return Days(self.field, self.how, self.dates[chosen], self.per_day[chosen])

    def require_alike(self, other: "Days", owner: str) -> None:
        """Require that the same days of other fields are of as many values: a maximum of more is higher.

        Those that these have not are held against the first of these.

        Raises:
            UserError: They are not.
        """
        at = np.searchsorted(self.dates, other.dates).clip(max=max(len(self.dates) - 1, 0))
        mine = self.per_day[at] if len(self.dates) else other.per_day
        for own, wanted in zip(other.per_day[other.per_day != mine], mine[other.per_day != mine], strict=True):
            raise UserError(
                f"{owner} has {counted(int(own), 'value')} a day, and the fields beside it have {wanted}, whose"
                f" {self.how} is another; take both at the same hours, by sel(time=...) or sel(lead_time=...)"
            )

    def lazily(self) -> xr.DataArray:
        """Return (time, latitude, longitude) of the days, `time` at 00 UTC, as lazy as the field."""
        changes = np.flatnonzero(np.diff(self.per_day)) + 1
        parts = [self._alike(own) for own in np.split(np.arange(len(self.dates)), changes)]
        joined = parts[0] if len(parts) == 1 else xr.concat(parts, "time")
        return joined.assign_attrs(self.field.attrs | self.told)

    def _alike(self, chosen: np.ndarray) -> xr.DataArray:
        """Return days of as many values each."""
        of_time, dates = _ns(self.field["time"].values.astype("datetime64[D]")), self.dates[chosen]
        own = self.field.isel(time=np.flatnonzero(np.isin(of_time, dates)))
        per_day = int(self.per_day[chosen].max(initial=1))
        if per_day > 1:
            if own.chunks is None:
                own = own.chunk(time=per_day * max(1, _READ_BYTES // (4 * per_day * own[0].size)))
            own = own.coarsen(time=per_day).reduce(_REDUCE[self.how])
        return own.assign_coords(time=dates)

    @property
    def told(self) -> dict[str, str]:
        """What to say of daily values."""
        known = np.unique(self.per_day)
        several = f"{' or '.join(map(str, known[:-1]))} or " if len(known) > 1 else ""
        n_values = counted(int(known.max(initial=0)), "value")
        return {"daily": f"{self.how} of {several}{n_values} a day (00 UTC to 00 UTC)"}


def _rising(field: xr.DataArray) -> xr.DataArray:
    times = field["time"].values
    if (np.diff(times) <= np.timedelta64(0, "ns")).any():
        field = field.sortby("time")
        for twice in field["time"].values[1:][np.diff(field["time"].values) == np.timedelta64(0, "ns")]:
            raise UserError(f"{field.name} has the time {twice:.16} twice; keep one, by drop_duplicates('time')")
    return field


def _lengths(times: np.ndarray) -> np.ndarray:
    return lengths(times) if len(times) > 1 else np.array([DAY])


def _blocks(firsts: np.ndarray, per_day: np.ndarray, n_days: int) -> Iterator[tuple[int, int]]:
    """Give the first and last day (excluded) of runs of so many days whose times lie beside each other."""
    breaks = np.flatnonzero(np.diff(firsts) != per_day[:-1]) + 1
    for first, last in zip([0, *breaks], [*breaks, len(firsts)], strict=True):
        for start in range(first, last, n_days):
            yield start, min(start + n_days, last)


def _ns(dates: np.ndarray) -> np.ndarray:
    return dates.astype("datetime64[ns]")
