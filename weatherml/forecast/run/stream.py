"""Runs a forecast batch by batch: one chunk is written while the next computes, and no more than those two are held."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby, pairwise
from typing import TypeVar

import jax
import numpy as np
import xarray as xr
from jax import Array

from weatherml.errors import UserError
from weatherml.forecast.output.members import Output
from weatherml.forecast.plan.batches import Batch, Layout, model_of, smaller_batch, split_batch
from weatherml.forecast.rollout.device import BatchRollout, DeviceRollout
from weatherml.forecast.rollout.setup import RolloutSetup
from weatherml.forecast.workdir import Stopped
from weatherml.parallel import local_devices
from weatherml.state import to_dataset
from weatherml.storage.share import WHOLE, Share

Item = TypeVar("Item")

_logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with how many fields (members times leads) are written, and how many there are in all."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """The same leads of batches that compute side by side, one on each device.

    Attributes:
        rollouts: Whose they are.
        leads: Positions of the leads.
        pieces: For each batch one for each of its slices, `[lead, number, channel, lat, lon]`; may still be computing.
        is_last: Whether the batches end here.
        ended: Positions of all batches that are whole once this is written.
    """

    rollouts: Sequence[BatchRollout]
    leads: range
    pieces: Sequence[Sequence[Array]]
    is_last: bool
    ended: tuple[int, ...]

    def parts(self) -> Iterator[tuple[tuple[int, int], Sequence[int], np.ndarray]]:
        """Yield what `Output.write` takes, waiting for the computation."""
        for rollout, pieces in zip(self.rollouts, self.pieces, strict=True):
            for part, piece in zip(rollout.batch, pieces, strict=True):
                yield (part.init, self.leads.start), part.places, np.asarray(piece)


@dataclass(frozen=True, eq=False)
class Stream:
    """A forecast on its way from the devices of this process.

    Every device takes a batch of its own and runs the program that one device alone would run, so a member comes out
    the same, bit for bit, however many there are; nothing passes between devices or processes. Several suites of models
    are placed on the devices one after the other.

    Attributes:
        setups: What batches go through, by suite; they have one layout.
    """

    setups: Sequence[RolloutSetup]

    @property
    def layout(self) -> Layout:
        """Axes of the forecast."""
        return self.setups[0].layout

    def datasets(self) -> Iterator[xr.Dataset]:
        """Yield all of the forecast in pieces of one initial time, as they are computed; the next one computes then."""
        before: Chunk | None = None
        for chunk in chain(self.chunks(range(len(self.layout.batches)), self.layout.chunk[1]), (None,)):
            if before is not None:
                yield from self._datasets_of(before)
            before = chunk  # no earlier one is held while the next begins

    def _datasets_of(self, chunk: Chunk) -> Iterator[xr.Dataset]:
        lead_times = self.layout.lead_times[chunk.leads.start : chunk.leads.stop]
        for (init, _), places, values in chunk.parts():
            init_times, numbers = self.layout.init_times[init : init + 1], self.layout.numbers[list(places)]
            coords = {"init_time": init_times, "lead_time": lead_times, "number": numbers}
            yield to_dataset(values[None], self.layout.spec, coords)

    def chunks(self, batches: Sequence[int], n_slots: int, most_batches: int | None = None) -> Iterator[Chunk]:
        """Yield chunks as their computation begins.

        Args:
            batches: Positions of those to compute.
            n_slots: Members of a compiled batch; divides that of the layout.
            most_batches: How many may be under way at once.
        """
        most = len(batches) if most_batches is None else most_batches
        with ThreadPoolExecutor(len(local_devices())) as pool:
            for suite, own in groupby(batches, lambda batch: model_of(self.layout.batches[batch], len(self.setups))):
                devices = [DeviceRollout(device, self.setups[suite]) for device in local_devices()]
                n_together = max(1, min(len(devices) * n_slots // self.layout.chunk[1], most))
                for together in _batched(list(own), n_together):
                    yield from self._advance(devices, together, n_slots, pool)

    def _advance(
        self, devices: Sequence[DeviceRollout], together: Sequence[int], n_slots: int, pool: ThreadPoolExecutor
    ) -> Iterator[Chunk]:
        """Yield the chunks of batches that are under way together; none is whole before the last of them is."""
        parts = [part for batch in together for part in self._split(batch, n_slots)]
        rounds = list(_batched(parts, len(devices)))
        for number, batches in enumerate(rounds, start=1):
            rollouts = [device.begin(own, n_slots) for device, own in zip(devices, batches, strict=False)]
            for position, leads in enumerate(self.layout.chunks):
                is_last = position == len(self.layout.chunks) - 1
                # Side by side, since each device compiles its first chunk.
                pieces = list(pool.map(partial(BatchRollout.advance, position=position), rollouts))
                yield Chunk(
                    rollouts, leads, pieces, is_last, tuple(together) if is_last and number == len(rounds) else ()
                )

    def _split(self, batch: int, n_slots: int) -> list[Batch]:
        """Return a batch, or what becomes of it in smaller ones."""
        whole = self.layout.batches[batch]
        return [whole] if n_slots == self.layout.chunk[1] else split_batch(whole, n_slots, self.layout.n_models)


@dataclass(eq=False)
class OutputStream:
    """A stream that ends in an output.

    Attributes:
        stream: Where chunks come from.
        output: Where they end.
        progress: Told how much is written.
        share: The batches that this process takes.
    """

    stream: Stream
    output: Output
    progress: Progress | None = None
    share: Share = WHOLE

    def run(self) -> None:
        """Compute and write the batches that the output does not have yet.

        Where a device runs out of memory, members go on in smaller batches.

        Raises:
            UserError: One member alone is too large for a device.
        """
        n_slots = self.stream.layout.chunk[1]
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
            is_whole = self.output.has_all(len(self.stream.layout.batches))
            if is_whole:
                self.output.finish()
            return is_whole

    def _has_room(self, n_slots: int) -> bool:
        """Compute and write what is missing, `n_slots` members at a time; return whether memory was large enough."""
        own = self.share.of(len(self.stream.layout.batches))
        missing = [batch for batch in own if batch not in self.output.done]
        n_all = self._n_fields(own)
        n_written = n_all - self._n_fields(missing)
        try:
            chunks = self.stream.chunks(missing, n_slots, self.output.most_batches)
            with ThreadPoolExecutor(1) as thread:
                # Each is waited for only once the next computes, so that computing and writing overlap.
                for written, _ in pairwise(chain(self._writing(chunks, thread), (None,))):
                    n_written += written.result()  # type: ignore[union-attr]
                    if self.progress is not None:
                        self.progress(n_written, n_all)
        except jax.errors.JaxRuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return False
        return True

    def _writing(self, chunks: Iterator[Chunk], thread: ThreadPoolExecutor) -> Iterator[Future[int]]:
        """Yield the writing of each chunk, which ends with how many fields it has."""
        before: Future[int] | None = None
        stopped: list[Stopped] = []
        for chunk in chunks:
            before = thread.submit(self._write, chunk, before, stopped)
            yield before

    def _write(self, chunk: Chunk, before: Future[int] | None, stopped: list[Stopped]) -> int:
        """Write a chunk; after the last one of batches that are under way together, end them."""
        if before is not None:
            before.result()  # raises where that one was not written: its batches must not end
        n_fields = 0
        for start, places, values in chunk.parts():
            self.output.write(start, places, values)
            n_fields += len(places) * len(values)
        if chunk.is_last:
            stopped += [own for rollout in chunk.rollouts for own in rollout.stopped()]
        if chunk.ended:
            for own in stopped:
                _logger.info("a member of the forecast stopped: %s", own)
            self.output.end_batches(chunk.ended, tuple(stopped))
            stopped.clear()
        return n_fields

    def _n_fields(self, batches: Sequence[int]) -> int:
        layout = self.stream.layout
        return len(layout.lead_times) * sum(len(part.numbers) for batch in batches for part in layout.batches[batch])


def is_out_of_memory(error: Exception) -> bool:
    """Return whether a device had too little memory; told at once it is RESOURCE_EXHAUSTED, later INTERNAL."""
    return "RESOURCE_EXHAUSTED" in str(error) or "Out of memory" in str(error)


def _batched(items: Sequence[Item], n: int) -> Iterator[Sequence[Item]]:
    """Yield up to `n` items at a time."""
    for start in range(0, len(items), n):
        yield items[start : start + n]
