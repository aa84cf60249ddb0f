"""Where forecasts go: a dataset in memory, or a zarr store that is filled chunk by chunk and appears when whole."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import xarray as xr
import zarr

from weatherml.forecast.plan.batches import members_per_chunk
from weatherml.forecast.plan.layout import Layout
from weatherml.forecast.workdir import (
    WHOLE,
    Failures,
    Record,
    Share,
    Unfinished,
    explaining_errors,
    stories,
)
from weatherml.products.store import create_store, open_forecast
from weatherml.state import to_dataset


class Output(Protocol):
    """Takes a forecast piece by piece from one writer."""

    @property
    def done(self) -> frozenset[int]:
        """Positions of the waves that are whole, those among them that were before an interruption."""

    @property
    def most_waves(self) -> int:
        """How many waves may be under way at once."""

    def write(self, start: tuple[int, int], places: Sequence[int], values: np.ndarray) -> None:
        """Take `[lead, number, channel, lat, lon]`, SI units.

        Args:
            start: Positions of the initial time and of the first lead.
            places: Positions of the members, rising.
            values: Their fields.
        """

    def end_waves(self, waves: tuple[int, ...], failures: Failures) -> None:
        """Note that all that was written since the last call is whole: these waves, some of whose members failed."""

    def drop(self) -> None:
        """Forget what was written since the last end of waves."""

    def has_all(self, n_waves: int) -> bool:
        """Return whether so many waves, which are all, are whole."""

    def finish(self) -> xr.Dataset:
        """Return the forecast once everything is written."""

    def close(self) -> None:
        """Let other processes have what this one was making."""


class MemoryOutput:
    """Holds the forecast in memory."""

    most_waves = sys.maxsize

    def __init__(self, layout: Layout, attributes: Mapping[str, Any]) -> None:
        self.done: frozenset[int] = frozenset()
        self._layout, self._attributes = layout, dict(attributes)
        self._array = np.empty(layout.shape, np.float32)
        self._failures: dict[tuple[int, int], str] = {}

    def write(self, start: tuple[int, int], places: Sequence[int], values: np.ndarray) -> None:
        """Place `[lead, number, channel, lat, lon]`; see `Output`."""
        init, lead = start
        self._array[init][lead : lead + len(values), places] = values

    def end_waves(self, waves: tuple[int, ...], failures: Failures) -> None:
        """Note that these waves are whole, and which of their members failed."""
        self.done = self.done.union(waves)
        self._failures.update(failures)

    def drop(self) -> None:
        """Do nothing: what is written again takes the place of what was there."""

    def has_all(self, n_waves: int) -> bool:
        """Return whether so many waves, which are all, are whole."""
        return len(self.done) == n_waves

    def finish(self) -> xr.Dataset:
        """Return the forecast."""
        dataset = to_dataset(self._array, self._layout.spec, self._layout.coords)
        return dataset.assign_attrs(self._attributes, failed=stories(self._failures))

    def close(self) -> None:
        """Do nothing: memory is this process's own."""


class StoreOutput:
    """Fills a zarr v3 store under a temporary name, which becomes `path` when the forecast is whole.

    A forecast that was interrupted goes on with the waves that are not whole, if it is the same forecast. Chunks belong
    to one wave each, so that processes which share a forecast never write the same file.

    Args:
        unfinished: Where it is made.
        layout: What it will hold.
        attributes: Global attributes.
        share: What this process does of it.

    Raises:
        UserError: There is no room, or another process has this share.
    """

    most_waves = sys.maxsize

    def __init__(
        self, unfinished: Unfinished[Record], layout: Layout, attributes: Mapping[str, Any], share: Share = WHOLE
    ) -> None:
        self._unfinished, self._layout, self._share = unfinished, layout, share
        n_leads, n_together = layout.chunk
        length = members_per_chunk(layout.numbers, n_together, layout.n_models)
        chunk = {"init_time": 1, "lead_time": n_leads, "number": length}

        def create() -> None:
            create_store(unfinished.store("result"), layout.cell, layout.coords, chunk, attributes)

        unfinished.begin(attributes, layout.n_bytes, create)
        unfinished.lock(share)
        self._arrays = dict(zarr.open_group(unfinished.store("result"), mode="r+").arrays())

    @property
    def done(self) -> frozenset[int]:
        """Positions of the waves that are whole, whoever made them."""
        return self._unfinished.done()

    def write(self, start: tuple[int, int], places: Sequence[int], values: np.ndarray) -> None:
        """Place `[lead, number, channel, lat, lon]`; see `Output`."""
        init, leads, layout = start[0], slice(start[1], start[1] + len(values)), self._layout
        coords = {
            "init_time": layout.init_times[init : init + 1],
            "lead_time": layout.lead_times[leads],
            "number": layout.numbers[list(places)],
        }
        piece = to_dataset(values[None], layout.spec, coords)
        with explaining_errors(self._unfinished.path):
            for name, field in piece.data_vars.items():
                for own, numbers in _neighbours(places):
                    self._arrays[str(name)][init : init + 1, leads, numbers] = field.values[:, :, own]

    def end_waves(self, waves: tuple[int, ...], failures: Failures) -> None:
        """Note that these waves are whole, and which of their members failed."""
        record = self._unfinished.record(self._share)
        self._unfinished.save(self._share, Record(**record.after(waves, failures)))

    def drop(self) -> None:
        """Do nothing: what is written again takes the place of what was there."""

    def has_all(self, n_waves: int) -> bool:
        """Return whether so many waves, which are all, are whole."""
        return self._unfinished.has_all(n_waves)

    def finish(self) -> xr.Dataset:
        """Give the store its name, and open it."""
        with self._unfinished.finishing() as is_to_do:
            if is_to_do:
                self._unfinished.publish({"failed": self._unfinished.stories()})
            return open_forecast(self._unfinished.path)

    def close(self) -> None:
        """Let other processes have this share."""
        self._unfinished.close()


def _neighbours(places: Sequence[int]) -> Iterator[tuple[slice, slice]]:
    """Yield runs of members that lie side by side: where among `places`, and where in the output."""
    ends = np.flatnonzero(np.diff(places) != 1) + 1
    for start, stop in pairwise((0, *ends.tolist(), len(places))):
        yield slice(start, stop), slice(places[start], places[stop - 1] + 1)
