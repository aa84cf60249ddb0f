"""A truth that is finer in time than a forecast, over the windows that end at the forecast's valid times."""

from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from weatherml.data.derived.accumulation import Accumulated, terms_of
from weatherml.data.derived.derivations import DERIVATIONS, Sum
from weatherml.durations import format_duration, require_multiple
from weatherml.errors import UserError
from weatherml.references import as_slice
from weatherml.variables import VARIABLES


def averaged(truth: xr.Dataset, window: np.timedelta64) -> xr.Dataset:
    """Return means of a truth over the window before each time, its end included, each computed where it is read.

    Times whose window is not wholly there are left out.

    Args:
        truth: With `time`, evenly spaced.
        window: A multiple of the spacing.

    Raises:
        UserError: It is not, or no window is there.
    """
    spacing = _spacing(truth)
    require_multiple("average", window, spacing, "the truth's spacing")
    ends = truth["time"].values
    moments = ends[:, None] - spacing * np.arange(int(window // spacing))
    weights = np.full(moments.shape, spacing / window)
    fields = {name: combined(field, ends, moments, weights) for name, field in truth.data_vars.items()}
    places = truth.indexes["time"].get_indexer(moments.ravel()).reshape(moments.shape)
    there = np.flatnonzero(_is_whole(places, weights))
    if not there.size:
        what = f"the mean over {format_duration(window)}"
        raise UserError(f"the truth has no time up to which {what} is wholly there; pass a longer one")
    return truth.assign(fields).isel(time=as_slice(there))


def accumulated_over(truth: xr.Dataset, name: str, accumulated: Accumulated) -> xr.DataArray:
    """Return sums such as `total_precipitation_6hr` up to each time, from what a truth accumulates.

    Each is computed where it is read; where the window is not wholly there it is missing (NaN).

    Raises:
        UserError: No window is wholly there.
    """
    way = sum_of(name)
    assert way is not None  # the caller asks for sums alone
    ends = truth["time"].values
    terms = terms_of(ends, way.window, accumulated)
    field = combined(truth[way.inputs[0]], ends, terms.times, terms.signs.astype(np.float64), least=0.0)
    places = truth.indexes["time"].get_indexer(terms.times.ravel()).reshape(terms.times.shape)
    if not _is_whole(places, terms.signs).any():
        raise UserError(
            f"the truth has no time up to which {name} can be summed from {way.inputs[0]} ({accumulated}); pass a"
            " truth of every hour, or say how it accumulates"
        )
    variable = VARIABLES[name]
    return field.assign_attrs({"units": variable.units, "long_name": variable.long_name})


def sum_of(name: str) -> Sum | None:
    """Return how a variable is summed over time; None of what is no sum over more than an hour."""
    ways = [way for way in DERIVATIONS.get(name, ()) if isinstance(way, Sum) and way.inputs != (name,)]
    return ways[0] if ways else None


def combined(
    field: xr.DataArray, ends: np.ndarray, moments: np.ndarray, weights: np.ndarray, least: float | None = None
) -> xr.DataArray:
    """Return weighted sums over time, float32, computed where they are read: NaN where moments are not there.

    Args:
        field: With `time`.
        ends: `[end]`.
        moments: `[end, moment]`.
        weights: `[end, moment]`; what weighs nothing need not be there, and may be missing.
        least: No sum is less, where given.
    """
    if "time" not in field.dims:
        return field
    field = field.transpose("time", ...)
    places = field.indexes["time"].get_indexer(moments.ravel()).reshape(moments.shape)
    weights = np.where(_is_whole(places, weights)[:, None], weights, np.nan)
    sums = indexing.LazilyIndexedArray(_Sums(field, np.maximum(places, 0), weights, least))
    coords = {name: c for name, c in field.coords.items() if "time" not in c.dims}
    return xr.DataArray(xr.Variable(field.dims, sums, field.attrs), {**coords, "time": ends}, name=field.name)


def _is_whole(places: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return of which ends `[end]` all moments are there."""
    whole: np.ndarray = ((places >= 0) | (weights == 0)).all(axis=1)
    return whole


class _Sums(BackendArray):
    """Weighted sums over moments of a field.

    Attributes:
        field: Dims (time, ...).
        places: Of the moments of each sum `[end, moment]`.
        weights: `[end, moment]`.
        least: No sum is less, where given.
    """

    def __init__(self, field: xr.DataArray, places: np.ndarray, weights: np.ndarray, least: float | None) -> None:
        self.field, self.places, self.weights, self.least = field, places, weights, least
        self.shape, self.dtype = (len(places), *field.shape[1:]), np.dtype(np.float32)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        """Return the values at an index."""
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        """Read each moment once that any of the sums needs."""
        own, weights = np.atleast_2d(self.places[key[0]]), np.atleast_2d(self.weights[key[0]])
        needed, at = np.unique(own[weights != 0], return_inverse=True)
        position = np.zeros(own.shape, int)
        position[weights != 0] = at
        part = dict(zip(self.field.dims[1:], key[1:], strict=True))
        values = self.field.isel(part).isel(time=as_slice(needed)).values
        sums = np.stack([_weighed(values, *one) for one in zip(position, weights, strict=True)])
        sums = sums if self.least is None else np.maximum(sums, self.least)
        return np.asarray(sums[0] if isinstance(key[0], int | np.integer) else sums, self.dtype)


def _weighed(values: np.ndarray, places: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the sum of those `values` [time, ...] that weigh anything, float64 `[...]`."""
    terms = (weight * values[place].astype(np.float64) for place, weight in zip(places, weights, strict=True) if weight)
    return np.asarray(sum(terms))


def _spacing(truth: xr.Dataset) -> np.timedelta64:
    """Return the time between two fields of the truth, the same throughout.

    Raises:
        UserError: There is one time alone.
    """
    steps = np.diff(truth["time"].values)
    if not steps.size:
        raise UserError("the truth has one time, over which nothing is averaged; pass a longer one, or leave that out")
    least: np.timedelta64 = steps.min()
    return least
