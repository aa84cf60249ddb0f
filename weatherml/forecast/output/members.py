"""Forecasts that keep their members, in memory or in a zarr store that is filled chunk by chunk."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import xarray as xr
import zarr

from weatherml.forecast.output.memory import Work
from weatherml.forecast.output.stopped import coordinates, sentences
from weatherml.forecast.plan.batches import Layout
from weatherml.forecast.workdir import Record, Stopped, explaining_errors
from weatherml.products.store import add_coordinates, create_store, empty_dataset, open_forecast
from weatherml.state import to_dataset
from weatherml.storage.share import WHOLE, Share


class Output(Protocol):
    """Takes a forecast piece by piece from one writer."""

    @property
    def done(self) -> frozenset[int]:
        """Positions of the batches that are whole, those among them that were before an interruption."""

    @property
    def most_batches(self) -> int:
        """How many batches may be under way at once."""

    def write(self, start: tuple[int, int], places: Sequence[int], values: np.ndarray) -> None:
        """Take `[lead, number, channel, lat, lon]`, SI units.

        Args:
            start: Positions of the initial time and of the first lead.
            places: Positions of the members, rising.
            values: Their fields.
        """

    def end_batches(self, batches: tuple[int, ...], stopped: Sequence[Stopped]) -> None:
        """Note that all that was written since the last call is whole: these batches, some of whose members stopped."""

    def drop(self) -> None:
        """Forget what was written since the last end of batches."""

    def has_all(self, n_batches: int) -> bool:
        """Return whether so many batches, which are all, are whole."""

    def finish(self) -> xr.Dataset:
        """Return the forecast once everything is written."""

    def close(self) -> None:
        """Let other processes have what this one was making."""


class MembersOutput:
    """Keeps every member.

    A forecast that was interrupted goes on with the batches that are not whole, if it is the same forecast. Chunks of a
    store belong to one batch each, so that processes which share a forecast never write the same file.

    Args:
        work: Where it is made.
        layout: What it will hold.
        attributes: Global attributes.
        share: What this process does of it.

    Raises:
        UserError: There is no room, or another process has this share.
    """

    most_batches = sys.maxsize

    def __init__(self, work: Work[Record], layout: Layout, attributes: Mapping[str, Any], share: Share = WHOLE) -> None:
        self._work, self._layout, self._share = work, layout, share
        self._attributes = dict(attributes)
        work.begin(attributes, layout.n_bytes, self._create)
        work.lock(share)
        self._fields: Mapping[str, Any]
        if work.path is None:
            self._dataset = empty_dataset(layout.cell, layout.coords)
            self._fields = {str(name): field.values for name, field in self._dataset.data_vars.items()}
        else:
            self._fields = dict(zarr.open_group(work.store("result"), mode="r+").arrays())

    @property
    def done(self) -> frozenset[int]:
        """Positions of the batches that are whole, whoever made them."""
        return self._work.done()

    def write(self, start: tuple[int, int], places: Sequence[int], values: np.ndarray) -> None:
        """Place `[lead, number, channel, lat, lon]`; see `Output`."""
        init, leads, layout = start[0], slice(start[1], start[1] + len(values)), self._layout
        coords = {
            "init_time": layout.init_times[init : init + 1],
            "lead_time": layout.lead_times[leads],
            "number": layout.numbers[list(places)],
        }
        piece = to_dataset(values[None], layout.spec, coords)
        with explaining_errors(self._work.path):
            for name, field in piece.data_vars.items():
                for own, numbers in _neighbours(places):
                    self._fields[str(name)][init : init + 1, leads, numbers] = field.values[:, :, own]

    def end_batches(self, batches: tuple[int, ...], stopped: Sequence[Stopped]) -> None:
        """Note that these batches are whole, and which of their members stopped."""
        record = self._work.record(self._share)
        self._work.save(self._share, Record(**record.after(batches, stopped)))

    def drop(self) -> None:
        """Do nothing: what is written again takes the place of what was there."""

    def has_all(self, n_batches: int) -> bool:
        """Return whether so many batches, which are all, are whole."""
        return self._work.has_all(n_batches)

    def finish(self) -> xr.Dataset:
        """Return the forecast; a store gets its name."""
        work, stopped = self._work, self._work.stopped()
        notes = {"failed": sentences(self._layout, stopped) if stopped else []}
        more = coordinates(self._layout, stopped) if stopped else {}
        if work.path is None:
            return self._dataset.assign_attrs(self._attributes, **notes).assign_coords(more)
        with work.finishing() as is_to_do:
            if is_to_do:
                add_coordinates(work.store("result"), more)
                work.publish(notes)
            return open_forecast(work.path)

    def close(self) -> None:
        """Let other processes have this share."""
        self._work.close()

    def _create(self) -> None:
        layout = self._layout
        chunk = {"init_time": 1, "lead_time": layout.chunk[0], "number": layout.members_per_chunk}
        create_store(self._work.store("result"), layout.cell, layout.coords, chunk, self._attributes)


def _neighbours(places: Sequence[int]) -> Iterator[tuple[slice, slice]]:
    """Yield runs of members that lie side by side: where among `places`, and where in the output."""
    ends = np.flatnonzero(np.diff(places) != 1) + 1
    for start, stop in pairwise((0, *ends.tolist(), len(places))):
        yield slice(start, stop), slice(places[start], places[stop - 1] + 1)
