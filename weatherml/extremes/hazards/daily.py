"""Values of whole days, from fields of any hours."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.wording import counted

Daily = Literal["maximum", "minimum", "mean"]
"""What of the values of a day, of the hours that there are: a maximum of six-hourly fields is a little low."""

DAY = np.timedelta64(1, "D")
_REDUCE: dict[str, Callable[..., np.ndarray]] = {"maximum": np.max, "minimum": np.min, "mean": np.mean}
_READ_BYTES = 2**25


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
        dates: Of the days that have all their hours, `datetime64[ns]` [day]: as many as any day has.
        per_day: How many that is.
    """

    field: xr.DataArray
    how: Daily
    dates: np.ndarray
    per_day: int

    @classmethod
    def of(cls, field: xr.DataArray, how: Daily) -> "Days":
        """Look at the times of a field: a day is from 00 UTC to the next, with the former and without the latter.

        Raises:
            UserError: The field has no time, or `how` is unknown.
        """
        if how not in _REDUCE:
            raise UserError(f"daily {how!r} is unknown; choose {', '.join(_REDUCE)}")
        if "time" not in field.dims or not field.sizes["time"]:
            raise UserError(f"{field.name or 'the field'} has no times to make days of; pass fields along 'time'")
        dates, counts = np.unique(field["time"].values.astype("datetime64[D]"), return_counts=True)
        per_day = int(counts.max())
        return cls(field.transpose("time", "latitude", "longitude"), how, _ns(dates[counts == per_day]), per_day)

    def __iter__(self) -> Iterator[Day]:
        """Give one day after the other."""
        of_time = self.field["time"].values.astype("datetime64[D]")
        firsts = np.searchsorted(of_time, self.dates.astype("datetime64[D]"))
        n_bytes = 4 * self.per_day * self.field[0].size
        for start, stop in _blocks(firsts, self.per_day, max(1, _READ_BYTES // n_bytes)):
            read = np.asarray(self.field[firsts[start] : firsts[stop - 1] + self.per_day].values, np.float32)
            for number in range(start, stop):
                own = firsts[number] - firsts[start]
                values = read[own : own + self.per_day]
                whole = values[0] if self.per_day == 1 else _REDUCE[self.how](values, axis=0)
                yield Day(self.dates[number], np.asarray(whole, np.float32))

    def only(self, dates: np.ndarray) -> "Days":
        """Return some of the days, `datetime64` [day]."""
        return Days(self.field, self.how, self.dates[np.isin(self.dates, _ns(dates))], self.per_day)

    def require_alike(self, other: "Days", owner: str) -> None:
        """Require that days of other fields are of as many values: a maximum of more is higher.

        Raises:
            UserError: They are not.
        """
        if self.per_day != other.per_day:
            raise UserError(
                f"{owner} has {counted(other.per_day, 'value')} a day, and the fields beside it have {self.per_day},"
                f" whose {self.how} is another; take both at the same hours, by sel(time=...) or sel(lead_time=...)"
            )

    def lazily(self) -> xr.DataArray:
        """Return (time, latitude, longitude) of the days, `time` at 00 UTC, as lazy as the field."""
        of_time = self.field["time"].values.astype("datetime64[D]")
        chosen = self.field.isel(time=np.flatnonzero(np.isin(_ns(of_time), self.dates)))
        if self.per_day > 1:
            if chosen.chunks is None:
                chosen = chosen.chunk(time=self.per_day * max(1, _READ_BYTES // (4 * self.per_day * chosen[0].size)))
            chosen = chosen.coarsen(time=self.per_day).reduce(_REDUCE[self.how])
        return chosen.assign_coords(time=self.dates).assign_attrs(self.field.attrs | self.told)

    @property
    def told(self) -> dict[str, str]:
        """What to say of daily values."""
        return {"daily": f"{self.how} of {counted(self.per_day, 'value')} a day (00 UTC to 00 UTC)"}


def _blocks(firsts: np.ndarray, per_day: int, n_days: int) -> Iterator[tuple[int, int]]:
    """Give the first and last day (excluded) of runs of so many days whose times lie beside each other."""
    breaks = np.flatnonzero(np.diff(firsts) != per_day) + 1
    for first, last in zip([0, *breaks], [*breaks, len(firsts)], strict=True):
        for start in range(first, last, n_days):
            yield start, min(start + n_days, last)


def _ns(dates: np.ndarray) -> np.ndarray:
    return dates.astype("datetime64[ns]")
