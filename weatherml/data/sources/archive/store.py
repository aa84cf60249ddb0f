"""One zarr store of an archive: what it holds in canonical terms, and its fields, chunk by chunk."""

import hashlib
import math
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import dask.array
import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.data.reading.canonical import SOURCE_NAME, PassedOverError, canonicalise
from weatherml.data.reading.canonical.coordinates import coordinate_of
from weatherml.data.reading.canonical.levels import tell_levels
from weatherml.data.reading.canonical.versions import VERSIONS
from weatherml.data.reading.formats.local import open_zarr
from weatherml.data.reading.formats.remote import open_remote
from weatherml.data.reading.selection import select
from weatherml.data.sources.archive.config import ArchiveConfig
from weatherml.data.sources.rows import rows_between
from weatherml.grid import LatLonGrid
from weatherml.storage.locations import is_url
from weatherml.times import parse_span, parse_time, parse_times
from weatherml.variables import VARIABLES

_FIRST, _LAST = "valid_time_start", "valid_time_stop"
"""Attributes of ARCO-ERA5: its axis runs on to years that are not there yet, and to preliminary data."""


_FEWEST_LOOKS, _BYTES_OF_LOOKS = 8, 2**26
"""Of a static field that is stored at every time: the pieces that are compared are so many, or take so much."""


class _Names(NamedTuple):
    """A store's own names of the coordinates that are chosen from; None where it has none."""

    time: str | None
    level: str | None


class ArchiveStore:
    """A zarr store of which fields are read as canonical ones; nothing but metadata and coordinates is read before.

    Args:
        place: Address or path.
        config: What is kept of it.
    """

    def __init__(self, place: str, config: ArchiveConfig) -> None:
        self.place, self.config = place, config

    @cached_property
    def holdings(self) -> xr.Dataset:
        """What is kept of the store, canonical, with zeros for values."""
        try:
            held = self._canonical(_without_values(self._raw))
        except PassedOverError:
            if self.config.kept_variables is None:
                raise
            return xr.Dataset()
        return self._rows(select(held, levels=self.config.kept_levels if "level" in held.dims else None))

    @property
    def known(self) -> set[str]:
        """Canonical names that the store has for variables, whether they are kept or not."""
        return set(VARIABLES) & set(map(str, self._raw.data_vars))

    @cached_property
    def times(self) -> npt.NDArray[np.datetime64]:
        """Valid times, `datetime64[ns]` [time], rising, each once; empty where all is static."""
        return np.unique(self._kept_times)

    @cached_property
    def repeated(self) -> npt.NDArray[np.datetime64]:
        """Times that are there more than once, `datetime64[ns]` [time]."""
        times = self._kept_times
        return np.unique(times[1:][times[1:] == times[:-1]])

    @cached_property
    def _kept_times(self) -> npt.NDArray[np.datetime64]:
        if "time" not in self.holdings.coords:
            return np.empty(0, "datetime64[ns]")
        times = self.holdings["time"].values
        first, last = (self._raw.attrs.get(key) for key in (_FIRST, _LAST))
        begins = times[0] if first is None else parse_time(first)
        ends = times[-1] if last is None else parse_span(last).last
        kept: npt.NDArray[np.datetime64] = times[(times >= begins) & (times <= ends)]
        return kept

    def piece_length(self, name: str) -> int:
        """Return how many of the store's own times are fetched together of a variable."""
        raw = self._raw[self._own_name(name)]
        return _chunk_sizes(raw).get(self._dim(self._names.time), 1)

    def chunk_bytes(self, name: str) -> int:
        """Return the bytes of one decoded chunk of a variable."""
        raw = self._raw[self._own_name(name)]
        return math.prod(_chunk_sizes(raw).values()) * raw.dtype.itemsize

    def looks(self, name: str, times: npt.NDArray[np.datetime64]) -> npt.NDArray[np.datetime64]:
        """Return those of some times at which a static field is compared with itself: all where that is little to read.

        Else some from the first to the last; where it is stored without times the first alone.
        """
        if self._dim(self._names.time) not in self._raw[self._own_name(name)].dims:
            return times[:1]
        n_pieces = np.unique(self.positions(times) // self.piece_length(name)).size
        n_looks = max(_FEWEST_LOOKS, _BYTES_OF_LOOKS // self.chunk_bytes(name))
        return times if n_pieces <= n_looks else times[np.linspace(0, times.size - 1, n_looks).astype(np.int64)]

    def positions(self, times: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
        """Return where times lie on the store's own axis of time."""
        found = np.searchsorted(self.holdings["time"].values, times)
        return self._order[found]

    def field(self, name: str, positions: npt.NDArray[np.int64]) -> xr.DataArray:
        """Return a variable at positions on the store's axis of time, canonical and lazy: a dask chunk a stored chunk.

        Static variables have no time, whatever the positions.
        """
        raw = self._raw[[self._own_name(name)]]
        sizes = _chunk_sizes(raw[self._own_name(name)])
        chosen = {self._dim(self._names.time): positions}
        if self._level_positions is not None:
            chosen[self._dim(self._names.level)] = self._level_positions
        chosen = {dim: where for dim, where in chosen.items() if dim in sizes}
        chunks: dict[str, Any] = {**sizes, **{dim: _lengths(where // sizes[dim]) for dim, where in chosen.items()}}
        # A name of its own: dask takes arrays of one name for the same, and these differ in where they begin.
        token = hashlib.sha256(b"".join(where.tobytes() for where in chosen.values())).hexdigest()
        lazy = raw.isel({dim: _as_slice(where) for dim, where in chosen.items()})
        lazy = lazy.chunk(chunks, token=f"{self.place} {token}")
        canonical = self._canonical(lazy)
        if "level" in canonical.dims:
            canonical = select(canonical, levels=self.config.kept_levels)
        return self._rows(canonical)[name]

    def digest(self) -> str:
        """Return a fingerprint of where the store lies, what is kept, and how it is laid out and packed."""
        result = hashlib.sha256(self.place.encode())
        for name in sorted(map(str, self.holdings.data_vars)):
            raw = self._raw[self._own_name(name)]
            others = {dim: size for dim, size in raw.sizes.items() if dim != self._dim(self._names.time)}  # it grows
            result.update(f"{name} {raw.dtype} {raw.attrs} {others}".encode())
        for coordinate in ("level", "latitude", "longitude"):
            if coordinate in self.holdings.coords:
                result.update(self.holdings[coordinate].values.tobytes())
        return result.hexdigest()

    @cached_property
    def _raw(self) -> xr.Dataset:
        """The store as it is, its values not even dask's, but with levels in hPa."""
        place = self.place
        raw = open_remote(place, self.config.access_to(place), is_chunked=False) if is_url(place) else _open_path(place)
        for name, units in self.config.units_in(place).items():
            if name in raw.data_vars and not raw[name].attrs.get("units"):
                raw[name].attrs["units"] = units
        level = coordinate_of(raw, "level")
        return raw if level is None or raw[level].ndim > 1 else tell_levels(raw, level)

    @property
    def own_names(self) -> set[str]:
        """What the store calls its variables."""
        return set(map(str, self._raw.variables))

    def _canonical(self, raw: xr.Dataset) -> xr.Dataset:
        rename = {k: v for k, v in self.config.rename.items() if k in raw.variables}
        return canonicalise(raw, self.place, rename, self.config.kept_variables)

    def _rows(self, dataset: xr.Dataset) -> xr.Dataset:
        if self.config.latitude is None:
            return dataset
        kept = rows_between(LatLonGrid.from_dataset(dataset), self.config.latitude)
        return dataset.sel(latitude=np.asarray(kept.latitude))

    def _own_name(self, name: str) -> str:
        return str(self.holdings[name].attrs[SOURCE_NAME])

    @cached_property
    def _names(self) -> _Names:
        return _Names(coordinate_of(self._raw, "time"), coordinate_of(self._raw, "level"))

    def _dim(self, coordinate: str | None) -> str:
        """Return the dimension along which a coordinate lies; no dimension's name where there is none."""
        return str(self._raw[coordinate].dims[0]) if coordinate and self._raw[coordinate].ndim else ""

    @cached_property
    def _order(self) -> npt.NDArray[np.int64]:
        """Where each of the rising times lies in the store."""
        own = np.atleast_1d(parse_times(self._raw[str(self._names.time)].values, f"{self.place}: time"))
        return np.argsort(own, kind="stable")

    @cached_property
    def _level_positions(self) -> npt.NDArray[np.int64] | None:
        """Where the kept levels lie in the store; None where all are kept, or it numbers them in other ways."""
        if self.config.kept_levels is None or not self._dim(self._names.level):
            return None
        found = np.flatnonzero(np.isin(self._raw[self._names.level].values, self.config.kept_levels))
        return found if found.size == len(self.config.kept_levels) else None


def _open_path(place: str) -> xr.Dataset:
    """Open a store on the disk; refuse what is none, and one that is not whole."""
    return open_zarr(Path(place), chunks=None)


def _without_values(raw: xr.Dataset) -> xr.Dataset:
    """Return a dataset of zeros of the same names, sizes and attributes, which takes no memory.

    Of fields in a final and a preliminary version the first stays as it is: which times are preliminary, its values
    tell, of one point at every time.
    """
    versioned = [name for name, field in raw.data_vars.items() if not {*VERSIONS}.isdisjoint(field.dims)]
    lazy = {name: raw[name].chunk(_chunk_sizes(raw[name])) for name in versioned[:1]}
    zeros = {
        name: (field.dims, dask.array.zeros(field.shape, dtype=field.dtype, chunks=-1), field.attrs)
        for name, field in raw.data_vars.items()
        if field.ndim > 1 and name not in lazy
    }
    return raw.assign({**zeros, **lazy})


def _chunk_sizes(field: xr.DataArray) -> dict[str, int]:
    """Return the sizes of what is fetched at once: a shard where there are shards, else a chunk."""
    sizes = field.encoding.get("shards") or field.encoding.get("chunks") or field.shape
    return dict(zip(map(str, field.dims), map(int, sizes), strict=True))


def _lengths(groups: npt.NDArray[np.int64]) -> tuple[int, ...]:
    """Return the lengths of runs of the same group."""
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    return tuple(np.diff(starts, append=groups.size).tolist())


def _as_slice(positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64] | slice:
    """Return evenly rising positions as a slice, which zarr reads faster."""
    steps = np.diff(positions)
    if positions.size < 2 or (steps[0] > 0 and (steps == steps[0]).all()):
        step = int(steps[0]) if steps.size else 1
        return slice(int(positions[0]), int(positions[-1]) + 1, step)
    return positions
