"""Stores of an archive as one source, each of whose chunks is fetched once."""

import hashlib
import math
from collections.abc import Sequence
from functools import cached_property, reduce

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.data.derived.derivations import DERIVATIONS, made_of
from weatherml.data.notes import join_notes
from weatherml.data.sources.archive.config import ArchiveConfig
from weatherml.data.sources.archive.reading import Axis, Reader
from weatherml.data.sources.archive.store import ArchiveStore
from weatherml.data.sources.times import ChosenTimes, first_absent
from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.grid import LatLonGrid
from weatherml.registry import nearest
from weatherml.state import with_metadata
from weatherml.storage.locations import is_url
from weatherml.times import parse_times

_UNUSED = {"parallel", "cache", "credentials", "header"}
"""Keys that change no value."""


class ArchiveSource:
    """Zarr stores in the cloud, or anywhere, as a `Source`.

    `read` fetches the chunks that hold what is asked for, several at once, decodes each of them once, and returns
    values. A piece of which only some times were read, or which was read alone, as the first time is before all
    others, is kept as long as there is room.
    """

    name = "archive"

    def __init__(self, config: ArchiveConfig) -> None:
        self.config = config
        self._reader = Reader(config.parallel, config.cache * 2**20)
        self._static: dict[str, xr.DataArray] = {}

    def __reduce__(self) -> tuple[type["ArchiveSource"], tuple[ArchiveConfig]]:
        """Travel to other processes without values, and without secrets, which are found there anew."""
        return ArchiveSource, (self.config,)

    @cached_property
    def grid(self) -> LatLonGrid:
        """The one horizontal grid."""
        first, *others = self._stores
        grid = LatLonGrid.from_dataset(first.holdings)
        for store in others:
            if LatLonGrid.from_dataset(store.holdings) != grid:
                raise UserError(f"{first.place} and {store.place} lie on different grids; read them as two sources")
        return grid

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """Pressure levels in hPa, ascending; empty where all variables are at the surface."""
        on_levels = [store.holdings["level"].values for store in self._stores if "level" in store.holdings.dims]
        return tuple(int(level) for level in np.unique(np.concatenate(on_levels))) if on_levels else ()

    def digest(self) -> str:
        """Return a fingerprint of what is read from where; values are not read for it."""
        result = hashlib.sha256(self.config.origin_json(_UNUSED).encode())
        for store in self._stores:
            result.update(store.digest().encode())
        return result.hexdigest()

    def times(self) -> npt.NDArray[np.datetime64]:
        """Valid times that all stores have, `datetime64[ns]` [time], strictly ascending."""
        return self._times

    def variables(self) -> tuple[str, ...]:
        """Canonical variable names."""
        return tuple(self._held_by)

    def piece_starts(self, variable: str) -> npt.NDArray[np.int64]:
        """Return the positions in `times()` at which the stored pieces of a variable begin."""
        return np.zeros(1, np.int64) if self._is_static(variable) else self._axis(variable).starts

    def hold_within(self, memory: int, shared: frozenset[str] = frozenset()) -> int:
        """Keep pieces within half of the memory, and chunks in flight within a quarter; return what is left."""
        kept, in_flight = min(self.config.cache * 2**20, memory // 2), min(self.config.cache * 2**20, memory // 4)
        self._reader.limit(kept, in_flight, shared)
        return memory - kept - in_flight

    def bytes_of_a_time(self, variable: str) -> int:
        """Return how many bytes are held for each time of a variable, whose values are read at once."""
        is_read = variable in self._held_by and not self._is_static(variable)
        return 4 * math.prod(self._axis(variable).shape) if is_read else 0

    def read(self, times: npt.NDArray[np.datetime64], variables: Sequence[str]) -> xr.Dataset:
        """Return the named variables at the named times; their values are read.

        Raises:
            UserError: A variable or a time is not there, a variable has no value at all of these times, or the archive
                cannot be read.
        """
        times = parse_times(times)
        self._require(times, variables)
        positions = np.searchsorted(self._times, times)
        varying = [name for name in variables if not self._is_static(name)]
        values = self._reader.read([self._axis(name) for name in varying], positions)
        fields = {name: self._labelled(name, times, read) for name, read in zip(varying, values, strict=True)}
        fields |= {name: self._unvarying(name) for name in variables if name not in fields}
        for name, field in fields.items():
            self._require_values(name, field.values, times)
        notes = join_notes(store.holdings for store in self._stores)
        return with_metadata(xr.Dataset({name: fields[name] for name in variables}, attrs=notes))

    def _require_values(self, name: str, values: npt.NDArray[np.float32], times: npt.NDArray[np.datetime64]) -> None:
        """Refuse a variable of which there is nothing: chunks that have gone are read as missing values."""
        if values.size and np.isnan(values[..., -1, -1]).all() and np.isnan(values).all():
            span = f" from {times[0]:.16} to {times[-1]:.16}" if len(times) > 1 else f" at {times[0]:.16}"
            when = "" if self._is_static(name) else span
            raise UserError(
                f"{self._held_by[name].place} has no value of {name}{when}, as where its chunks are lost; "
                "leave out the variable, or the times by source.exclude"
            )

    def _labelled(self, name: str, times: npt.NDArray[np.datetime64], values: npt.NDArray[np.float32]) -> xr.DataArray:
        """Return values as a field on all levels of the source, NaN on those that only other stores have."""
        held = self._held_by[name].holdings[name]
        coords = {str(dim): held[dim].values for dim in held.dims if dim != "time"}
        field = xr.DataArray(values, {"time": times, **coords}, held.dims, name, held.attrs)
        if "level" in field.dims and field.sizes["level"] < len(self.levels):
            return field.reindex(level=np.asarray(self.levels, np.int32))
        return field

    def _unvarying(self, name: str) -> xr.DataArray:
        if name not in self._static:
            store = self._held_by[name]
            looks = store.looks(name, self._times[self._is_wanted])
            self._static[name] = self._reader.load(store.field(name, store.positions(looks)), store.place)
        return self._static[name]

    def _require(self, times: npt.NDArray[np.datetime64], variables: Sequence[str]) -> None:
        for name in variables:
            if name not in self._held_by:
                raise UserError(f"the archive has no variable {name!r}{nearest(name, self._held_by)}")
        absent = first_absent(times, self._times)
        if absent is not None:
            raise UserError(
                f"the archive has no time {absent:.16}; it has {self._times[0]:.16} .. {self._times[-1]:.16}"
            )
        self._require_once(times)

    def _require_once(self, times: npt.NDArray[np.datetime64]) -> None:
        """Refuse times that a store has more than once: which of two fields is meant is not known."""
        for store in self._stores:
            several = np.intersect1d(store.repeated, times)
            if several.size:
                has = f"{store.place} has {counted(several.size, 'time')} more than once, the first {several[0]:.16}"
                ways = ["leave them out with source.exclude"]
                if not is_url(store.place):
                    ways.append(f"read it with source.name=files and source.paths=[{store.place}], which compares them")
                raise UserError(has, *ways)

    def _is_static(self, name: str) -> bool:
        return "time" not in self._held_by[name].holdings[name].dims

    def _axis(self, name: str) -> Axis:
        if name not in self._axes:
            self._axes[name] = Axis(self._held_by[name], name, self._times, self._is_wanted)
        return self._axes[name]

    @cached_property
    def _axes(self) -> dict[str, Axis]:
        return {}

    @cached_property
    def _is_wanted(self) -> npt.NDArray[np.bool_]:
        """Which of all times are chosen by the configuration: the others of a piece need not be kept."""
        wanted = np.zeros(self._times.shape, bool)
        wanted[self._choose(self._times)] = True
        return wanted

    def _choose(self, times: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
        chosen = ChosenTimes(self.config.periods, self.config.exclude, self.config.every)
        return chosen.choose(times, f"{self.name} data")

    @cached_property
    def _times(self) -> npt.NDArray[np.datetime64]:
        own = [store.times for store in self._stores if store.times.size]
        if not own:
            raise UserError(f"{', '.join(self.config.stores)}: nothing that is kept has a time, so nothing can be read")
        times = reduce(np.intersect1d, own)
        if not times.size:
            raise UserError(f"{', '.join(self.config.stores)} have no time in common; read them as two sources")
        if any(store.repeated.size for store in self._stores):
            self._require_once(times[self._choose(times)])
        return times

    @cached_property
    def _stores(self) -> tuple[ArchiveStore, ...]:
        """The stores of which anything is kept."""
        return tuple(dict.fromkeys(self._held_by.values()))

    @cached_property
    def _held_by(self) -> dict[str, ArchiveStore]:
        """The store of each variable, in the order asked for."""
        held: dict[str, ArchiveStore] = {}
        stores = [ArchiveStore(place, self.config) for place in self.config.stores]
        for store in stores:
            for name in map(str, store.holdings.data_vars):
                if name in held:
                    both = f"{held[name].place} and {store.place}"
                    raise UserError(f"{name} is in {both}; leave one of them out, or choose variables")
                held[name] = store
        for own in self.config.rename:
            if not any(own in store.own_names for store in stores):
                there = set[str]().union(*(store.own_names for store in stores))
                raise UserError(f"source.rename says what {own!r} is, but no store has it{nearest(own, there)}")
        wanted = self.config.kept_variables or tuple(held)
        for name in wanted:
            if name not in held:
                made = f"; it can be made of others: source.derive=[{name}]" if name in DERIVATIONS else None
                known = made or nearest(name, set[str]().union(*(store.known for store in stores)))
                why, places = made_of(name, self.config.derive), " and ".join(self.config.stores)
                raise UserError(f"{places}: {why}{'; ' if why else ''}there is no variable {name!r}{known}")
        return {name: held[name] for name in wanted}
