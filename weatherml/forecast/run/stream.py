"""Runs a forecast wave by wave: one chunk is written while the next computes, and no more than those two are held."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain, groupby, pairwise
from typing import TypeVar

import jax
import numpy as np
import xarray as xr
from jax import Array

from weatherml.errors import UserError
from weatherml.forecast.output.members import Output
from weatherml.forecast.plan.batches import Wave, model_of, plan_waves, smaller_batch, split_wave
from weatherml.forecast.plan.layout import Layout
from weatherml.forecast.rollout.device import Lane, Voyage
from weatherml.forecast.rollout.setup import Route
from weatherml.forecast.workdir import WHOLE, Share
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
        before: The writing of the chunk before it; None for the first.
    """

    voyages: Sequence[Voyage]
    position: int
    pieces: Sequence[Sequence[Array]]
    before: Future[int] | None


@dataclass(frozen=True, eq=False)
class Stream:
    """A forecast on its way from the devices of this process to an output.

    Every device takes a wave of its own and runs the program that one device alone would run, so a member comes out the
    same, bit for bit, however many there are; nothing passes between devices or processes. Several models are placed on
    the devices one after the other.

    Attributes:
        routes: What waves go through, by model; they have one layout.
        output: Where they end.
        progress: Told how much is written.
        share: The waves that this process takes.
    """

    routes: Sequence[Route]
    output: Output
    progress: Progress | None = None
    share: Share = WHOLE

    def run(self) -> None:
        """Compute and write the waves that the output does not have yet.

        Where a device runs out of memory, members go on in smaller batches.

        Raises:
            UserError: One member alone is too large for a device.
        """
        n_slots = self._layout.chunk[1]
        while not self._has_room(n_slots):
            if n_slots == 1:
                raise UserError("one member alone is too large for the memory of a device; use a larger one")
            n_slots = smaller_batch(n_slots)
            _logger.warning("out of memory; the forecast goes on as with batch=%d", n_slots)
            self.output.drop()

    def finish(self) -> xr.Dataset:
        """Compute and write what is missing, let go of the output and return the forecast; see `run`."""
        with closing(self.output):
            self.run()
            return self.output.finish()

    def finish_share(self) -> bool:
        """Compute and write what is missing of the share; return whether the forecast is whole, which names it."""
        with closing(self.output):
            self.run()
            is_whole = self.output.has_all(len(self._waves))
            if is_whole:
                self.output.finish()
            return is_whole

    def _has_room(self, n_slots: int) -> bool:
        """Compute and write what is missing, `n_slots` members at a time; return whether memory was large enough."""
        n_missing, n_all = (self._n_fields(positions) for positions in (self._missing, self._own))
        n_written = n_all - n_missing
        try:
            with ThreadPoolExecutor(1) as writer, ThreadPoolExecutor(len(local_devices())) as pilots:
                for model, waves in groupby(self._missing, lambda wave: model_of(self._waves[wave], len(self.routes))):
                    chunks = self._start_chunks(self.routes[model], list(waves), n_slots, writer, pilots)
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
        self,
        route: Route,
        waves: Sequence[int],
        n_slots: int,
        writer: ThreadPoolExecutor,
        pilots: ThreadPoolExecutor,
    ) -> Iterator[Future[int]]:
        lanes = [Lane(device, route) for device in local_devices()]
        n_together = max(1, min(len(lanes) * n_slots // self._layout.chunk[1], self.output.most_waves))
        before: Future[int] | None = None
        for fleet in _batched(waves, n_together):
            rounds = list(_batched([part for wave in fleet for part in self._split(wave, n_slots)], len(lanes)))
            stories: dict[tuple[int, int], str] = {}
            for number, parts in enumerate(rounds, start=1):
                voyages = [lane.embark(part, n_slots) for lane, part in zip(lanes, parts, strict=False)]
                for position in range(len(route.chunks)):
                    # Side by side, since each device compiles its first chunk.
                    pieces = list(pilots.map(partial(Voyage.advance, position=position), voyages))
                    chunk = _Chunk(voyages, position, pieces, before)
                    before = writer.submit(self._write, chunk, stories, fleet if number == len(rounds) else ())
                    yield before

    def _write(self, chunk: "_Chunk", stories: dict[tuple[int, int], str], fleet: Sequence[int]) -> int:
        """Wait for a chunk, write it and return how many fields it has; after the last one of all, end the `fleet`."""
        if chunk.before is not None:
            chunk.before.result()  # raises where that one was not written: its waves must not end
        chunks = self.routes[0].chunks
        leads, n_fields = chunks[chunk.position], 0
        for voyage, pieces in zip(chunk.voyages, chunk.pieces, strict=True):
            for block, piece in zip(voyage.wave, pieces, strict=True):
                self.output.write((block.init, leads.start), block.places, np.asarray(piece))
                n_fields += len(block.numbers) * len(leads)
        if chunk.position == len(chunks) - 1:
            for voyage in chunk.voyages:
                failure = jax.device_get(voyage.trajectory.failure)
                stories.update(voyage.lane.route.describe(voyage.wave, failure))
            self._end(fleet, stories)
        return n_fields

    def _end(self, fleet: Sequence[int], stories: Mapping[tuple[int, int], str]) -> None:
        """Note that waves are whole, unless there are none."""
        if fleet:
            for story in stories.values():
                _logger.info("a member of the forecast stopped: %s", story)
            self.output.end_waves(tuple(fleet), stories)

    @property
    def _layout(self) -> Layout:
        return self.routes[0].layout

    @cached_property
    def _waves(self) -> list[Wave]:
        layout = self._layout
        return plan_waves(layout.init_times, layout.numbers, layout.chunk[1], layout.n_models)

    def _split(self, wave: int, n_slots: int) -> list[Wave]:
        """Return a wave, or what becomes of it in smaller batches."""
        return split_wave(self._waves[wave], n_slots, self._layout.n_models)

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
        return n_members * len(self._layout.lead_times)


Item = TypeVar("Item")


def _batched(items: Sequence[Item], n: int) -> Iterator[Sequence[Item]]:
    """Yield up to `n` items at a time."""
    for start in range(0, len(items), n):
        yield items[start : start + n]
