"""Coordinates of zarr stores whose chunks have gone, which zarr reads as so many equal values, without a word."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from xarray.backends import ZarrStore

from weatherml.errors import UserError
from weatherml.storage.cloud import read_key
from weatherml.storage.locations import is_url

_STANDARD_NAMES = ("latitude", "longitude", "time", "air_pressure", "realization")
_TOLERANCE = 1e-3
"""Of steps, which rounding makes unequal."""


def open_group(source: Any, consolidated: bool, zarr_format: int | None = None) -> ZarrStore:
    """Open a zarr store as xarray does, to read.

    Args:
        source: A path or a store of zarr.
        consolidated: Whether its metadata lie in one file.
        zarr_format: 2 or 3.
    """
    store: ZarrStore = ZarrStore.open_group(
        source, mode="r", consolidated=consolidated, consolidate_on_close=False, zarr_format=zarr_format
    )
    return store


def require_coordinates(raw: xr.Dataset, store: ZarrStore, origin: str) -> None:
    """Require that coordinates have lost no chunk.

    Writers leave out a chunk that holds nothing but the fill value, such as a first time of 0. So a chunk is only asked
    for where its fill value is no likely coordinate.

    Args:
        raw: What the store holds, not decoded.
        store: Where it is read from.
        origin: What the user calls it.

    Raises:
        UserError: A chunk is not there.
    """
    for name in (str(n) for n, variable in raw.variables.items() if _is_coordinate(raw, n, variable)):
        array: Any = store.zarr_group[name]
        length = (array.shards or array.chunks)[0]
        odd = _unlikely(raw[name].values, array.fill_value)
        for index in np.unique(odd // length)[::-1].tolist():  # the first may rightly not be there
            key = f"{array.path}/{array.metadata.encode_chunk_key((index,))}"
            if read_key(array.store, key) is None:
                remedy = "see what wrote it" if is_url(origin) else "copy it again from where it came"
                raise UserError(f"{origin} has lost {key}, and with it values of its coordinate {name}; {remedy}")


def _is_coordinate(raw: xr.Dataset, name: Hashable, variable: xr.Variable) -> bool:
    return variable.ndim == 1 and (name in raw.xindexes or variable.attrs.get("standard_name") in _STANDARD_NAMES)


def _unlikely(values: np.ndarray, fill: Any) -> npt.NDArray[np.int64]:
    """Return where a coordinate has its fill value, unless that is as likely there as any other."""
    if values.dtype.kind not in "iuf":
        return np.empty(0, np.int64)
    fill = 0 if fill is None else fill
    found = np.flatnonzero(np.isnan(values) if np.isnan(fill) else values == fill)
    is_likely = found.size == 1 and _fits(values.astype(np.float64), int(found[0]))
    return np.empty(0, np.int64) if is_likely else found


def _fits(values: npt.NDArray[np.float64], position: int) -> bool:
    """Return whether a coordinate rises or falls throughout, and at a position by steps as there are elsewhere."""
    steps = np.diff(values)
    if not np.all(steps > 0) and not np.all(steps < 0):
        return False
    beside, lengths = np.isin(np.arange(steps.size), (position - 1, position)), np.abs(steps)
    if beside.all():
        return True
    least, most = lengths[~beside].min() * (1 - _TOLERANCE), lengths[~beside].max() * (1 + _TOLERANCE)
    return bool(np.all((lengths[beside] >= least) & (lengths[beside] <= most)))
