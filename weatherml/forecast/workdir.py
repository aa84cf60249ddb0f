"""A forecast that is being made: a folder beside the output, and records of which waves are whole."""

import errno
import fcntl
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Generic, Self, TypeVar
from uuid import uuid4

from weatherml.config import Config
from weatherml.errors import UserError
from weatherml.forecast.occupied import require_free
from weatherml.storage.files import PARTIAL, write_bytes
from weatherml.storage.room import require_space

_DESCRIPTION = "forecast.json"
_RECORD = "share-{}-of-{}"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Share:
    """What one of several processes does of a forecast: every `count`-th wave from `index` on.

    Raises:
        UserError: There is no such share.
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not self.count:
            raise UserError(f"share {self.index}/0 is no share; 0/1 is all of a forecast")
        if not self.index < self.count:
            last = f"{self.count - 1}/{self.count}"
            raise UserError(f"share {self.index}/{self.count} must be one of 0/{self.count} to {last}; count from 0")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `2/8`.

        Raises:
            UserError: It is none.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        if match is None:
            raise UserError(f"share {text!r} must read INDEX/COUNT, for example 0/8 to 7/8 in eight processes")
        return cls(int(match[1]), int(match[2]))

    @property
    def name(self) -> str:
        """What files of this share begin with."""
        return _RECORD.format(self.index, self.count)

    def of(self, n_waves: int) -> range:
        """Return the positions of the waves."""
        return range(self.index, n_waves, self.count)


WHOLE = Share()
"""All of it."""

Failures = Mapping[tuple[int, int], str]
"""What befell members that failed, by (position of the initial time, number)."""


def stories(failures: Failures) -> list[str]:
    """Return what befell members, by initial time and number."""
    return [failures[member] for member in sorted(failures)]


class Record(Config):
    """What one process has done for good; replaced in one act.

    Attributes:
        waves: Positions of the waves that are whole.
        failed: Initial time, number and story of the members that failed.
    """

    waves: tuple[int, ...] = ()
    failed: tuple[tuple[int, int, str], ...] = ()

    def after(self, waves: tuple[int, ...], failures: Failures) -> dict[str, Any]:
        """Return the values of these fields once more waves are whole."""
        stories = [(*member, story) for member, story in failures.items()]
        return {"waves": (*self.waves, *waves), "failed": (*self.failed, *stories)}


RecordT = TypeVar("RecordT", bound=Record)


class Unfinished(Generic[RecordT]):
    """The folder in which an output is made.

    It holds a description of what is asked for, a record for each process that has a share, the result, and whatever
    else the output needs meanwhile. It appears with its first content at once, and one process at a time has a share.

    Args:
        path: The output to be.
        request: Tells whether it is the same forecast.
        nothing: The record of a process that has done nothing.
        overwrite: Replace what is at `path` in the end, and another forecast that was interrupted there now.

    Raises:
        UserError: Something is at `path`, or part of another forecast is beside it.
    """

    def __init__(self, path: Path, request: str, nothing: RecordT, overwrite: bool) -> None:
        require_free(path, overwrite)
        self.path, self.request, self._nothing = path, request, nothing
        self.folder = path.with_name(f".{path.name}{PARTIAL}")
        self._lock: IO[str] | None = None
        if _holds_something(self.folder) and not self.is_begun and not overwrite:
            raise UserError(
                f"{self.folder} holds part of another forecast; choose another path, or pass overwrite (--overwrite)"
                " to drop it"
            )

    @property
    def result(self) -> Path:
        """The output itself, which gets its name in the end."""
        return self.folder / "result"

    @property
    def description(self) -> dict[str, Any]:
        """What was noted when this very forecast was begun here; empty if it was not."""
        try:
            found: dict[str, Any] = json.loads((self.folder / _DESCRIPTION).read_text())
        except (OSError, ValueError):
            return {}
        return found if found.get("request") == self.request else {}

    @property
    def is_begun(self) -> bool:
        """Whether this very forecast was begun here."""
        return bool(self.description)

    def begin(
        self,
        description: Mapping[str, Any],
        n_bytes: int,
        fill: Callable[[Path], None] = lambda folder: None,
        least: int | None = None,
    ) -> None:
        """Make the folder, unless this forecast was begun here.

        Args:
            description: What to note; JSON values.
            n_bytes: The room that all of it may take.
            fill: Writes the first content.
            least: The room that it takes however well it is compressed; see `require_space`.

        Raises:
            UserError: There is no room, or the disk refuses.
        """
        if self.is_begun:
            return
        require_space(self.path, n_bytes, least)
        # Not by process number: on two machines, or in two containers, that may be the same.
        new = self.folder.with_name(f"{self.folder.name}.{uuid4().hex}")
        with explaining_errors(self.path):
            try:
                new.mkdir(parents=True)
                fill(new)
                write_bytes(new / _DESCRIPTION, json.dumps({**description, "request": self.request}).encode())
                self._put_in_place(new)
            finally:
                shutil.rmtree(new, ignore_errors=True)
        if self.description.get("batch") != description.get("batch"):
            raise UserError(f"another process has just begun {self.path} in another batch; run the same forecast again")

    def _put_in_place(self, new: Path) -> None:
        """Give the folder its name, unless another process of the same forecast was first."""
        if self.folder.exists() and not self.is_begun:  # in this order: another process may be putting its own there
            shutil.rmtree(self.folder, ignore_errors=True)
        try:
            new.rename(self.folder)
        except OSError:
            if not self.is_begun:
                raise

    def lock(self, share: Share) -> None:
        """Keep others from this share until `close`.

        Raises:
            UserError: Another process has it, or shares of another count are being made.
        """
        with explaining_errors(self.path):
            self._lock = open(self.folder / f"{share.name}.lock", "a")
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._require_same_count(share)
            except BlockingIOError:
                self.close()
                raise UserError(
                    f"another process is making this very forecast at {self.path}; wait for it, or choose another path"
                ) from None

    def _require_same_count(self, share: Share) -> None:
        """Look whether anybody makes shares of another count, which may be the same members."""
        for file in self.folder.glob(f"{_RECORD.format('*', '*')}.lock"):
            if not file.stem.endswith(f"-of-{share.count}"):
                with open(file) as other:
                    fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def close(self) -> None:
        """Let others have this share."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def record(self, share: Share) -> RecordT:
        """Return the record of a share."""
        file = self.folder / f"{share.name}.json"
        return self._nothing.model_validate_json(file.read_bytes()) if file.exists() else self._nothing

    def records(self) -> dict[str, RecordT]:
        """Return all records by the name of their share."""
        files = sorted(self.folder.glob(f"{_RECORD.format('*', '*')}.json"))
        return {file.stem: self._nothing.model_validate_json(file.read_bytes()) for file in files}

    def save(self, share: Share, record: RecordT) -> None:
        """Replace the record of a share."""
        write_bytes(self.folder / f"{share.name}.json", record.model_dump_json().encode())

    def stories(self) -> list[str]:
        """Return what befell members, by initial time and number."""
        failed = [member for record in self.records().values() for member in record.failed]
        return stories({(init, number): story for init, number, story in failed})

    def done(self) -> frozenset[int]:
        """Return the waves that are whole, whoever made them."""
        return frozenset(wave for record in self.records().values() for wave in record.waves)

    def has_all(self, n_waves: int) -> bool:
        """Return whether so many waves, which are all, are whole; or were, and another process has finished."""
        return not self.folder.exists() or len(self.done()) == n_waves

    @contextmanager
    def finishing(self) -> Iterator[bool]:
        """Let one process at a time finish; yield whether that is still to do, and drop the folder afterwards."""
        try:
            lock = open(self.folder / "finish.lock", "a")
        except FileNotFoundError:
            yield False
            return
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self.is_begun  # not whether the folder is there: a file system may keep what is open
            (self.folder / _DESCRIPTION).unlink(missing_ok=True)  # whatever a kill leaves of the rest is no forecast
            shutil.rmtree(self.folder, ignore_errors=True)


def _holds_something(folder: Path) -> bool:
    """Return whether a forecast was begun in a folder; whatever else is there was left by a kill."""
    return (folder / _DESCRIPTION).exists()


@contextmanager
def explaining_errors(path: Path) -> Iterator[None]:
    """Turn what a disk refuses into one line that says what to do."""
    try:
        yield
    except OSError as error:
        remedy = "make room" if error.errno in _FULL else "see to it"
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; {remedy}, then run the same forecast again"
        ) from error
