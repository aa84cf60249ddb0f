"""What processes that have joined tell each other; one that is alone need not."""

import pickle
import socket
from collections.abc import Callable
from itertools import count
from typing import Any, TypeVar

import jax
import numpy as np

from weatherml.errors import UserError

T = TypeVar("T")

_PATIENCE = 3600
"""Seconds for which processes wait for the slowest of them, as for one whose disk is slow."""

_meetings = count()


def is_first() -> bool:
    """Return whether this process writes what is written once; one that is alone does."""
    return not jax.distributed.is_initialized() or jax.process_index() == 0


def n_processes() -> int:
    """Return how many processes compute together."""
    return jax.process_count() if jax.distributed.is_initialized() else 1


class JointError(UserError):
    """A mistake of one of several processes, of which all have heard: the first of them says it, and all end."""


def together(action: Callable[[], T]) -> T:
    """Do what one process may fail in, and fail in all if one does, before anybody waits for it in vain.

    Args:
        action: Done by every process; what it returns is this one's own.

    Raises:
        JointError: A mistake of the user was met, here or elsewhere.
    """
    if n_processes() == 1:
        return action()
    mistake: UserError | None = None
    try:
        result = action()
    except UserError as error:
        mistake = error
    told = _gather(None if mistake is None else (socket.gethostname(), mistake.args))
    met = [(index, *own) for index, own in enumerate(told) if own is not None]
    if not met:
        return result
    index, host, (message, *remedies) = met[0]
    everywhere = len(met) == len(told) and all(own == met[0][2] for _, _, own in met)
    where = "" if everywhere else f"process {index} of {len(told)} on {host}: "
    joint = JointError(f"{where}{message}", *remedies)
    joint.is_told = not is_first()
    raise joint


def broadcast(value: T) -> T:
    """Return what the first process passes; of a few thousand bytes at most."""
    if n_processes() == 1:
        return value
    first: T = _gather(value if is_first() else None)[0]
    return first


def meet() -> None:
    """Wait until all processes are here."""
    _gather(None)


def _gather(value: Any) -> list[Any]:
    """Return what all processes pass, in their order.

    They meet first, since what computes together gives up when one of them is half a minute late.
    """
    if n_processes() == 1:
        return [value]
    # Imported where several processes are: both take a second.
    from jax.experimental.multihost_utils import process_allgather
    from orbax.checkpoint.multihost import get_barrier_sync_fn

    get_barrier_sync_fn()(key=f"weatherml {next(_meetings)}", timeout_ms=_PATIENCE * 1000)
    own = np.frombuffer(pickle.dumps(value), np.uint8)
    sizes = process_allgather(np.int32(own.size))
    padded = np.zeros(int(sizes.max()), np.uint8)
    padded[: own.size] = own
    rows = process_allgather(padded)
    return [pickle.loads(row[:size].tobytes()) for row, size in zip(rows, sizes, strict=True)]
