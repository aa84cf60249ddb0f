"""Where training stands, on disk: all that is needed to go on as if it had never stopped."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import orbax.checkpoint as ocp

from weatherml.errors import UserError
from weatherml.training.step import TrainingState


@dataclass
class Cursor:
    """What goes with a training state: plain values that the host keeps.

    Attributes:
        loader: Position in the stage's samples; as `get_state` gives it.
        losses: Of the steps since the last metrics entry.
        gradient_norms: Likewise.
        best_loss: Lowest validation loss so far; None before the first validation.
    """

    loader: Any = None
    losses: list[float] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)
    best_loss: float | None = None


class Snapshots:
    """The latest snapshots of a training; each appears whole or not at all, and the one before it is kept."""

    def __init__(self, directory: Path) -> None:
        # Not asynchronous: the next step consumes (donates) the arrays that a background thread would still read.
        options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=False)
        self._manager = ocp.CheckpointManager(directory.absolute(), options=options)
        self._directory = directory

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
        try:
            self._manager.save(step, args=ocp.args.Composite(state=arrays, cursor=values))
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"cannot save step {step} to {self._directory}: {reason}; make room, then run again"
            ) from error

    def restore(self, like: TrainingState) -> tuple[TrainingState, Cursor]:
        """Read the latest snapshot, laid out on devices as `like` is."""
        arrays, values = ocp.args.StandardRestore(like), ocp.args.JsonRestore()
        saved = self._manager.restore(self.latest_step(), args=ocp.args.Composite(state=arrays, cursor=values))
        return saved.state, Cursor(**saved.cursor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._manager.close()
