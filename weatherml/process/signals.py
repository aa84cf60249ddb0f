"""Signals that ask the program to stop, raised in it until it hears them.

Python raises wherever the program is. Where that is in a callback of the garbage collector, as jax has one, or in the
end of an object, the exception is printed and forgotten, and the program would go on to its end.
"""

import signal
import sys
from types import FrameType

from weatherml.errors import StopRequested

OF_CLUSTERS = frozenset(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name))
"""What clusters send before they take a machine away."""

_AGAIN, _SOON = 1.0, 0.05
"""Seconds after which a request is made again that nobody may have heard, or that would not have been."""
_DEAF = {"_xla_gc_callback", "__del__"}
"""Functions that exceptions do not leave."""

_asked: list[int] = []


def raise_when_asked(signals: frozenset[signal.Signals]) -> None:
    """Raise where one of these signals comes: `StopRequested`, and `KeyboardInterrupt` where it is Ctrl-C.

    Whoever catches it calls `heard`.
    """
    for number in signals:
        signal.signal(number, _stop)
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, _ask_again)


def heard() -> list[int]:
    """Let the request that has been caught be the last of its kind; return the signals that have come since the last.

    Who is about to listen in a way of its own learns by it whether one has come that nobody has caught.
    """
    _wake_after(0.0)
    signals = list(_asked)
    _asked.clear()
    return signals


def _stop(number: int, frame: FrameType | None) -> None:
    _asked.append(number)
    if _is_deaf(frame):
        _wake_after(_SOON)
        return
    _wake_after(_AGAIN)
    raise KeyboardInterrupt if number == signal.SIGINT else StopRequested


def _ask_again(_: int, frame: FrameType | None) -> None:
    """Raise what was asked for, unless it is on its way: then whatever cleans up behind it is left to do so."""
    if not _asked:
        return
    if _is_on_its_way():
        _wake_after(_AGAIN)
    else:
        _stop(_asked.pop(), frame)


def _is_on_its_way() -> bool:
    error = sys.exc_info()[1]
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__context__
    return False


def _is_deaf(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name in _DEAF:
            return True
        frame = frame.f_back
    return False


def _wake_after(seconds: float) -> None:
    if hasattr(signal, "setitimer") and _asked:
        signal.setitimer(signal.ITIMER_REAL, seconds)
