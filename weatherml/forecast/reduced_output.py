"""An output that keeps statistics instead of members; every member counts once, however often a forecast is killed.

Waves of members come one after the other, each through all leads, so what has been counted must lie on disk between
them. Nothing that a finished wave wrote is ever written over by the next one: moments have two generations, read from
one and written to the other, and the values of a sketch enter a ring of slots that is large enough. What counts is
said by one small file, replaced at the end of each wave in one act. Whatever a killed wave left is written over when
that wave is computed again.
"""

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from pydantic import ValidationError
from zarr.storage import MemoryStore

from weatherml.config import Config
from weatherml.data.atomic import PARTIAL, write_bytes
from weatherml.errors import UserError
from weatherml.forecast.moments import Moments, count_above
from weatherml.forecast.output import (
    Layout,
    create_store,
    explaining_errors,
    open_forecast,
    put_in_place,
    require_space,
)
from weatherml.forecast.reduction import StatisticsConfig, assemble, results_of
from weatherml.forecast.sketch import Sketch, values_entered

_GROUP_BYTES = 8 * 2**20
"""Size of one member's fields that are counted together: large against the cost of a call, small against memory."""

_Place = tuple[int, slice, slice]
"""Initial time, leads and channels."""

_MOMENTS = {"count": "int32", "mean": "float64", "squares": "float64", "minimum": "float32", "maximum": "float32"}


class Counted(Config):
    """What the accumulators on disk hold for good.

    Attributes:
        request: Tells whether it is the same forecast.
        n_waves: Waves that are whole.
        n_members: Members of each initial time.
        n_updates: Waves that each initial time had a part in; tells the generation of its moments.
        failed: Descriptions of members that failed.
    """

    request: str
    n_waves: int
    n_members: tuple[int, ...]
    n_updates: tuple[int, ...]
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Ring:
    """The slots of one level of the sketches at one place."""

    array: Any
    place: _Place

    def __len__(self) -> int:
        return int(self.array.shape[0])

    def __getitem__(self, positions: np.ndarray) -> Any:
        return self.array.oindex[(positions, *self.place)]

    def __setitem__(self, positions: np.ndarray, values: np.ndarray) -> None:
        # One by one: zarr then replaces chunks without a look at what a killed run may have left of them.
        for position, value in zip(positions.tolist(), values, strict=True):
            self.array[(position, *self.place)] = value


class Accumulators:
    """Accumulators of every cell, lead, channel and initial time in a zarr v3 store.

    Args:
        store: A folder or a store in memory.
        layout: Axes of the members, and the pieces in which they come.
        config: The statistics.
        counted: What the store holds.
    """

    def __init__(self, store: Path | MemoryStore, layout: Layout, config: StatisticsConfig, counted: Counted) -> None:
        self.counted = counted
        self._layout, self._config = layout, config
        group = zarr.open_group(store, mode="a")
        self._arrays: dict[str, Any] = {
            name: group.require_array(name, compressors=None, **declared)
            for name, declared in _declarations(layout, config).items()
        }
        n_channels, length = layout.spec.n_channels, _group_length(layout)
        self._groups = [slice(start, min(start + length, n_channels)) for start in range(0, n_channels, length)]
        self._thresholds = _thresholds(layout, config)
        self._n_added = np.zeros((len(layout.init_times), len(layout.lead_times)), np.int64)

    def update(self, init: int, lead: int, values: np.ndarray) -> None:
        """Count members `[lead, number, channel, lat, lon]` of the wave that is under way."""
        leads = slice(lead, lead + len(values))
        for channels in self._groups:
            place, members = (init, leads, channels), np.moveaxis(values[:, :, channels], 1, 0)
            self._save_moments(place, self._moments(place) + Moments.of(members))
            if self._config.quantiles:
                self._sketch(place).append(members)  # which writes by itself
        for position, thresholds in self._thresholds.items():
            above = self._n_above((init, leads, position)) + count_above(
                np.moveaxis(values[:, :, position], 1, 0), thresholds
            )
            self._arrays[f"above_{position}"][self._generation(init), init, leads] = np.moveaxis(above, 0, 1)
        self._n_added[init, leads] += values.shape[1]

    def end_wave(self, failures: Sequence[str]) -> Counted:
        """Return what is counted once this wave is; it holds for good when it is written where `counted` comes from."""
        before, added = self.counted, self._n_added.max(axis=1)
        self._n_added[:] = 0
        self.counted = Counted(
            request=before.request,
            n_waves=before.n_waves + 1,
            n_members=tuple((np.array(before.n_members) + added).tolist()),
            n_updates=tuple((np.array(before.n_updates) + (added > 0)).tolist()),
            failed=(*before.failed, *failures),
        )
        return self.counted

    def results(self, init: int, leads: slice) -> xr.Dataset:
        """Return the statistics of some leads of an initial time."""
        layout, results = self._layout, []
        for channels in self._groups:
            place = (init, leads, channels)
            moments = self._moments(place)
            quantiles = self._sketch(place).quantiles(self._config.quantiles) if self._config.quantiles else None
            for within, position in enumerate(range(*channels.indices(layout.spec.n_channels))):
                own = None if quantiles is None else quantiles[:, :, within]
                above = self._n_above((init, leads, position))
                results.append(results_of(self._config, moments.at((slice(None), within)), above, own))
        return assemble(results, layout.spec, self._config, layout.init_times[init], layout.lead_times[leads])

    def attributes(self) -> dict[str, Any]:
        """Return what the statistics say of themselves: which members failed, and how exact quantiles are."""
        return {"failed": list(self.counted.failed), **self._config.attributes(max(self.counted.n_members))}

    def _moments(self, place: _Place) -> Moments:
        known = self._known_generation(place)
        return Moments(**{name: self._arrays[name][(known, *place)] for name in _MOMENTS})

    def _save_moments(self, place: _Place, moments: Moments) -> None:
        for name in _MOMENTS:
            self._arrays[name][(self._generation(place[0]), *place)] = getattr(moments, name)

    def _n_above(self, place: tuple[int, slice, int]) -> np.ndarray:
        """Return how many members of a channel lie above each of its thresholds, `[threshold, lead, lat, lon]`."""
        init, leads, position = place
        if position not in self._thresholds:
            return np.empty((0, 1), np.int32)
        known = self._known_generation(place)
        return np.moveaxis(self._arrays[f"above_{position}"][known, init, leads], 1, 0)

    def _sketch(self, place: _Place) -> Sketch:
        init, leads, _ = place
        n_members = self.counted.n_members[init] + int(self._n_added[init, leads.start])
        return Sketch(self._config.sketch_size, lambda height: _Ring(self._arrays[f"level_{height}"], place), n_members)

    def _generation(self, init: int) -> int:
        """Return which of the two generations the wave under way writes; the other one holds for good."""
        return (self.counted.n_updates[init] + 1) % 2

    def _known_generation(self, place: tuple[int, slice, Any]) -> int:
        """Return the generation that has all members so far, those of the wave under way among them."""
        init, leads, _ = place
        return self._generation(init) if self._n_added[init, leads.start] else 1 - self._generation(init)


def accumulator_bytes(layout: Layout, config: StatisticsConfig) -> int:
    """Return how much disk the accumulators of a forecast take."""
    declared = _declarations(layout, config).values()
    return sum(math.prod(array["shape"]) * np.dtype(array["dtype"]).itemsize for array in declared)


def _declarations(layout: Layout, config: StatisticsConfig) -> dict[str, dict[str, Any]]:
    """Return what zarr is to make of each array: `[generation or slot, init, lead, channel or threshold, lat, lon]`."""
    n_leads, n_together = layout.chunk
    axes = (len(layout.init_times), len(layout.lead_times))

    def declare(first: int, n_fields: int, dtype: str, chunk: int) -> dict[str, Any]:
        return {
            "shape": (first, *axes, n_fields, *layout.spec.grid.shape),
            "chunks": (1, 1, n_leads, chunk, *layout.spec.grid.shape),
            "dtype": dtype,
            "fill_value": np.nan if dtype == "float32" else 0,  # as moments of no members are
        }

    n_channels, group, size = layout.spec.n_channels, _group_length(layout), config.sketch_size
    arrays = {name: declare(2, n_channels, dtype, group) for name, dtype in _MOMENTS.items()}
    for position, thresholds in _thresholds(layout, config).items():
        arrays[f"above_{position}"] = declare(2, len(thresholds), "int32", len(thresholds))
    for height, n_values in enumerate(values_entered(size, len(layout.numbers)) if config.quantiles else ()):
        # A level holds up to `size` values for good while at most as many as this are added in one wave.
        n_slots = min(n_values, size + max(size, n_together))
        arrays[f"level_{height}"] = declare(n_slots, n_channels, "float32", group)
    return arrays


def _group_length(layout: Layout) -> int:
    """Return how many channels are counted together, nearly the same number each time."""
    n_channels, field_bytes = layout.spec.n_channels, 4 * layout.chunk[0] * math.prod(layout.spec.grid.shape)
    longest = max(1, _GROUP_BYTES // field_bytes)
    return -(-n_channels // -(-n_channels // longest))


def _thresholds(layout: Layout, config: StatisticsConfig) -> dict[int, tuple[float, ...]]:
    """Return the thresholds of the channels that have any, by position."""
    by_position = {position: config.thresholds_of(channel) for position, channel in enumerate(layout.spec.channels)}
    return {position: thresholds for position, thresholds in by_position.items() if thresholds}


class MemoryStatistics:
    """Reduces a forecast to statistics in memory; see `forecast.output.Output`."""

    def __init__(self, layout: Layout, attributes: Mapping[str, Any], config: StatisticsConfig) -> None:
        config.require_channels(layout.spec)
        self._layout, self._attributes = layout, dict(attributes)
        self._accumulators = Accumulators(MemoryStore(), layout, config, _nothing(layout, attributes, config))
        self.n_waves = 0

    def write(self, start: tuple[int, int, int], values: np.ndarray) -> None:
        """Count `[lead, number, channel, lat, lon]`, SI units, at positions along init_time, lead_time and number."""
        self._accumulators.update(start[0], start[1], values)

    def end_wave(self, failures: Sequence[str]) -> None:
        """Note that a wave is whole, and which of its members failed."""
        self.n_waves = self._accumulators.end_wave(failures).n_waves

    def finish(self) -> xr.Dataset:
        """Return the statistics."""
        n_leads = len(self._layout.lead_times)
        parts = [self._accumulators.results(init, slice(0, n_leads)) for init in range(len(self._layout.init_times))]
        dataset = xr.concat(parts, "init_time", data_vars="minimal", coords="minimal", compat="override", join="exact")
        return dataset.assign_attrs({**self._attributes, **self._accumulators.attributes()})


class StatisticsOutput:
    """Reduces a forecast to statistics on disk, in memory that grows neither with leads nor with members.

    While the forecast runs, its accumulators lie beside `path` under a temporary name. An interrupted forecast is
    resumed at the first wave that is not whole, if it is the same forecast.

    Args:
        path: The store to be.
        layout: Axes of the members.
        attributes: Global attributes; they tell whether an interrupted forecast is the same.
        config: The statistics.
        overwrite: Replace what is at `path` in the end, and another forecast that was interrupted there now.

    Raises:
        UserError: Something is at `path`, another forecast was interrupted there, or there is no room.
    """

    def __init__(
        self,
        path: Path,
        layout: Layout,
        attributes: Mapping[str, Any],
        config: StatisticsConfig,
        overwrite: bool,
    ) -> None:
        if path.exists() and not overwrite:
            raise UserError(f"output {path} exists; choose another path, or pass overwrite (--overwrite) to replace it")
        config.require_channels(layout.spec)
        self._path, self._partial = path, path.with_name(f".{path.name}{PARTIAL}")
        self._layout, self._config, self._attributes = layout, config, dict(attributes)
        with explaining_errors(path):
            counted = self._resume(overwrite)
            self._accumulators = Accumulators(self._partial / "accumulators", layout, config, counted)
        self.n_waves = counted.n_waves

    def write(self, start: tuple[int, int, int], values: np.ndarray) -> None:
        """Count `[lead, number, channel, lat, lon]`, SI units, at positions along init_time, lead_time and number."""
        with explaining_errors(self._path):
            self._accumulators.update(start[0], start[1], values)

    def end_wave(self, failures: Sequence[str]) -> None:
        """Note that a wave is whole, and which of its members failed."""
        counted = self._accumulators.end_wave(failures)
        write_bytes(self._partial / "counted.json", counted.model_dump_json().encode())
        self.n_waves = counted.n_waves

    def finish(self) -> xr.Dataset:
        """Write the statistics, give the store its name, and open it."""
        result, n_inits = self._partial / "result", len(self._layout.init_times)
        with explaining_errors(self._path):
            shutil.rmtree(result, ignore_errors=True)
            group = self._create_result(result)
            for init in range(n_inits):
                for leads in self._lead_pieces():
                    piece = self._accumulators.results(init, leads)
                    for name, field in piece.data_vars.items():
                        group[str(name)][init : init + 1, leads] = field.values
            group.attrs.update({"complete": True, **self._accumulators.attributes()})
            put_in_place(result, self._path)
        shutil.rmtree(self._partial, ignore_errors=True)
        return open_forecast(self._path)

    def _create_result(self, path: Path) -> Any:
        cell = self._accumulators.results(0, slice(0, 1))
        coords = {"init_time": self._layout.init_times, "lead_time": self._layout.lead_times}
        chunk = {"init_time": 1, "lead_time": self._layout.chunk[0]}
        return create_store(path, cell, coords, chunk, self._attributes)

    def _lead_pieces(self) -> list[slice]:
        n_leads, length = len(self._layout.lead_times), self._layout.chunk[0]
        return [slice(start, min(start + length, n_leads)) for start in range(0, n_leads, length)]

    def _resume(self, overwrite: bool) -> Counted:
        nothing, marker = _nothing(self._layout, self._attributes, self._config), self._partial / "counted.json"
        try:
            found = Counted.model_validate_json(marker.read_bytes())
        except (FileNotFoundError, ValidationError):
            found = None
        if found is not None and found.request == nothing.request:
            return found
        if _holds_something(self._partial) and not overwrite:
            raise UserError(
                f"{self._partial} holds part of another forecast; choose another path, or pass overwrite (--overwrite)"
                " to drop it"
            )
        shutil.rmtree(self._partial, ignore_errors=True)
        n_results = len(self._layout.init_times) * len(self._layout.lead_times)
        result_bytes = n_results * self._config.result_bytes(self._layout.spec)
        require_space(self._path, accumulator_bytes(self._layout, self._config) + result_bytes)
        write_bytes(marker, nothing.model_dump_json().encode())
        return nothing


def _holds_something(folder: Path) -> bool:
    """Return whether a folder has more than what a kill left of the first file."""
    return folder.is_dir() and any(not file.name.endswith(PARTIAL) for file in folder.iterdir())


def _nothing(layout: Layout, attributes: Mapping[str, Any], config: StatisticsConfig) -> Counted:
    none = (0,) * len(layout.init_times)
    request = f"{attributes['request']} {config.model_dump_json()}"
    return Counted(request=request, n_waves=0, n_members=none, n_updates=none)
