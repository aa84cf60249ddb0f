"""An end in bounded time for a training that does not go on: a device, a peer or a file system that hangs."""

import os
import sys
import threading
import time
from contextlib import suppress
from typing import Self

from weatherml.errors import LOST

COMPILING = 10.0
"""How many times longer than others a step may take that is compiled first."""


class Watchdog:
    """Ends the process where what it is told to expect does not come.

    What hangs, hangs in compiled code, out of Python's reach: so the process ends there and then, as if it had been
    killed. One line on standard error says what it waited for.

    Args:
        limit: Seconds to wait for one thing; without end when None.
        remedy: What to do about it, for the line.
    """

    def __init__(self, limit: float | None, remedy: str) -> None:
        self._limit, self._remedy = limit, remedy
        self._expected, self._deadline = "", float("inf")
        self._ended = threading.Event()

    def expect(self, what: str, compiles: bool = False) -> None:
        """Wait for another thing from now on; what was waited for has come.

        Args:
            what: For the line, such as `step 17 of 300`.
            compiles: Whether it takes longer, because a program is compiled for it.
        """
        if self._limit is not None:
            self._expected = what
            self._deadline = time.monotonic() + self._limit * (COMPILING if compiles else 1.0)

    def __enter__(self) -> Self:
        if self._limit is not None:
            threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def _watch(self) -> None:
        left = self._left()
        while not self._ended.wait(left):
            left = self._left()
            if left <= 0:
                self._end()

    def _left(self) -> float:
        """Return how long to wait, seconds; what is expected next may be expected sooner."""
        return min(self._limit or 0.0, self._deadline - time.monotonic())

    def _end(self) -> None:
        with suppress(OSError):
            print(f"weatherml: {self._expected} did not come to its end; {self._remedy}", file=sys.stderr, flush=True)
        os._exit(LOST)
