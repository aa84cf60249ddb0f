"""Stopping on request: Ctrl-C and the signals that clusters send before they take a machine away."""

import signal
import threading
import time
from types import FrameType
from typing import Any, Self

from weatherml.errors import StopRequested
from weatherml.process.signals import OF_CLUSTERS, heard

_SIGNALS = (signal.SIGINT, *OF_CLUSTERS)
_ONE_REQUEST = 5.0
"""Seconds within which signals of a cluster are one request: it sends them to every process of a job, and some of these
pass them on."""


class Interruption:
    """Turns the first signal within a `with` block into a request that the block looks at when it suits.

    A second Ctrl-C acts as it would have without this, and so does another signal that comes a while later. Outside the
    main thread, where Python delivers no signals, nothing changes.
    """

    def __init__(self) -> None:
        self.is_requested = False
        self._is_of_a_person, self._asked = False, 0.0
        self._before: dict[signal.Signals, Any] = {}

    def stop(self, words: str) -> KeyboardInterrupt:
        """Return what to raise: where no person has asked, an end after which the job may be queued again."""
        return KeyboardInterrupt(words) if self._is_of_a_person else StopRequested(words)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._request) for number in _SIGNALS}
            for number in heard():  # which came where nobody could hear it
                self._request(number, None)
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()

    def _request(self, number: int, frame: FrameType | None) -> None:
        if not self.is_requested:
            self.is_requested, self._asked = True, time.monotonic()
            self._is_of_a_person = number == signal.SIGINT
        elif number == signal.SIGINT or time.monotonic() - self._asked > _ONE_REQUEST:
            self._give_back()
            signal.raise_signal(number)

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
