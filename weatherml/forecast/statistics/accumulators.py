"""Accumulators of a forecast's statistics, which can be killed at any instant: every member counts once.

Batches of members come one after the other, each through all leads, so what has been counted must lie on disk between
them. Nothing that a finished batch wrote is ever written over by the next one: moments have two generations, read from
one and written to the other, and the values of a sketch enter a ring of slots that is large enough. What counts is
said by one small record, replaced at the end of batches in one act. Whatever a killed batch left is written over when
that batch is computed again.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import zarr
from zarr.abc.store import Store

from weatherml.forecast.plan.batches import Layout
from weatherml.forecast.statistics.config import StatisticsConfig
from weatherml.forecast.workdir import Record, Stopped
from weatherml.streaming.moments import Moments, count_above
from weatherml.streaming.sketch import Sketch, values_entered

_GROUP_BYTES = 8 * 2**20
"""Size of one member's fields that are counted together: large against the cost of a call, small against memory."""

Place = tuple[int, slice, slice]
"""Initial time, leads and channels."""

_MOMENTS = {"count": "int32", "mean": "float64", "squares": "float64", "minimum": "float32", "maximum": "float32"}


class Counted(Record):
    """What the accumulators of one process hold for good.

    Attributes:
        n_members: Members of each initial time.
        n_updates: How often some were added to each initial time; tells the generation of its moments.
    """

    n_members: tuple[int, ...]
    n_updates: tuple[int, ...]

    @classmethod
    def nothing(cls, n_inits: int) -> Self:
        """Return the record of accumulators of so many initial times, without members."""
        none = (0,) * n_inits
        return cls(n_members=none, n_updates=none)


@dataclass(frozen=True)
class _Ring:
    """The slots of one level of the sketches at one place."""

    array: Any
    place: Place

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
        store: On disk or in memory.
        layout: Axes of the members, and the pieces in which they come.
        config: The statistics.
        counted: What the store holds.
        most_batches: How many batches may be under way at once.
    """

    def __init__(
        self, store: Store, layout: Layout, config: StatisticsConfig, counted: Counted, most_batches: int
    ) -> None:
        self.counted = counted
        self._layout, self._config = layout, config
        group = zarr.open_group(store, mode="a")
        self._arrays: dict[str, Any] = {
            name: group.require_array(name, compressors=None, **declared)
            for name, declared in _declarations(layout, config, most_batches).items()
        }
        self._thresholds = _thresholds(layout, config)
        self._n_added = np.zeros((len(layout.init_times), len(layout.lead_times)), np.int64)

    def update(self, init: int, lead: int, values: np.ndarray) -> None:
        """Count members `[lead, number, channel, lat, lon]` of the batches that are under way."""
        leads = slice(lead, lead + len(values))
        for channels in channel_groups(self._layout):
            place, members = (init, leads, channels), np.moveaxis(values[:, :, channels], 1, 0)
            self._save_moments(place, self.moments(place) + Moments.of(members))
            if self._config.quantiles:
                self._sketch(place).append(members)  # which writes by itself
        for position, thresholds in self._thresholds.items():
            above = self.n_above((init, leads), position) + count_above(
                np.moveaxis(values[:, :, position], 1, 0), thresholds
            )
            self._arrays[f"above_{position}"][self._generation(init), init, leads] = np.moveaxis(above, 0, 1)
        self._n_added[init, leads] += values.shape[1]

    def end_batches(self, batches: tuple[int, ...], stopped: Sequence[Stopped]) -> Counted:
        """Return what is counted once these batches are; it holds for good when it is where `counted` came from."""
        before, added = self.counted, self._n_added.max(axis=1)
        self.drop()
        n_members = tuple((np.array(before.n_members) + added).tolist())
        n_updates = tuple((np.array(before.n_updates) + (added > 0)).tolist())
        self.counted = Counted(**before.after(batches, stopped), n_members=n_members, n_updates=n_updates)
        return self.counted

    def drop(self) -> None:
        """Forget what was counted since the last end of batches."""
        self._n_added[:] = 0

    def moments(self, place: Place) -> Moments:
        """Return the moments at a place, `[lead, channel, lat, lon]`."""
        known = self._known_generation(place)
        return Moments(**{name: self._arrays[name][(known, *place)] for name in _MOMENTS})

    def n_above(self, place: tuple[int, slice], position: int) -> np.ndarray:
        """Return how many members of a channel lie above each of its thresholds, `[threshold, lead, lat, lon]`."""
        if position not in self._thresholds:
            return np.empty((0, 1), np.int32)
        known = self._known_generation(place)
        return np.moveaxis(self._arrays[f"above_{position}"][(known, *place)], 1, 0)

    def sketch(self, place: Place) -> Sketch:
        """Return a copy in memory of the sketch of a place, `[lead, channel, lat, lon]`."""
        _, leads, channels = place
        shape = (leads.stop - leads.start, channels.stop - channels.start, *self._layout.spec.grid.shape)
        copy = Sketch.in_memory(self._config.sketch_size, shape)
        copy.merge(self._sketch(place))
        return copy

    def _sketch(self, place: Place) -> Sketch:
        """Return the sketch of a place, which writes where it lies."""
        init, leads, _ = place
        n_members = self.counted.n_members[init] + int(self._n_added[init, leads.start])
        return Sketch(self._config.sketch_size, lambda height: _Ring(self._arrays[f"level_{height}"], place), n_members)

    def _save_moments(self, place: Place, moments: Moments) -> None:
        for name in _MOMENTS:
            self._arrays[name][(self._generation(place[0]), *place)] = getattr(moments, name)

    def _generation(self, init: int) -> int:
        """Return which of the two generations the batches under way write; the other one holds for good."""
        return (self.counted.n_updates[init] + 1) % 2

    def _known_generation(self, place: tuple[Any, ...]) -> int:
        """Return the generation that has all members so far, those of the batches under way among them."""
        init, leads = place[:2]
        return self._generation(init) if self._n_added[init, leads.start] else 1 - self._generation(init)


def accumulator_bytes(layout: Layout, config: StatisticsConfig, most_batches: int = 1) -> int:
    """Return how much disk the accumulators of a forecast take."""
    declared = _declarations(layout, config, most_batches).values()
    return sum(math.prod(array["shape"]) * np.dtype(array["dtype"]).itemsize for array in declared)


def _declarations(layout: Layout, config: StatisticsConfig, most_batches: int) -> dict[str, dict[str, Any]]:
    """Return what zarr is to make of each array: `[generation or slot, init, lead, channel or threshold, lat, lon]`."""
    n_leads, n_together = layout.chunk[0], layout.chunk[1] * most_batches
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
        # A level holds up to `size` values for good while at most as many as this are added between two ends.
        n_slots = min(n_values, size + max(size, n_together))
        arrays[f"level_{height}"] = declare(n_slots, n_channels, "float32", group)
    return arrays


def channel_groups(layout: Layout) -> list[slice]:
    """Return the channels that are counted together."""
    n_channels, length = layout.spec.n_channels, _group_length(layout)
    return [slice(start, min(start + length, n_channels)) for start in range(0, n_channels, length)]


def _group_length(layout: Layout) -> int:
    """Return how many channels are counted together, nearly the same number each time."""
    n_channels, field_bytes = layout.spec.n_channels, 4 * layout.chunk[0] * math.prod(layout.spec.grid.shape)
    longest = max(1, _GROUP_BYTES // field_bytes)
    return -(-n_channels // -(-n_channels // longest))


def _thresholds(layout: Layout, config: StatisticsConfig) -> dict[int, tuple[float, ...]]:
    """Return the thresholds of the channels that have any, by position."""
    by_position = {position: config.thresholds_of(channel) for position, channel in enumerate(layout.spec.channels)}
    return {position: thresholds for position, thresholds in by_position.items() if thresholds}
