"""Where training stands, on disk: all that is needed to go on as if it had never stopped."""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from errno import ENOSPC
from pathlib import Path
from typing import Any, Self

import orbax.checkpoint as ocp

from weatherml.errors import UserError
from weatherml.storage.files import write_bytes
from weatherml.storage.flush import flush, flush_tree
from weatherml.training.update.step import TrainingState

_FULL, _MOST_WORDS = os.strerror(ENOSPC), 200


@dataclass
class Cursor:
    """What goes with a training state: plain values that the host keeps.

    Attributes:
        loader: How many batches of the stage came before. Grain's iterators, of which older snapshots are, wrote
            `{"next_index": ...}`: the same batches by the same numbers.
        losses: Of the steps since the last metrics entry.
        gradient_norms: Likewise.
        best_loss: Lowest validation loss so far; None before the first validation.
    """

    loader: Any = None
    losses: list[float] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)
    best_loss: float | None = None

    @property
    def position(self) -> int:
        """How many batches of the stage came before."""
        return int(self.loader["next_index"] if isinstance(self.loader, Mapping) else self.loader or 0)


class Snapshots:
    """The latest snapshots of a training; each appears whole or not at all, and the one before it is kept.

    Orbax gives a snapshot its name before the disk holds all of it. A file beside the folder tells the latest that the
    disk does hold; what a power cut has left of a later one is deleted.

    Raises:
        UserError: The disk is full, or the folder cannot be written.
    """

    def __init__(self, directory: Path) -> None:
        # Not asynchronous: the next step consumes (donates) the arrays that a background thread would still read.
        options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=False)
        self._directory, self._whole = directory, directory.with_name(f"{directory.name}.json")
        with _explaining_errors(f"open {directory}"):
            self._manager = ocp.CheckpointManager(directory.absolute(), options=options)
            if self._whole.exists():
                whole = json.loads(self._whole.read_bytes())["step"]
                for step in (step for step in self._manager.all_steps() if step > whole):
                    self._manager.delete(step)

    def latest_step(self) -> int | None:
        """Return the number of completed optimiser steps in the latest snapshot, if there is one."""
        step: int | None = self._manager.latest_step()
        return step

    def save(self, step: int, state: TrainingState, cursor: Cursor) -> None:
        """Write a snapshot.

        Raises:
            UserError: The disk is full or cannot be written; the snapshot before is still whole.
        """
        arrays, values = ocp.args.StandardSave(state), ocp.args.JsonSave(asdict(cursor))
        with _explaining_errors(f"save step {step} to {self._directory}"):
            self._manager.save(step, args=ocp.args.Composite(state=arrays, cursor=values))
            flush_tree(self._directory / str(step))
            flush(self._directory)
        write_bytes(self._whole, json.dumps({"step": step}).encode())

    def restore(self, like: TrainingState) -> tuple[TrainingState, Cursor]:
        """Read the latest snapshot, laid out on devices as `like` is."""
        arrays, values = ocp.args.StandardRestore(like), ocp.args.JsonRestore()
        saved = self._manager.restore(self.latest_step(), args=ocp.args.Composite(state=arrays, cursor=values))
        return saved.state, Cursor(**saved.cursor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._manager.close()


@contextmanager
def _explaining_errors(action: str) -> Iterator[None]:
    """Turn what Orbax raises into one line, and hold back the tracebacks that its threads log of the same."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    except (OSError, ValueError) as error:
        words = " ".join(str(error).split())
        reason = _FULL if _FULL in words else words[:_MOST_WORDS]
        raise UserError(f"cannot {action}: {reason}; make room, then run again") from error
    finally:
        logger.setLevel(level)
