"""Forecasts that are held in memory: the work folder and the store that they do without."""

from collections.abc import Callable, Mapping
from typing import Any, Generic

from zarr.storage import MemoryStore

from weatherml.forecast.workdir import RecordT, Stopped, WorkDir, in_order
from weatherml.storage.share import Share


class InMemory(Generic[RecordT]):
    """What a work folder is to a forecast on disk: the record of what is whole. It is this process's own.

    Args:
        nothing: The record of a process that has done nothing.
    """

    path = None

    def __init__(self, nothing: RecordT) -> None:
        self._record = nothing

    description: Mapping[str, Any] = {}

    def begin(
        self,
        description: Mapping[str, Any],
        n_bytes: int,
        fill: Callable[[], None] | None = None,
        least: int | None = None,
    ) -> None:
        """Note what is asked for."""
        self.description = description

    def lock(self, share: Share) -> None:
        """Do nothing: nobody else is there."""

    def store(self, name: str) -> MemoryStore:
        """Return a zarr store."""
        return MemoryStore()

    def record(self, share: Share) -> RecordT:
        """Return the record."""
        return self._record

    def records(self) -> dict[str, RecordT]:
        """Return the record by the name of its share."""
        return {Share().name: self._record}

    def save(self, share: Share, record: RecordT) -> None:
        """Replace the record."""
        self._record = record

    def stopped(self) -> list[Stopped]:
        """Return the members that stopped, by initial time and number."""
        return in_order([self._record])

    def done(self) -> frozenset[int]:
        """Return the batches that are whole."""
        return frozenset(self._record.batches)

    def has_all(self, n_batches: int) -> bool:
        """Return whether so many batches, which are all, are whole."""
        return len(self.done()) == n_batches

    def close(self) -> None:
        """Do nothing: nobody else is there."""


Work = WorkDir[RecordT] | InMemory[RecordT]
"""Where an output is made."""
