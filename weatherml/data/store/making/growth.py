"""A store that grows: what it has comes from itself, what it lacks from the source."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.data.notes import LAYOUT, PRELIMINARY, join_notes, notes, preliminary_times, spans_of, without_spans
from weatherml.data.source import Source, SourceAround
from weatherml.durations import format_duration
from weatherml.errors import Option, UserError
from weatherml.grid import LatLonGrid


class GrownSource(SourceAround):
    """A finished store and what a source adds to it, as one source.

    Args:
        stored: The store, lazy.
        source: Has later times, other variables, or better values.
        refreshed: Which of the stored times are read from the source again `[time]`.
        grows: Whether the source's later times and other variables are added.

    Raises:
        UserError: The source does not fit the store.
    """

    def __init__(
        self, stored: xr.Dataset, source: Source, refreshed: npt.NDArray[np.bool_], grows: bool = True
    ) -> None:
        # What opening a store tells of it is not part of the data.
        self._stored = stored.drop_attrs(deep=False).assign_attrs(_without_digest(stored.attrs))
        super().__init__(source)
        self._grows = grows
        self._own = stored["time"].values
        self._kept = self._own[~refreshed]
        self._require_fitting(self._own[refreshed])

    @property
    def levels(self) -> tuple[int, ...]:
        """Pressure levels in hPa, ascending."""
        return (self.source.levels if self._grows else ()) or self._own_levels

    @property
    def _own_levels(self) -> tuple[int, ...]:
        return tuple(self._stored["level"].values.tolist()) if "level" in self._stored.dims else ()

    def times(self) -> npt.NDArray[np.datetime64]:
        """Valid times of the store, and those that the source adds, `datetime64[ns]` [time], ascending."""
        return self._times

    @cached_property
    def _times(self) -> npt.NDArray[np.datetime64]:
        return np.union1d(self._own, self.source.times()) if self._grows else self._own

    def variables(self) -> tuple[str, ...]:
        """Canonical names: those of the store first."""
        return (*map(str, self._stored.data_vars), *self._fresh)

    @property
    def _fresh(self) -> tuple[str, ...]:
        """Variables that the source adds."""
        return tuple(name for name in self.source.variables() if self._grows and name not in self._stored)

    def piece_starts(self, variable: str) -> npt.NDArray[np.int64]:
        """Return where pieces of the source begin, and the part that comes from it."""
        if variable not in self.source.variables():
            return np.zeros(1, np.int64)
        starts = super().piece_starts(variable)
        return starts if len(self._own) == len(self._times) else np.union1d(starts, len(self._own))

    def read(self, times: npt.NDArray[np.datetime64], variables: Sequence[str]) -> xr.Dataset:
        """Return the named variables at the named times, lazy."""
        old = [name for name in variables if name in self._stored]
        new = [name for name in variables if name not in self._stored]
        parts = [self._read_old(times, old)] if old else []
        parts += [self.source.read(times, new)] if new else []
        joined = parts[0] if len(parts) == 1 else xr.merge(parts, join="exact", compat="override")
        others = {key: text for key, text in joined.attrs.items() if key not in (LAYOUT, PRELIMINARY)}
        return joined.drop_attrs(deep=False).assign_attrs({**others, **self._notes})

    @cached_property
    def _notes(self) -> dict[str, list[str]]:
        """What was put right in the store and in the source; of each the preliminary times that come from it."""
        read = self.source.read(self.source.times()[:0], self.source.variables()[:1])  # no values
        is_fresh = bool(self._fresh)
        is_kept = np.isin(self._times, self._kept)
        told: list[str] = []
        mask = np.zeros(self._times.shape, bool)
        for attrs, is_from in ((self._stored.attrs, is_kept), (read.attrs, ~is_kept | is_fresh)):
            own = xr.Dataset(coords={"time": self._times}, attrs=attrs)
            mask |= preliminary_times(own) & is_from
            told += without_spans(notes(own, PRELIMINARY)) if is_from.any() else []
        joined = {**join_notes([self._stored, read]), PRELIMINARY: [*dict.fromkeys(told), *spans_of(self._times, mask)]}
        return {key: texts for key, texts in joined.items() if texts}

    def _read_old(self, times: npt.NDArray[np.datetime64], names: list[str]) -> xr.Dataset:
        kept = np.isin(times, self._kept)
        parts = [self._stored[names].sel(time=times[kept])] if kept.any() or not len(times) else []
        parts += [self.source.read(times[~kept], names)] if not kept.all() else []
        if len(parts) == 1:
            return parts[0]
        joined = xr.concat(parts, "time", data_vars="minimal", coords="minimal", compat="override", join="exact")
        return joined.sortby("time")

    def _require_fitting(self, refreshed: npt.NDArray[np.datetime64]) -> None:
        times, added = self.source.times(), self._times[~np.isin(self._times, self._own)]
        if len(added) and added[0] < self._own[-1]:
            raise UserError(
                f"{self.name} has the time {added[0]:.16}, which the store lacks and which is before its last,"
                f" {self._own[-1]:.16}; a store grows by later times only: ingest into another store"
            )
        # Either may have fields of the surface alone.
        same_levels = (self.source.levels or self._own_levels) == (self._own_levels or self.source.levels)
        same_grid = LatLonGrid.from_dataset(self._stored) == self.grid
        for what, is_same in (("grid", same_grid), ("levels", same_levels)):
            if not is_same:
                raise UserError(f"the store and {self.name} differ in their {what}; ingest into another store")
        varying = {str(name) for name, field in self._stored.data_vars.items() if "time" in field.dims}
        absent = sorted(varying - set(self.source.variables()))
        if absent and (len(added) or len(refreshed)):
            raise UserError(f"{self.name} has no {absent[0]}, which the store has; name a source that has it")
        lost = refreshed[~np.isin(refreshed, times)]
        gone = self._own[~np.isin(self._own, times)] if self._fresh else lost
        if len(gone):
            raise UserError(
                f"{self.name} has no time {gone[0]:.16}, which is to be read from it; name a source that has it"
            )
        self._require_no_hole(added)
        self._require_same_values()

    def _require_no_hole(self, added: npt.NDArray[np.datetime64]) -> None:
        """Require that later times follow the last one at the usual step; what the source spans it is known to lack."""
        own = self._own if len(self._own) > 1 else added
        if not len(added) or len(own) < 2 or self.source.times()[0] <= self._own[-1]:
            return
        step, last = np.median(np.diff(own)), self._own[-1]
        if added[0] - last > 1.5 * step:  # months are not equally long
            raise UserError(
                f"{self.name} begins at {added[0]:.16}, the store ends at {last:.16} and has a time every"
                f" {format_duration(step)}: what is between would be missing; name a source that has the times before,"
                " too (sums over a window need the hours before their first)"
            )

    def _require_same_values(self) -> None:
        """Require that the last time which both have, and which is kept, has the same values in both."""
        common = self._kept[np.isin(self._kept, self.source.times())][-1:]
        names = [str(v) for v in self._stored.data_vars if v in self.source.variables()]
        if not len(common) or not names:
            return
        read = self.source.read(common, names)
        for name in names:
            one, two = self._stored[name], read[name].transpose(*self._stored[name].dims)
            one = one.sel(time=common) if "time" in one.dims else one
            if not np.array_equal(one.values, two.values, equal_nan=True):
                raise UserError(
                    f"{name} at {common[0]:.16} differs between the store and {self.name}: it is not the same data",
                    "ingest into another store",
                    Option("refresh", "FIRST..LAST", "to replace a period", "refresh=(first, last)"),
                )


def _without_digest(attributes: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: text for key, text in attributes.items() if key != "digest"}
