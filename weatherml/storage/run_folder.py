"""A folder beside a path, in which a run makes what will be there, and which is that run's own.

`.NAME.partial` holds `run.json`, which describes one run: what is asked for, and a token drawn at random. All that the
run makes is in a folder named after the token, and the result says the token in the end. Whoever takes part in the run
looks for the token when it joins, records and finishes, so that it never finishes, deletes or reads what is another's,
even where a file system keeps no locks. To begin, to join, to drop and to finish is for one process at a time
(`alone_at`); taking part is a lock, and a run in which anybody takes part is not dropped.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from weatherml.errors import REPLACE, UserError
from weatherml.storage.files import PARTIAL, write_bytes
from weatherml.storage.flush import make_folder
from weatherml.storage.folders import locate, put_in_place
from weatherml.storage.locks import Lock, alone_at

_DESCRIPTION = "run.json"
_A_DAY = 86400.0
"""Seconds for which to wait until others have finished, which takes as long as to write a result."""


class RunFolder:
    """Where a run makes what will be at a path.

    Args:
        path: What is made.
        request: Tells whether two runs make the same.
        token_at: Returns the token that a result tells; None where there is none.
        what: What is made, for messages.
    """

    def __init__(self, path: Path, request: str, token_at: Callable[[Path], str | None], what: str) -> None:
        self.path, self.request, self._token_at, self._what = path, request, token_at, what
        self.place = path.with_name(f".{path.name}{PARTIAL}")
        self.token = ""
        self._part: Lock | None = None
        locate(path)
        if self.place.exists() and not self._is_live():
            with suppress(UserError), alone_at(path, 0):  # who is there, tidies
                self._tidy()

    @property
    def folder(self) -> Path:
        """Where all is that this run makes; once it is begun."""
        return self.place / self.token

    @property
    def description(self) -> dict[str, Any]:
        """What was noted when what is asked for was begun here; empty if it was not."""
        found = self._found()
        return found if found.get("request") == self.request else {}

    @property
    def holds_another(self) -> bool:
        """Whether something else was begun here."""
        return bool(self._found()) and not self.description

    @property
    def is_own(self) -> bool:
        """Whether the run that is going on here is this one."""
        return bool(self.token) and self._found().get("token") == self.token

    @property
    def is_finished(self) -> bool:
        """Whether the result of this run is at the path."""
        return bool(self.token) and self._token_at(self.path) == self.token

    def begin(self, description: Mapping[str, Any], fill: Callable[[], None]) -> None:
        """Begin a run, or join that which was begun here for the same request; another gives way.

        Args:
            description: What to note; JSON values.
            fill: Writes the first content of `folder`, and flushes it.

        Raises:
            UserError: Another process takes part in a run of another request.
            OSError: The disk refuses.
        """
        with alone_at(self.path):
            self._tidy()
            found = self._found()
            if found.get("request") == self.request:
                self.token = found["token"]
                return
            self._require_nobody(found)
            self.token = uuid4().hex
            try:
                make_folder(self.folder)
                fill()
                noted = {**description, "request": self.request, "token": self.token}
                write_bytes(self.place / _DESCRIPTION, json.dumps(noted).encode())
            finally:
                self._tidy()

    def take_part(self, part: str, rivals: Callable[[str], bool] = lambda name: False) -> None:
        """Keep others from a part of the run until `leave`.

        Args:
            part: A name.
            rivals: Whether a part of another name is in the way.

        Raises:
            UserError: Another process has it, or one that is in the way; or has taken the place of this run.
            OSError: The disk refuses.
        """
        busy = f"another process is making this very {self._what} at {self.path}; wait for it, or choose another path"
        with alone_at(self.path):
            self.require_own()
            lock = Lock(self.folder / f"{part}.lock")
            lock.acquire(busy)
            if any(rivals(file.stem) and not Lock(file).is_free() for file in _locks(self.folder)):
                lock.release()
                raise UserError(busy)
            self._part = lock

    def leave(self) -> None:
        """Let others have the part."""
        if self._part is not None:
            self._part.release()
            self._part = None

    def require_own(self) -> None:
        """Require that this run is going on here.

        Raises:
            UserError: Another has taken its place.
        """
        if not self.is_own:
            raise UserError(
                f"another run has taken the place of this one at {self.path}, where nothing of this one is; choose"
                " another path, or run it again"
            )

    def wait_for_end(self) -> None:
        """Wait for a process that is finishing what is asked for, as long as it is at it; for no other.

        Raises:
            OSError: The folder cannot be written.
        """
        if self.description:
            with suppress(UserError), alone_at(self.path, _A_DAY):
                pass

    @contextmanager
    def finishing(self) -> Iterator[bool]:
        """Let one process at a time finish; yield whether that is still to do, and drop the folder afterwards.

        Raises:
            UserError: Another run has taken the place of this one.
            OSError: The disk refuses.
        """
        with alone_at(self.path, _A_DAY):
            if self.is_finished:
                yield False
            else:
                self.require_own()
                yield True
            self._tidy()

    def publish(self, result: Path, overwrite: bool) -> None:
        """Give a result, which tells the token, its name, while `finishing`.

        Raises:
            UserError: Another run has put its own there meanwhile, which may not be replaced.
            OSError: The disk refuses.
        """
        if self.path.exists() and not overwrite:
            raise UserError(
                f"output {self.path} was made by another run meanwhile, what this one has made is kept",
                "choose another path",
                REPLACE,
            )
        put_in_place(result, self.path)

    def _found(self) -> dict[str, Any]:
        """Return the description of the run that is going on here, whosever it is."""
        try:
            found: dict[str, Any] = json.loads((self.place / _DESCRIPTION).read_bytes())
        except (OSError, ValueError):
            return {}
        return found

    def _is_live(self) -> bool:
        """Return whether what is here is a run whose result is not yet at the path."""
        token = self._found().get("token")
        return token is not None and token != self._token_at(self.path)

    def _require_nobody(self, found: Mapping[str, Any]) -> None:
        if found and not all(Lock(file).is_free() for file in _locks(self.place / found["token"])):
            raise UserError(
                f"another process is making another {self._what} at {self.path}, which does not give way meanwhile;"
                " wait for it, or choose another path"
            )

    def _tidy(self) -> None:
        """Delete what kills, and runs that have finished or given way, have left here."""
        if not self.place.exists():
            return
        if not self._is_live():
            (self.place / _DESCRIPTION).unlink(missing_ok=True)  # first: what is left of the rest is then no run
            shutil.rmtree(self.place, ignore_errors=True)
            return
        kept = (_DESCRIPTION, self._found()["token"])
        for leftover in [own for own in self.place.iterdir() if own.name not in kept]:
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink()


def _locks(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.lock"))
