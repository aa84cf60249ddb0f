"""The endless row of batches that a training step takes, and what there is to say of how fast they come."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

from weatherml.data.loading.order import Order
from weatherml.data.loading.prefetch import Prefetch
from weatherml.data.loading.room import FOR_BATCHES, require_room
from weatherml.data.loading.samples import Batch, Samples, Work

_KEEPS_UP = 0.03
"""Share of the time for which a step may wait before anything is said to limit it but itself."""


class Speed(NamedTuple):
    """How fast batches came.

    Attributes:
        share: Of the time in which a step waited for its batch, 0 to 1.
        gigabytes_per_second: Of float32 that were delivered.
        limit: `step` where batches are there in time, `reading` where threads wait for files, else `decoding`:
            unpacking and normalising take the processors.
    """

    share: float
    gigabytes_per_second: float
    limit: str

    @property
    def words(self) -> str:
        """What that means, in a few words; none where nothing is amiss."""
        if self.limit == "step":
            return ""
        why = {
            "reading": "the disk or network gives no more",
            "decoding": "unpacking takes all processors: more of them, or data without compression",
        }
        rate = f"{self.gigabytes_per_second:.2g} GB/s"
        return f"waits for data {self.share:.0%} of the time ({rate}; {why[self.limit]})"


class Spell(NamedTuple):
    """What loading did for some time.

    Attributes:
        elapsed: How long that was, seconds.
        n_bytes: Of float32 that were delivered.
        waited: Seconds for which steps waited.
        busy: Seconds of threads, reading included.
        read: Seconds of threads that waited for files.
    """

    elapsed: float
    n_bytes: int
    waited: float
    busy: float
    read: float

    @property
    def speed(self) -> Speed:
        """How fast batches came in it."""
        share = min(1.0, self.waited / self.elapsed)
        slowest = "reading" if self.read > self.busy / 2 else "decoding"
        return Speed(share, self.n_bytes / self.elapsed / 1e9, "step" if share < _KEEPS_UP else slowest)


def total(spells: Sequence[Spell]) -> Spell:
    """Return what was done in all of some spells."""
    return Spell(*map(sum, zip(*spells, strict=True)))


class Loader:
    """Batches of samples in a reproducible order, made ahead by threads.

    Args:
        samples: What to draw from.
        order: In which order, and for which process.
        position: How many batches of all processes together came before: 0, or what `position` was.
        place: Brings a batch to where it is used; called ahead of its use.
        n_threads: That read and normalise; as many as there are processors, from 4 to 16, when None.
        in_use: Bytes of the largest batch that is used meanwhile, such as a validation's; one of its own at least.

    Raises:
        UserError: Memory does not hold two batches.
    """

    def __init__(
        self,
        samples: Samples,
        order: Order,
        position: int = 0,
        place: Callable[[Batch], Any] = lambda batch: batch,
        n_threads: int | None = None,
        in_use: int = 0,
    ) -> None:
        self.position = position
        self._samples, self._order = samples, order
        self._batch_bytes = samples.sample_bytes * (order.batch_size // order.process_count)
        self._in_use = max(in_use, self._batch_bytes)
        self._taken, self._started = 0, time.perf_counter()
        self._prefetch: Prefetch[Batch, Any] = Prefetch(self._begin, place, position, self._most_ahead(), n_threads)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        """Return the next batch.

        Raises:
            UserError: Data cannot be read, or are missing where the statistics had some; the position stays.
        """
        batch = self._prefetch.take()
        self.position += 1
        self._taken += 1
        return batch

    def spell(self) -> Spell:
        """Return what was done since the last time this was asked."""
        tally, n_bytes, now = self._prefetch.tally(), self._taken * self._batch_bytes, time.perf_counter()
        elapsed, self._taken, self._started = now - self._started, 0, now
        return Spell(elapsed, n_bytes, tally.waited, tally.busy, tally.account.seconds)

    def close(self) -> None:
        """End the threads."""
        self._prefetch.close()

    def _begin(self, position: int) -> tuple[Batch, list[Work]]:
        return self._samples.begin(self._order.own(position))

    def _most_ahead(self) -> int:
        """Return how many batches memory holds beside the one in use."""
        samples = self._samples
        require_room(self._in_use, samples.memory_left, samples.n_bytes)
        return (int(FOR_BATCHES * samples.memory_left) - self._in_use) // self._batch_bytes
