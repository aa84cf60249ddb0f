"""Files opened lazily by xarray and decoded, with what their storage leaves on values taken off, and errors in a line.

Values are read long after a file is opened, deep inside whatever asked for them. An error that they raise then names
the file and the variable all the same.
"""

import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from xarray.backends import BackendEntrypoint, ZarrStore

from weatherml.data.reading.formats.chunks import open_group, require_coordinates
from weatherml.data.reading.formats.frugal import open_frugally
from weatherml.data.store.guard import OwnStore
from weatherml.errors import UserError
from weatherml.storage.guarded import Guard, Key, guarded
from weatherml.storage.locations import is_url

_MOST_WORDS = 200
_SECOND, _MINUTE, _HOUR = (np.timedelta64(n * 10**9, "ns") for n in (1, 60, 3600))
_UNSTEADY = ("month", "year", "common_year")
"""Units of time whose length is not always the same."""


_reads = 0

_SPACE = ("latitude", "lat", "longitude", "lon", "level", "pressure_level", "isobaricInhPa", "lev", "plev", "y", "x")


def n_fields_read() -> int:
    """Return how often values of more than one dimension have been read in this process."""
    return _reads


def tell_that_fields_are_read() -> None:
    """Count one more reading; where several threads do so at once it may count as one."""
    global _reads
    _reads += 1


class UnreadableError(UserError):
    """Values that cannot be read.

    Attributes:
        reason: What the library says.
    """

    def __init__(self, name: str, origin: str, reason: str) -> None:
        """Say which.

        Args:
            name: Of the variable.
            origin: Its file.
            reason: What the library says.
        """
        remedy = "see what wrote it" if is_url(origin) else "download it again"
        super().__init__(f"cannot read {name} in {origin} ({reason}); it may be damaged, {remedy}")
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return UserError, self.args  # which crosses to other processes


def open_decoded(
    source: Any,
    engine: str,
    origin: str,
    chunks: Mapping[str, Any] | None,
    options: Mapping[str, Any],
    own: OwnStore | None = None,
) -> xr.Dataset:
    """Open what an engine of xarray reads, lazily; leads stay numbers.

    Args:
        source: What the engine takes: a path, an address or a store.
        engine: `zarr` or `netcdf4`.
        origin: What the user calls the source, for messages.
        chunks: By dimension, as xarray takes them; None for lazy values without dask.
        options: For the engine; of zarr `zarr_format`, too.
        own: What weatherml knows of it, of a store of its own.

    Raises:
        UserError: Its times cannot be told. Whatever the engine raises it raises, too.
    """
    inner = {"engine": engine, "origin": origin, "options": dict(options), "own": own}
    pieces = None if chunks is None else dict(chunks)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", xr.SerializationWarning)  # what is wrong with times is told in a line
        opened: xr.Dataset = xr.open_dataset(source, engine=_Entrypoint, chunks=pieces, backend_kwargs={"inner": inner})
    return opened


class _Entrypoint(BackendEntrypoint):
    """What xarray chunks and tokens like any other engine: an engine, its values guarded and decoded here."""

    def open_dataset(  # type: ignore[override]
        self,
        filename_or_obj: Any,
        *,
        drop_variables: Any = None,
        inner: Mapping[str, Any],
    ) -> xr.Dataset:
        options, origin, is_zarr = inner["options"], inner["origin"], inner["engine"] == "zarr"
        store = open_group(filename_or_obj, **options) if is_zarr else open_frugally(filename_or_obj)
        raw = xr.open_dataset(store, engine="store", decode_cf=False, cache=False)
        _require_cells(raw, origin)
        if isinstance(store, ZarrStore):
            require_coordinates(raw, store, origin)
        raw = _without_default_fill(raw) if options.get("zarr_format") == 2 else raw
        return _decoded(guard(raw, origin, inner["own"]), origin)


def _require_cells(raw: xr.Dataset, origin: str) -> None:
    """Refuse fields without a row, a column or a level: they have no size by which to cut them into chunks."""
    fields = [field for field in raw.data_vars.values() if field.dtype.kind in "fiu"]
    empty = [str(dim) for field in fields for dim, size in field.sizes.items() if not size and dim in _SPACE]
    if empty:
        raise UserError(
            f"{origin} has no {empty[0]}: its {empty[0]} axis is empty; select it anew, or download it again"
        )


class _FileGuard(NamedTuple):
    """Guards a variable of a file.

    Attributes:
        name: Of the variable.
        origin: Its file.
    """

    name: str
    origin: str

    def accept(self, key: Key, values: np.ndarray) -> None:
        """Note that a field was read."""
        if len(key) > 1:
            tell_that_fields_are_read()

    def explain(self, key: Key, error: Exception) -> UserError:
        """Say which variable of which file cannot be read."""
        return UnreadableError(self.name, self.origin, in_words(error))


def in_words(error: Exception) -> str:
    """Return what an error of a library says, in one line of few words."""
    return " ".join(str(error).split())[:_MOST_WORDS] or type(error).__name__


def guard(raw: xr.Dataset, origin: str, own: OwnStore | None = None) -> xr.Dataset:
    """Return a lazy dataset of a file, or of a store of weatherml's own, whose errors are those of a user."""
    wrapped = {
        name: guarded(v, _guard_of(str(name), v, origin, own))
        for name, v in raw.variables.items()
        if name not in raw.xindexes
    }
    dataset = raw.assign({name: v for name, v in wrapped.items() if name in raw.data_vars})
    dataset = dataset.assign_coords({name: v for name, v in wrapped.items() if name in raw.coords})
    dataset.set_close(raw.close)
    return dataset


def _guard_of(name: str, variable: xr.Variable, origin: str, own: OwnStore | None) -> Guard:
    return (own and own.guard_of(variable, name)) or _FileGuard(name, origin)


def _without_default_fill(raw: xr.Dataset) -> xr.Dataset:
    """Keep zeros where zarr 2 writes 0 for what was never set, and xarray would take every 0 for missing.

    Packed values keep theirs: there it was chosen to mark what is missing.
    """
    raw = raw.copy()
    for variable in raw.variables.values():
        is_packed = bool({"scale_factor", "add_offset"} & set(variable.attrs))
        if not is_packed and np.all(variable.attrs.get("_FillValue", 1) == 0):
            del variable.attrs["_FillValue"]
    return raw


def _decoded(raw: xr.Dataset, origin: str) -> xr.Dataset:
    try:
        decoded: xr.Dataset = xr.decode_cf(raw, decode_timedelta=False)
    except (ValueError, OverflowError) as error:
        raise UserError(f"{origin}: {_why_no_dates(raw, error)}") from None
    return decoded.assign_coords(
        {
            name: (c.dims, whole_times(c.values, _precision(c)), c.attrs, c.encoding)
            for name, c in decoded.coords.items()
            if c.dtype.kind == "M" and c.ndim <= 1
        }
    )


def _why_no_dates(raw: xr.Dataset, error: Exception) -> str:
    for name, variable in raw.variables.items():
        units = str(variable.attrs.get("units", ""))
        if " since " in units and units.split()[0].lower().rstrip("s") in _UNSTEADY:
            held = f"{name} is in {units!r}, whose length is not always the same"
            return f"{held}; write it in days or hours since a date"
    return f"cannot be decoded as CF says ({in_words(error)}); correct its attributes"


def _precision(times: xr.DataArray) -> np.timedelta64:
    """Return by how much a time may be off, as far as numbers of its type and units tell times apart."""
    dtype, units = np.dtype(times.encoding.get("dtype", "int64")), str(times.encoding.get("units", "")).split(" ")[0]
    unit = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}.get(units.lower().rstrip("s"), 0)
    if dtype.kind != "f" or not unit or not times.size:
        return np.timedelta64(0, "ns")
    with suppress(ValueError, IndexError):
        origin = np.datetime64(str(times.encoding["units"]).split("since ")[1][:10], "s")
        longest = np.abs((times.values.astype("datetime64[s]") - origin) / np.timedelta64(unit, "s"))
        return np.timedelta64(round(float(np.spacing(dtype.type(np.nanmax(longest)))) * unit * 1e9), "ns")
    return np.timedelta64(0, "ns")


def whole_times(times: np.ndarray, precision: np.timedelta64) -> np.ndarray:
    """Return times `[time]` without what numbers of days or hours leave on them.

    Full hours, where all are within `precision` or a second of one; else full minutes. Times that this would make equal
    stay.
    """
    if np.isnat(times).any():  # which is refused where it is known that these are the times of fields
        return times
    for unit in (_HOUR, _MINUTE):
        rounded = _nearest(times, unit)
        is_near = np.abs(rounded - times) <= max(precision, _SECOND)
        if np.all(is_near) and pd.Index(rounded.ravel()).nunique() == pd.Index(times.ravel()).nunique():
            return rounded
    return times


def _nearest(times: np.ndarray, unit: np.timedelta64) -> np.ndarray:
    midnight = times.astype("datetime64[D]").astype(times.dtype)
    return np.asarray(midnight + (times - midnight + unit // 2) // unit * unit)
