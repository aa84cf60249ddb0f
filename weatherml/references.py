"""What is expected at a time, asked where it is needed: fields of a whole period are never held."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.errors import Option, UserError
from weatherml.errors.wording import listed
from weatherml.process.logs import ONCE
from weatherml.times import Periods, is_within, show_periods

_logger = logging.getLogger(__name__)

_HOUR_DIMS = ("hour", "hourofday")
_DAY_DIM = "dayofyear"
_MONTH_DIM = "month"
_FIELD_DIMS = ("time", "level", "latitude", "longitude")
AXES = (*_FIELD_DIMS, *_HOUR_DIMS, _DAY_DIM, _MONTH_DIM)
"""Dimensions that fields of a reference may have."""

SHARES = ("probability", "dry_probability")
"""References that are shares, whatever the units of the variables that they are called by."""


@runtime_checkable
class Reference(Protocol):
    """Knows fields at any time: a climatology, analyses, a threshold."""

    def at(self, times: np.ndarray) -> xr.Dataset:
        """Return canonical fields at `datetime64` times `[time]`, in their order; no `time` where all are the same.

        Raises:
            UserError: It does not know one of the times.
        """
        ...


@runtime_checkable
class Selective(Reference, Protocol):
    """A reference that computes its fields, and can be asked for some channels alone."""

    def only(self, variables: Mapping[str, Sequence[int]]) -> Reference:
        """Keep variables at some levels in hPa; at its one height where there are none."""
        ...


@runtime_checkable
class Fitted(Reference, Protocol):
    """A reference that knows the period that it was fitted on."""

    period: Periods


@dataclass(frozen=True, eq=False)
class DatedReference:
    """Fields of a dataset with `time`, which may be lazy.

    Attributes:
        dataset: Dims (time, level, latitude, longitude).
        owner: What it is, for messages.
    """

    dataset: xr.Dataset
    owner: str = "the climatology"

    def at(self, times: np.ndarray) -> xr.Dataset:
        """Return the fields at `times` [time], as lazy as the dataset.

        Raises:
            UserError: The dataset lacks one.
        """
        return self.dataset.isel(time=as_slice(time_index(self.dataset, times, self.owner)))


@dataclass(frozen=True, eq=False)
class ConstantReference:
    """Fields that are the same at all times, such as a threshold."""

    dataset: xr.Dataset

    def at(self, times: np.ndarray) -> xr.Dataset:
        """Return the fields, without `time`."""
        return self.dataset


@dataclass(frozen=True, eq=False)
class HourlyReference:
    """A climatology by day of the year, and by hour, as WeatherBench 2 has it.

    Attributes:
        dataset: Dims ([hour or hourofday,] dayofyear, level, latitude, longitude); days from 1 to 366.
        hour_dim: What the dataset calls hours; empty where one field is of all hours of a day.
    """

    dataset: xr.Dataset
    hour_dim: str = ""

    def at(self, times: np.ndarray) -> xr.Dataset:
        """Return the fields at `times` [time], as lazy as the dataset.

        Raises:
            UserError: The dataset lacks an hour or a day.
        """
        times = np.asarray(times, "datetime64[ns]")
        days, years = times.astype("datetime64[D]"), times.astype("datetime64[Y]").astype("datetime64[D]")
        places = {_DAY_DIM: self._index(_DAY_DIM, (days - years) / np.timedelta64(1, "D") + 1, times)}
        if self.hour_dim:
            places[self.hour_dim] = self._index(self.hour_dim, (times - days) / np.timedelta64(1, "h"), times)
        chosen = self.dataset.isel({dim: xr.DataArray(index, dims="time") for dim, index in places.items()})
        return chosen.drop_vars(list(places)).assign_coords(time=times).transpose("time", ...)

    def _index(self, dim: str, values: np.ndarray, times: np.ndarray) -> np.ndarray:
        known = self.dataset[dim].to_index().astype(np.float64)
        index: np.ndarray = known.get_indexer(values)
        for missing in times[index < 0]:
            raise UserError(
                f"the climatology has no {dim} of {_text(missing)}, only {known[0]:g} .. {known[-1]:g} in {len(known)}"
                " steps; pass one that has it, or a forecast whose valid times it knows"
            )
        return index


@dataclass(frozen=True, eq=False)
class MonthlyReference:
    """A climatology by month of the year.

    Attributes:
        dataset: Dims (month, level, latitude, longitude); months from 1 to 12, or some of them.
        owner: What it is, for messages.
    """

    dataset: xr.Dataset
    owner: str = "the climatology"

    def at(self, times: np.ndarray) -> xr.Dataset:
        """Return the fields at `times` [time], as lazy as the dataset.

        Raises:
            UserError: The dataset lacks a month.
        """
        chosen = self.dataset.isel({_MONTH_DIM: xr.DataArray(self.index(times), dims="time")})
        return chosen.drop_vars(_MONTH_DIM).assign_coords(time=times).transpose("time", ...)

    def index(self, times: np.ndarray) -> np.ndarray:
        """Return where the month of each of `times` (any shape) is.

        Raises:
            UserError: The dataset lacks one.
        """
        months, known = pd.DatetimeIndex(times.ravel()).month, self.dataset.indexes[_MONTH_DIM]
        index: np.ndarray = known.get_indexer(months)
        for missing in times.ravel()[index < 0]:
            raise UserError(
                f"{self.owner} has no month of {_text(missing)}, only {listed(known)}; make one of a period that has"
                " it, or leave initial times out"
            )
        return index.reshape(times.shape)


def as_reference(given: xr.Dataset | Reference, owner: str = "the climatology") -> Reference:
    """Return what can be asked for times: of a dataset by time, month, [hour and] day of the year, or none."""
    if not isinstance(given, xr.Dataset):
        return given
    if "time" in given.dims:
        return DatedReference(given, owner)
    if _MONTH_DIM in given.dims:
        return MonthlyReference(given, owner)
    hours = [dim for dim in _HOUR_DIMS if dim in given.dims]
    return HourlyReference(given, *hours[:1]) if _DAY_DIM in given.dims else ConstantReference(given)


def require_fields(fields: xr.Dataset, names: Iterable[str], owner: str) -> None:
    """Require that what a reference returned for times is fields and no more.

    Args:
        fields: Of a reference.
        names: Of its variables that are asked for.
        owner: What it is, such as `the threshold`.

    Raises:
        UserError: A variable has another dimension.
    """
    for name in names:
        for dim in (str(dim) for dim in fields[name].dims if dim not in _FIELD_DIMS):
            raise UserError(
                f"{owner} of {name} has a dimension {dim!r}, which is none of a field; give one field, or one for each"
                f" time, month, dayofyear, or hour and dayofyear (here choose one, such as by .isel({dim}=0))"
            )


def narrowed(reference: Reference, variables: Mapping[str, Sequence[int]]) -> Reference:
    """Return a reference that computes no more than these variables and levels, where it can be asked for them."""
    return reference.only(variables) if isinstance(reference, Selective) else reference


def require_times(reference: Reference, times: np.ndarray) -> None:
    """Require that dated or monthly fields hold all `times` (any shape): before hours of work.

    Raises:
        UserError: One is missing.
    """
    if isinstance(reference, DatedReference):
        time_index(reference.dataset, times, reference.owner)
    if isinstance(reference, MonthlyReference):
        reference.index(times)


def warn_of_knowing(reference: Reference, times: np.ndarray) -> None:
    """Say where a reference was fitted on times that it is to be asked for: it knows what it is to be surprised by."""
    # Asked for, not told by its class: what wraps a reference passes on what that knows, which checks of classes
    # do not see from Python 3.12 on.
    period: Periods | None = getattr(reference, "period", None)
    if period is not None and (known := is_within(times, period)).any():
        _logger.warning(
            "the climatology of %s knows %d of %d valid times that are judged: errors of it are smaller for it; take"
            " one of another period",
            show_periods(period),
            known.sum(),
            known.size,
            extra=ONCE,
        )


def time_index(dataset: xr.Dataset, times: np.ndarray, owner: str, *remedies: Option) -> np.ndarray:
    """Return where each of `times` (any shape) is in the dataset's `time`.

    Raises:
        UserError: The dataset lacks one; the message names `owner`, the time and what it covers.
    """
    index, found = dataset.indexes["time"], time_places(dataset, times)
    for missing in times[found < 0]:
        raise UserError(f"{owner} has no time {_text(missing)}; {_around(index, missing)}", *remedies)
    return found


def _around(index: pd.Index, missing: np.datetime64) -> str:
    """Say what times there are instead of one, and what to pass."""
    after = int(index.sort_values().searchsorted(missing))
    if not 0 < after < len(index):
        covered = f"it covers {_text(index.min())} .. {_text(index.max())}" if len(index) else "it has none"
        return f"{covered}: pass a longer one, or a forecast whose valid times lie inside"
    nearest = " and ".join(map(_text, index.sort_values()[after - 1 : after + 1]))
    return f"the nearest that it has are {nearest}: pass one with every valid time, or leave leads out"


def time_places(dataset: xr.Dataset, times: np.ndarray) -> np.ndarray:
    """Return where each of `times` (any shape) is in the dataset's `time`, -1 where it is not."""
    found: np.ndarray = dataset.indexes["time"].get_indexer(times.ravel()).reshape(times.shape)
    return found


def as_slice(index: np.ndarray) -> slice | np.ndarray:
    """Return evenly rising positions as a slice, which stores read without gathering; others as they are."""
    steps = np.diff(index)
    if not len(index) or (steps != steps[:1]).any() or (steps <= 0).any():
        return index
    step = int(steps[0]) if len(steps) else 1
    return slice(int(index[0]), int(index[-1]) + 1, step)


def values_of(field: xr.DataArray, levels: Sequence[int], *leading: str) -> np.ndarray:
    """Load `[*leading, level, lat, lon]`; a dimension that the field lacks has length one.

    Numbers are real, of four bytes or more: differences of short integers, or of halves, would wrap around or overflow.
    """
    if len(levels):
        field = field.isel(level=as_slice(field.indexes["level"].get_indexer(list(levels))))
    dims = (*leading, "level", "latitude", "longitude")
    loaded = field.compute()  # before the axes move: lazy stores gather point by point what is transposed first
    values: np.ndarray = loaded.expand_dims([dim for dim in dims if dim not in field.dims]).transpose(*dims).values
    return values.astype(np.promote_types(values.dtype, np.float32), copy=False)


def _text(time: Any) -> str:
    """Return a time as ISO 8601, to the minute, or as finely as tells it from one."""
    exact = np.datetime64(time, "ns")
    minute, second = exact.astype("datetime64[m]"), exact.astype("datetime64[s]")
    return str(minute if minute == exact else second if second == exact else exact)
