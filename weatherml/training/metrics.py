"""How training went: one JSON entry a line, and the same for TensorBoard."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from tensorboardX import SummaryWriter

from weatherml.data.atomic import write_bytes
from weatherml.errors import UserError

Entry = Mapping[str, Any]


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the entries of a `metrics.jsonl`, in order of `step`; a last line cut short by a crash is passed over."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


class MetricsLog:
    """Appends entries to `metrics.jsonl` and TensorBoard files in a folder.

    Args:
        directory: The folder.
        step: Where training goes on: entries after this step, which it will write again, are dropped.
    """

    def __init__(self, directory: Path, step: int) -> None:
        path = directory / "metrics.jsonl"
        kept = [json.dumps(entry) + "\n" for entry in read_metrics(path) if entry["step"] <= step]
        write_bytes(path, "".join(kept).encode())
        self._file = path.open("a")
        self._board = SummaryWriter(str(directory / "tensorboard"), purge_step=step + 1)

    def append(self, entry: Entry) -> None:
        """Write one entry, which has a `step`; it survives a crash of the process from here on.

        Raises:
            UserError: The disk is full.
        """
        try:
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()
        except OSError as error:
            raise UserError(f"cannot write {self._file.name}: {error.strerror}; make room, then run again") from error
        for name, value in entry.items():
            if name != "step" and value is not None:
                self._board.add_scalar(name, value, entry["step"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # a full disk has been reported by then
            self._file.close()
        self._board.close()
