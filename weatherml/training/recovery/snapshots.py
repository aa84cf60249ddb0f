"""Where training stands, on disk: all that is needed to go on as if it had never stopped."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from errno import ENOSPC
from pathlib import Path
from typing import Any, Self

import orbax.checkpoint as ocp

from weatherml.errors import UserError
from weatherml.parallel import broadcast, is_first, n_processes, together
from weatherml.storage.flush import flush, flush_tree, make_folder
from weatherml.training.recovery.ledger import Ledger
from weatherml.training.update.step import TrainingState

_FULL, _MOST_WORDS = os.strerror(ENOSPC), 200
_NONE = -1
"""Step before all: no snapshot is whole."""
_logger = logging.getLogger(__name__)


@dataclass
class Cursor:
    """What goes with a training state: plain values that the host keeps.

    Attributes:
        loader: How many batches of the stage came before. Grain's iterators, of which older snapshots are, wrote
            `{"next_index": ...}`: the same batches by the same numbers.
        losses: Of the steps since the last metrics entry.
        gradient_norms: Likewise.
        best_loss: Lowest validation loss so far; None before the first validation.
        non_finite: Steps since the last metrics entry whose loss or gradient was not finite.
        n_skipped: How many of these came one after the other, up to now.
        n_rollbacks: How often training has gone back to the latest snapshot.
        passed: How many batches of a stage, by its number, are passed over since such a step was among them.
    """

    loader: Any = None
    losses: list[float] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)
    best_loss: float | None = None
    non_finite: list[dict[str, Any]] = field(default_factory=list)
    n_skipped: int = 0
    n_rollbacks: int = 0
    passed: dict[str, int] = field(default_factory=dict)

    @property
    def position(self) -> int:
        """How many batches of the stage came before."""
        return int(self.loader["next_index"] if isinstance(self.loader, Mapping) else self.loader or 0)


class Snapshots:
    """The latest snapshots of a training; each appears whole or not at all, and the one before it is kept.

    A snapshot is copied from the devices before `save` returns, and written while training goes on. Orbax gives it its
    name before the disk holds all of it, so a file beside the folder tells up to which the disk does, and what is in
    their files; what a power cut has left of a later one is deleted.

    Processes that train together make snapshots together: each calls every method at the same steps.

    Args:
        directory: The folder.
        keep: How many; at least 2, for while one is written the one before must stay.

    Raises:
        UserError: The disk is full, the folder cannot be written, or what was recorded of snapshots is damaged.
    """

    def __init__(self, directory: Path, keep: int = 2) -> None:
        self._directory = directory
        self._silenced = logging.getLogger("absl")  # tells of a full disk with a traceback a thread
        self._level = self._silenced.level
        self._silenced.setLevel(logging.CRITICAL)
        self._writer = ThreadPoolExecutor(1, "snapshots")
        self._writing: Future[None] | None = None
        try:
            self._open(keep)
        except BaseException:
            self._silenced.setLevel(self._level)
            raise

    def latest_step(self) -> int | None:
        """Return the number of completed optimiser steps in the latest snapshot, if there is one."""
        step: int | None = self._manager.latest_step()
        return step

    def drop_damaged(self) -> None:
        """Delete the latest snapshots as far as they are not what was written, and say so.

        Raises:
            UserError: None is whole any more.
        """
        latest = self.latest_step()
        if latest is None:
            return
        whole = _told_by_first(self._latest_whole)
        for step in self._steps_after(whole):
            self._manager.delete(step)
        if whole != latest and is_first():
            self._ledger.enter(whole, self._folders())

    def save(self, step: int, state: TrainingState, cursor: Cursor) -> None:
        """Copy a state, and begin to write it.

        Raises:
            UserError: The one before could not be written: the disk is full, or fails; an earlier one is still whole.
        """
        self.wait()
        arrays, values = ocp.args.PyTreeSave(state), ocp.args.JsonSave(asdict(cursor))
        with _explaining_errors(self._action(step)):
            self._manager.save(step, args=ocp.args.Composite(state=arrays, cursor=values))
        self._writing = self._writer.submit(self._finish, step)

    def wait(self) -> None:
        """Wait until the disk holds what was saved.

        Raises:
            UserError: It does not: it is full, or fails.
        """
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def require_no_failure(self) -> None:
        """Require that nothing has failed of what is being written, without waiting for it.

        Raises:
            UserError: The disk is full, or fails.
        """
        # Of several processes the first alone knows at once; the others hear it at the next snapshot, and by its end.
        if self._writing is not None and self._writing.done() and self._writing.exception() is not None:
            self.wait()

    def restore(self, like: TrainingState) -> tuple[TrainingState, Cursor]:
        """Read the latest snapshot, laid out on devices as `like` is, however it lay when it was written."""
        self.wait()
        lying = ocp.checkpoint_utils.construct_restore_args(like)
        arrays, values = ocp.args.PyTreeRestore(like, restore_args=lying), ocp.args.JsonRestore()
        saved = self._manager.restore(self.latest_step(), args=ocp.args.Composite(state=arrays, cursor=values))
        return saved.state, Cursor(**saved.cursor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            self._close(is_told=kind is not None)
        finally:
            self._silenced.setLevel(self._level)

    def _close(self, is_told: bool) -> None:
        """End what is being written; where something else has failed before, that is what there is to tell."""
        try:
            self.wait()
        except UserError:
            if not is_told:
                raise
        finally:
            self._writer.shutdown()
            with _explaining_errors(f"close {self._directory}"):
                self._manager.close()

    def _finish(self, step: int) -> None:
        """Have the disk hold a snapshot, then record that it does."""
        with _explaining_errors(self._action(step)):
            self._manager.wait_until_finished()
            if is_first():
                flush_tree(self._directory / str(step))
                flush(self._directory)
                self._ledger.enter(step, self._folders())

    def _open(self, keep: int) -> None:
        together(self._make_folder)
        with _explaining_errors(f"open {self._directory}"):
            self._manager = ocp.CheckpointManager(
                self._directory.absolute(), options=_options(keep), item_handlers=_handlers()
            )
        self._ledger = Ledger(_ledger_of(self._directory))
        self._delete_what_is_not_whole()

    def _make_folder(self) -> None:
        if is_first():
            with _explaining_errors(f"open {self._directory}"):
                make_folder(self._directory)

    def _delete_what_is_not_whole(self) -> None:
        whole = _told_by_first(self._open_ledger)
        with _explaining_errors(f"open {self._directory}"):
            for step in self._steps_after(whole):
                self._manager.delete(step)

    def _open_ledger(self) -> int:
        """Return the latest step that the disk holds for certain; begin a record where there is none."""
        if self._ledger.whole is None:
            latest = self.latest_step()
            self._ledger.enter(_NONE if latest is None else latest, self._folders())
        self._require_recorded(self._ledger.whole)
        return _NONE if self._ledger.whole is None else self._ledger.whole

    def _require_recorded(self, whole: int | None) -> None:
        """Require that what is recorded is there, or at least a snapshot before it, which the log then tells of."""
        steps: list[int] = sorted(self._manager.all_steps())
        if whole is None or whole == _NONE or whole in steps:
            return
        before, record = [step for step in steps if step < whole], _ledger_of(self._directory)
        if not before:
            raise UserError(
                f"{record} tells of a snapshot of step {whole}, which is not in {self._directory}; put it back from a"
                f" copy, or delete {record}, or choose another folder, to begin again at the first step"
            )
        _logger.warning(
            "the snapshot of step %s, of which %s tells, is not in %s: training goes on from that of step %s",
            *(whole, record, self._directory, before[-1]),
        )

    def _latest_whole(self) -> int:
        steps: list[int] = sorted(self._manager.all_steps(), reverse=True)
        damages: list[tuple[int, str]] = []
        for step in steps:
            damage = self._ledger.damage(step, self._directory / str(step))
            if damage is None:
                for lost, why in damages:
                    _logger.warning(
                        "the snapshot of step %s in %s is damaged (%s): training goes on from that of step %s",
                        *(lost, self._directory, why, step),
                    )
                return step
            damages.append((step, damage))
        told = "; ".join(f"step {step}: {damage}" for step, damage in damages)
        raise UserError(
            f"no snapshot in {self._directory} is what was written ({told}); train in another folder, or put them back"
            " from a copy"
        )

    def _steps_after(self, step: int) -> list[int]:
        return sorted(later for later in self._manager.all_steps() if later > step)

    def _folders(self) -> dict[int, Path]:
        return {step: self._directory / str(step) for step in self._manager.all_steps()}

    def _action(self, step: int) -> str:
        return f"save step {step} to {self._directory}"


def has_begun(directory: Path) -> bool:
    """Return whether a folder of snapshots has, or its record tells of, any that a training goes on from.

    Raises:
        UserError: What was recorded of snapshots is damaged.
    """
    whole = Ledger(_ledger_of(directory)).whole
    return whole not in (None, _NONE) or (
        directory.is_dir() and any(path.name.isdigit() for path in directory.iterdir())
    )


def _ledger_of(directory: Path) -> Path:
    """Return the file beside a folder of snapshots that tells which of them are whole."""
    return directory.with_name(f"{directory.name}.json")


def _told_by_first(action: Callable[[], int]) -> int:
    """Return what the first process finds, in every process; all of them fail where it does."""
    return broadcast(together(lambda: action() if is_first() else 0))


def _options(keep: int) -> ocp.CheckpointManagerOptions:
    return ocp.CheckpointManagerOptions(max_to_keep=keep, create=False, multiprocessing_options=_meeting())


def _handlers() -> dict[str, ocp.CheckpointHandler]:
    # Compressed, weights and moments take 7 % less room and two to three times the processors' time.
    arrays = ocp.PyTreeCheckpointHandler(use_compression=False, multiprocessing_options=_meeting())
    return {"state": arrays, "cursor": ocp.JsonCheckpointHandler(multiprocessing_options=_meeting())}


def _meeting() -> ocp.options.MultiprocessingOptions:
    # Named, processes meet at the coordinator: threads that met on the devices would be amid a step.
    together = set(range(n_processes())) if n_processes() > 1 else None
    return ocp.options.MultiprocessingOptions(active_processes=together)


@contextmanager
def _explaining_errors(action: str) -> Iterator[None]:
    """Turn what Orbax raises into one line."""
    try:
        yield
    except UserError:
        raise
    except (OSError, ValueError) as error:
        words = " ".join(str(error).split())
        reason = _FULL if _FULL in words else words[:_MOST_WORDS]
        raise UserError(f"cannot {action}: {reason}; make room, then run again") from error
