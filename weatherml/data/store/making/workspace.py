"""An ingestion on its way: `.ingest` in the store, in which processes note what is whole, until all of it is.

Files that the complete store does not have yet are written in place, where no reader looks for them; new versions of
those that it has, and the root's metadata, which make it a store, wait in `.ingest/new`. When all is there, the new
manifest is laid beside them: from then on they are given their names, by whoever comes, however often that is
interrupted, and the manifest last.
"""

import json
import os
import time
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Self
from uuid import uuid4

from weatherml.data.store.manifest import ROOT, FileNote, Manifest
from weatherml.errors import UserError
from weatherml.storage.places import Root, place_at
from weatherml.storage.share import WHOLE, Share

FOLDER = ".ingest"
BEGUN = f"{FOLDER}/request.json"
"""What is below a store that is being made or changed."""
_RECORDS, _NEW, _MANIFEST = f"{FOLDER}/records", f"{FOLDER}/new", f"{FOLDER}/{Manifest.NAME}"
_LOCK = ".lock"
_SECONDS_BETWEEN_RECORDS = 1.0
_PROCESS = uuid4().hex
"""With its number, tells processes of several machines apart."""


class Workspace:
    """Where a store is made or changed.

    Args:
        store: The store.
    """

    def __init__(self, store: Root) -> None:
        self.place = place_at(store)

    @property
    def request(self) -> dict[str, Any]:
        """What is being made; empty where nothing is."""
        content = self.place.read(BEGUN)
        try:
            told: dict[str, Any] = json.loads(content or b"{}")
        except ValueError:
            return {}
        return told

    def begin(self, request: Mapping[str, Any], share: Share) -> None:
        """Note what is being made, unless that is noted already; what was begun of another request is dropped.

        Args:
            request: Tells whether two processes make the same; JSON values.
            share: That of this process, which is `taking_part`.

        Raises:
            UserError: Another process is making something else here, or the disk refuses.
        """
        if self.request == dict(request):
            return  # whoever would drop it finds that this process takes part
        with self.place.explaining_errors(), self.place.alone_at(FOLDER):
            if self.request == dict(request):
                return
            others = [key for key in self._locks() if key != _lock_of(share)]
            if self.request and any(not self.place.lock(key).is_free() for key in others):
                raise UserError(self._busy)
            self._drop()
            self.place.write(BEGUN, json.dumps(dict(request)).encode())

    def require_request(self, request: Mapping[str, Any]) -> None:
        """Require that what is made here is still what was begun: a worker does not outlive an ingestion for long.

        Raises:
            UserError: It is another.
        """
        if self.request != dict(request):
            raise UserError(f"another ingestion has taken the place of this one at {self.place}; run it again")

    @contextmanager
    def taking_part(self, share: Share) -> Iterator[None]:
        """Keep other processes from a share of the work, and whoever does not share it from all of it.

        Raises:
            UserError: Another process is at work there.
        """
        with self.place.explaining_errors(), self.place.alone_at(FOLDER):
            lock = self.place.lock(_lock_of(share))
            lock.acquire(self._busy)
            if any(not self.place.lock(key).is_free() for key in self._locks() if _is_rival(key, share)):
                lock.release()
                raise UserError(self._busy)
        try:
            yield
        finally:
            lock.release(remove=True)
            self.place.prune(FOLDER)  # if nothing was written

    def notes(self) -> dict[str, FileNote]:
        """Return notes of the files that processes have told to be whole."""
        found: dict[str, FileNote] = {}
        for line in self.place.lines(_RECORDS):
            with suppress(ValueError, TypeError):  # the last line of a process that was killed
                found |= {file: FileNote(*note) for file, note in json.loads(line).items()}
        return found

    def key(self, file: str, staged: Container[str]) -> str:
        """Return under which key a file is written.

        Args:
            file: Its path below the store.
            staged: Files that the complete store has.
        """
        return f"{_NEW}/{file}" if file == ROOT or file in staged else file

    def commit(self, manifest: Manifest) -> None:
        """Make the store what a manifest says, all of whose files are whole.

        Raises:
            UserError: The disk refuses.
        """
        with self.place.explaining_errors():
            self.place.tidy()  # nobody is at work any more; what killed workers have left is no part of the store
            self.place.write(_MANIFEST, manifest.to_bytes())
        self.finish()

    def finish(self) -> None:
        """Give what waits its name, where a manifest says that all is there; without effect otherwise.

        Raises:
            UserError: The disk refuses.
        """
        if not is_changing(self.place):
            return
        with self.place.explaining_errors(), self.place.alone_at(FOLDER):
            if not is_changing(self.place):
                return  # another share did
            waiting = {key: key.removeprefix(f"{_NEW}/") for key in self.place.keys(_NEW)}
            root = {key: waiting.pop(key) for key in [f"{_NEW}/{ROOT}"] if key in waiting}
            for moves in (waiting, root, {_MANIFEST: Manifest.NAME}):
                self.place.move(moves)
            self.place.remove([BEGUN])  # first: what is left of the rest is then nothing that was begun
            self.place.remove_folder(FOLDER)

    @property
    def _busy(self) -> str:
        return f"another ingestion is writing to {self.place}; wait for it, or choose another store"

    def _locks(self) -> list[str]:
        return [key for key in self.place.keys(FOLDER) if key.endswith(_LOCK)]

    def _drop(self) -> None:
        """Delete what was made for another request; the store that is complete has none of it."""
        complete = Manifest.load(self.place).files if Manifest.exists(self.place) else {}
        self.place.remove([self.key(file, complete) for file in self.notes()])
        self.place.remove([BEGUN])
        for folder in (_RECORDS, _NEW):
            self.place.remove_folder(folder)


class Recorder:
    """Notes files as whole once the disk holds them, in a log of this process's own.

    Args:
        workspace: Where.
        staged: Files that the complete store has.
    """

    def __init__(self, workspace: Workspace, staged: Container[str]) -> None:
        self._workspace, self._staged = workspace, staged
        self._log = f"{_RECORDS}/{os.getpid()}-{_PROCESS}.jsonl"
        self._waiting: dict[str, FileNote] = {}
        self._saved_at = time.monotonic()

    def __enter__(self) -> Self:
        """Note nothing yet."""
        return self

    def __exit__(self, *error: object) -> None:
        """Note what waits, also when the work is interrupted."""
        self.save()

    def add(self, notes: Mapping[str, FileNote]) -> None:
        """Note files within a second or with those that follow, whichever comes later.

        Raises:
            UserError: The disk refuses.
        """
        self._waiting |= notes
        if time.monotonic() - self._saved_at > _SECONDS_BETWEEN_RECORDS:
            self.save()

    def save(self) -> None:
        """Note now what waits.

        Raises:
            UserError: The disk refuses.
        """
        if not self._waiting:
            return
        place = self._workspace.place
        with place.explaining_errors():
            place.flush(self._workspace.key(file, self._staged) for file in self._waiting)
            place.append(self._log, json.dumps(self._waiting).encode())
        self._waiting, self._saved_at = {}, time.monotonic()


def is_changing(store: Root) -> bool:
    """Return whether new files of a store are being given their names."""
    return place_at(store).exists(_MANIFEST)


def is_begun(store: Root) -> bool:
    """Return whether a store is being made or changed, or that was interrupted."""
    return place_at(store).exists(BEGUN)


def _lock_of(share: Share) -> str:
    return f"{FOLDER}/{share.name}{_LOCK}"


def _is_rival(key: str, share: Share) -> bool:
    """Return whether a lock is of a process that would do what this one does."""
    if key == _lock_of(share):
        return False
    return share == WHOLE or not key.endswith(f"-of-{share.count}{_LOCK}")
