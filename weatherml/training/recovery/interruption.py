"""Stopping on request: Ctrl-C and the signal that clusters send before they take a machine away."""

import signal
import threading
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Turns the first SIGINT or SIGTERM within a `with` block into a request that the block looks at when it suits.

    A second signal acts as it would have without this. Outside the main thread, where Python delivers no signals,
    nothing changes.
    """

    def __init__(self) -> None:
        self.is_requested = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._request) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()

    def _request(self, number: int, frame: FrameType | None) -> None:
        self.is_requested = True
        self._give_back()

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
