"""Batches made ahead by threads, as many as waiting for them asks for and memory allows."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from weatherml.data.loading.samples import Work
from weatherml.data.store.maps import Account

Made = TypeVar("Made")
Placed = TypeVar("Placed")

_LEAST_THREADS, _MOST_THREADS = 4, 16
_LEAST_DEPTH = 2
_NOTICED = 0.02
"""Share of the time between two batches; who waits longer has batches made further ahead, where threads are idle."""
_BUSY = 0.9
"""Share of the time of all threads; of who is busier, more is not to be had by asking earlier."""
_CALM = 100
"""Batches without a wait after which fewer are made ahead."""


@dataclass
class Tally:
    """What making batches took, all threads together.

    Attributes:
        account: What was read.
        busy: Seconds of threads, reading included.
        waited: Seconds for which the one who takes them has waited.
        started: On the clock, seconds.
    """

    account: Account = field(default_factory=Account)
    busy: float = 0.0
    waited: float = 0.0
    started: float = field(default_factory=time.perf_counter)


@dataclass(eq=False)
class _Coming(Generic[Made, Placed]):
    """One thing that is being made.

    Attributes:
        made: It, whole once all pieces are done; None once only who places it needs to hold it.
        pieces: What is being done for it.
        placed: Where it is used; None before its turn comes.
    """

    made: Made | None
    pieces: Sequence[Future[None]]
    placed: Future[Placed] | None = None


class Prefetch(Generic[Made, Placed]):
    """An endless row of things made ahead, in order.

    Args:
        begin: Returns what is made at a position, and the pieces of work after which it is there.
        place: Brings it to where it is used, such as to a device; the next one is there before it is asked for.
        position: Of the first.
        most: How many may be held beside the one in use.
        n_threads: That work; as many as there are processors when None.
    """

    def __init__(
        self,
        begin: Callable[[int], tuple[Made, Sequence[Work]]],
        place: Callable[[Made], Placed],
        position: int,
        most: int,
        n_threads: int | None = None,
    ) -> None:
        self._begin, self._place = begin, place
        self._position, self._most = position, most
        self.depth, self._n_calm = min(_LEAST_DEPTH, most), 0
        self._n_threads = n_threads or min(_MOST_THREADS, max(_LEAST_THREADS, _n_cores()))
        self._pool = ThreadPoolExecutor(self._n_threads, "loader")
        self._placer = ThreadPoolExecutor(1, "placer")
        self._coming: deque[_Coming[Made, Placed]] = deque()
        self._lock, self._tally = threading.Lock(), Tally()
        self._last, self._busy = time.perf_counter(), 0.0

    def take(self) -> Placed:
        """Return the next; what comes after it is being made meanwhile.

        After an error nothing of what was being made is kept: the next call begins anew, with the same position.
        """
        try:
            return self._take()
        except BaseException:
            self._drop()
            raise

    def tally(self) -> Tally:
        """Return what there was since the last time this was asked."""
        with self._lock:
            told, self._tally = self._tally, Tally()
        return told

    def close(self) -> None:
        """End the threads, once they have done what they are at."""
        self._pool.shutdown(cancel_futures=True)
        self._placer.shutdown(cancel_futures=True)

    def _take(self) -> Placed:
        self._fill(self._position)
        asked = time.perf_counter()
        made = self._place_first().result()
        waited = time.perf_counter() - asked
        self._tally.waited += waited
        self._coming.popleft()
        self._tune(waited)
        self._fill(self._position + 1)
        self._place_first()
        self._position += 1
        return made

    def _place_first(self) -> Future[Placed]:
        first = self._coming[0]
        if first.placed is None:
            made, first.made = first.made, None
            first.placed = self._placer.submit(self._finish, cast(Made, made), first.pieces)
        return first.placed

    def _finish(self, made: Made, pieces: Sequence[Future[None]]) -> Placed:
        for piece in pieces:
            piece.result()
        return self._place(made)

    def _fill(self, position: int) -> None:
        while len(self._coming) < self.depth:
            made, works = self._begin(position + len(self._coming))
            self._coming.append(_Coming(made, [self._pool.submit(self._do, work) for work in works]))

    def _drop(self) -> None:
        """Forget what is being made, once nobody is at it any more: memory holds no second row of batches."""
        futures: list[Future[Any]] = [future for coming in self._coming for future in coming.pieces]
        futures += [coming.placed for coming in self._coming if coming.placed is not None]
        wait([future for future in futures if not future.cancel()])
        self._coming.clear()

    def _do(self, work: Work) -> None:
        started = time.perf_counter()
        account = work()
        seconds = time.perf_counter() - started
        with self._lock:
            tally = self._tally
            self._busy += seconds
            tally.busy += seconds
            tally.account.n_bytes += account.n_bytes
            tally.account.seconds += account.seconds

    def _tune(self, waited: float) -> None:
        now = time.perf_counter()
        with self._lock:
            elapsed, busy = now - self._last, self._busy
            self._last, self._busy = now, 0.0
        if waited > _NOTICED * elapsed:
            self._n_calm = 0
            if busy < _BUSY * elapsed * self._n_threads:
                self.depth = min(self.depth + 1, self._most)
            return
        self._n_calm += 1
        if self._n_calm >= _CALM and self.depth > _LEAST_DEPTH:
            self.depth, self._n_calm = self.depth - 1, 0


def _n_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
