"""Processes that die before any one of their changes to the disk, as by kill -9: nothing is cleaned up after them."""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

_CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.truncate"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def mortal() -> dict[str, str]:
    """Return the environment of a program that will be killed: half of what it compiles might be kept; so none is."""
    return os.environ | {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "1e9"}


def killed_before_each_change(action: Callable[[], object]) -> Iterator[int]:
    """Run an action in processes that are killed before their first change to the disk, their second, and so on.

    Yields the number of the change before which the process has just died; ends when a process has lived through it
    all, whose result is then on the disk.
    """
    for n in count(1):
        if not run_and_kill(action, n):
            assert n > 1, "the action changed nothing"
            return
        yield n


def run_and_kill(action: Callable[[], object], n: int) -> bool:
    """Run an action in a process that is killed before its n-th change; return whether it was, not having ended."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jax has threads, none of which the child needs
        child = os.fork()
    if child == 0:
        _die_before(n)
        try:
            action()
        except BaseException as error:
            print(f"not killed but failed: {error!r}", file=sys.stderr)
            os._exit(3)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), f"the process failed before change {n}"
    return status == signal.SIGKILL


def _die_before(n: int) -> None:
    seen = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING
        if writes or event in _CHANGES:
            seen += 1
            if seen == n:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def kill_during(owner: type, method: str, n: int, delay: float) -> None:
    """Have this process killed a while after it has entered a method for the n-th time.

    Args:
        owner: Whose method.
        method: Its name.
        n: Counted from 1.
        delay: Seconds from there.
    """
    original, calls = getattr(owner, method), count(1)

    def entered(*arguments: Any, **options: Any) -> Any:
        if next(calls) == n:
            threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
        return original(*arguments, **options)

    setattr(owner, method, entered)
