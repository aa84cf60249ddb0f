"""How training went: one JSON entry a line, and the same for TensorBoard."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import scalar

from weatherml.errors import UserError
from weatherml.storage.files import write_bytes
from weatherml.storage.flush import flush

Entry = Mapping[str, Any]


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the entries of a `metrics.jsonl`, in order of `step`; a last line cut short by a crash is passed over."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


class MetricsLog:
    """Appends entries to `metrics.jsonl` and TensorBoard files in a folder.

    Both are written by the caller's thread: a thread of TensorBoard's own meets a full disk where nobody hears of it.

    Args:
        directory: The folder.
        step: Where training goes on: entries after this step, which it will write again, are dropped.

    Raises:
        UserError: The disk is full, or the folder cannot be written.
    """

    def __init__(self, directory: Path, step: int) -> None:
        self._path, board = directory / "metrics.jsonl", directory / "tensorboard"
        self._drop_after(step)
        with _explaining_errors(self._path), ExitStack() as opened:
            board.mkdir(exist_ok=True)
            self._file = opened.enter_context(self._path.open("a"))
            self._board = opened.enter_context(closing(EventsWriter(str(board / "events"))))
            self._forget_after(step)
            self._opened = opened.pop_all()

    def go_back(self, step: int) -> None:
        """Drop the entries after a step, from which training goes on another way.

        Raises:
            UserError: The disk is full.
        """
        with _explaining_errors(self._path):
            self._file.close()
            self._drop_after(step)
            self._file = self._opened.enter_context(self._path.open("a"))
            self._forget_after(step)

    def append(self, entry: Entry) -> None:
        """Write one entry, which has a `step`; it survives a crash of the process from here on.

        Raises:
            UserError: The disk is full.
        """
        values = dict(_numbers({name: value for name, value in entry.items() if name != "step"}))
        with _explaining_errors(self._path):
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()
            for name, value in values.items():
                event = Event(wall_time=time.time(), step=entry["step"], summary=scalar(name, value))
                self._board.write_event(event)
            self._board.flush()

    def flush(self) -> None:
        """Have the disk hold the entries so far.

        Raises:
            UserError: The disk refuses.
        """
        with _explaining_errors(self._path):
            flush(self._path)

    def _drop_after(self, step: int) -> None:
        kept = [json.dumps(entry) + "\n" for entry in read_metrics(self._path) if entry["step"] <= step]
        write_bytes(self._path, "".join(kept).encode())

    def _forget_after(self, step: int) -> None:
        """Have TensorBoard forget what it has read of later steps."""
        self._board.write_event(Event(step=step + 1, session_log=SessionLog(status=SessionLog.START)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # a full disk has been reported by then
            self._opened.close()


def _numbers(entry: Entry, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield what is a number, by its name; numbers of channels by that and the channel, such as `loss/t850`."""
    for name, value in entry.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            yield f"{prefix}{name}", value


class NoLog:
    """What a process keeps of a training whose metrics another one writes: nothing."""

    def append(self, entry: Entry) -> None:
        """Keep nothing."""

    def go_back(self, step: int) -> None:
        """Have nothing to drop."""

    def flush(self) -> None:
        """Have nothing to flush."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@contextmanager
def _explaining_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; make room, then run again") from error
