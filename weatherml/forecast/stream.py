"""Runs a forecast wave by wave: one chunk is written while the next computes, and no more than those two are held."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain, pairwise
from typing import TypeVar

import jax
import numpy as np
from jax import Array

from weatherml.errors import UserError
from weatherml.forecast.lane import Lane, Voyage
from weatherml.forecast.output import Output
from weatherml.forecast.route import Route
from weatherml.forecast.unfinished import WHOLE, Share
from weatherml.forecast.waves import Wave, plan_waves, smaller_batch, split_wave
from weatherml.parallel import local_devices

_logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with how many fields (members times leads) are written, and how many there are in all."""


@dataclass(frozen=True, eq=False)
class _Chunk:
    """Fields on their way to the output.

    Attributes:
        voyages: Whose they are.
        position: Which chunk of their leads.
        pieces: For each voyage one for each block of its wave, `[output, number, channel, lat, lon]`.
    """

    voyages: Sequence[Voyage]
    position: int
    pieces: Sequence[Sequence[Array]]


@dataclass(frozen=True, eq=False)
class Stream:
    """A forecast on its way from the devices of this process to an output.

    Every device takes a wave of its own and runs the program that one device alone would run, so a member comes out the
    same, bit for bit, however many there are; nothing passes between devices or processes.

    Attributes:
        route: What waves go through.
        output: Where they end.
        progress: Told how much is written.
        share: The waves that this process takes.
    """

    route: Route
    output: Output
    progress: Progress | None = None
    share: Share = WHOLE

    def run(self) -> None:
        """Compute and write the waves that the output does not have yet.

        Where a device runs out of memory, members go on in smaller batches.

        Raises:
            UserError: One member alone is too large for a device.
        """
        n_slots = self.route.layout.chunk[1]
        while not self._has_room(n_slots):
            if n_slots == 1:
                raise UserError("one member alone is too large for the memory of a device; use a larger one")
            n_slots = smaller_batch(n_slots)
            _logger.warning("out of memory; the forecast goes on as with batch=%d", n_slots)
            self.output.drop()

    @property
    def is_whole(self) -> bool:
        """Whether all waves are written, whoever did it."""
        return self.output.has_all(len(self._waves))

    def _has_room(self, n_slots: int) -> bool:
        """Compute and write what is missing, `n_slots` members at a time; return whether memory was large enough."""
        n_missing, n_all = (self._n_fields(positions) for positions in (self._missing, self._own))
        n_written = n_all - n_missing
        try:
            with ThreadPoolExecutor(1) as writer, ThreadPoolExecutor(len(self._lanes)) as pilots:
                chunks = self._start_chunks(n_slots, writer, pilots)
                # Each is waited for only once the next computes, so that computing and writing overlap.
                for chunk, _ in pairwise(chain(chunks, (None,))):
                    n_written += chunk.result()  # type: ignore[union-attr]
                    if self.progress is not None:
                        self.progress(n_written, n_all)
        except jax.errors.JaxRuntimeError as error:
            # Told at once it is RESOURCE_EXHAUSTED; by what was started before, INTERNAL.
            if "RESOURCE_EXHAUSTED" not in str(error) and "Out of memory" not in str(error):
                raise
            return False
        return True

    def _start_chunks(
        self, n_slots: int, writer: ThreadPoolExecutor, pilots: ThreadPoolExecutor
    ) -> Iterator[Future[int]]:
        n_lanes = len(self._lanes)
        n_together = max(1, min(n_lanes * n_slots // self.route.layout.chunk[1], self.output.most_waves))
        for fleet in _batched(self._missing, n_together):
            rounds = list(_batched([p for wave in fleet for p in split_wave(self._waves[wave], n_slots)], n_lanes))
            stories: dict[tuple[int, int], str] = {}
            for number, parts in enumerate(rounds, start=1):
                voyages = [lane.embark(part, n_slots) for lane, part in zip(self._lanes, parts, strict=False)]
                for position in range(len(self.route.chunks)):
                    # Side by side, since each device compiles its first chunk.
                    pieces = list(pilots.map(partial(Voyage.advance, position=position), voyages))
                    chunk = _Chunk(voyages, position, pieces)
                    yield writer.submit(self._write, chunk, stories, fleet if number == len(rounds) else ())

    def _write(self, chunk: "_Chunk", stories: dict[tuple[int, int], str], fleet: Sequence[int]) -> int:
        """Wait for a chunk, write it and return how many fields it has; after the last one of all, end the `fleet`."""
        leads, n_fields = self.route.chunks[chunk.position], 0
        for voyage, pieces in zip(chunk.voyages, chunk.pieces, strict=True):
            for block, piece in zip(voyage.wave, pieces, strict=True):
                self.output.write((block.init, leads.start, block.first), np.asarray(piece))
                n_fields += len(block.numbers) * len(leads)
        if chunk.position == len(self.route.chunks) - 1:
            for voyage in chunk.voyages:
                stories.update(self.route.describe(voyage.wave, jax.device_get(voyage.trajectory.failure)))
            self._end(fleet, stories)
        return n_fields

    def _end(self, fleet: Sequence[int], stories: Mapping[tuple[int, int], str]) -> None:
        """Note that waves are whole, unless there are none."""
        if fleet:
            for story in stories.values():
                _logger.warning("a member of the forecast stopped: %s", story)
            self.output.end_waves(tuple(fleet), stories)

    @cached_property
    def _lanes(self) -> list[Lane]:
        return [Lane(device, self.route) for device in local_devices()]

    @cached_property
    def _waves(self) -> list[Wave]:
        layout = self.route.layout
        return plan_waves(layout.init_times, layout.numbers, layout.chunk[1])

    @cached_property
    def _own(self) -> Sequence[int]:
        """Positions of the waves of this share."""
        return self.share.of(len(self._waves))

    @property
    def _missing(self) -> list[int]:
        """Those that are not written."""
        done = self.output.done
        return [position for position in self._own if position not in done]

    def _n_fields(self, positions: Sequence[int]) -> int:
        n_members = sum(len(block.numbers) for position in positions for block in self._waves[position])
        return n_members * len(self.route.layout.lead_times)


Item = TypeVar("Item")


def _batched(items: Sequence[Item], n: int) -> Iterator[Sequence[Item]]:
    """Yield up to `n` items at a time."""
    for start in range(0, len(items), n):
        yield items[start : start + n]
