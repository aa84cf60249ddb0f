"""An ingestion on its way: `.ingest` in the store, in which processes note what is whole, until all of it is.

Files that the complete store does not have yet are written in place, where no reader looks for them; new versions of
those that it has, and the root's metadata, which make it a store, wait in `.ingest/new`. When all is there, the new
manifest is laid beside them: from then on they are given their names, by whoever comes, however often that is
interrupted, and the manifest last.
"""

import json
import os
import shutil
import time
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from weatherml.data.store.manifest import FileNote, Manifest
from weatherml.errors import UserError
from weatherml.storage.files import PARTIAL, write_bytes
from weatherml.storage.flush import flush, flush_all, make_folder
from weatherml.storage.locks import Lock, alone_at
from weatherml.storage.room import explaining_errors
from weatherml.storage.share import WHOLE, Share

ROOT = "zarr.json"
"""Metadata of the root, which consolidate those of all arrays."""
FOLDER = ".ingest"
_REQUEST, _RECORDS, _NEW = "request.json", "records", "new"
BEGUN = f"{FOLDER}/{_REQUEST}"
"""What is below a store that is being made or changed."""
_SECONDS_BETWEEN_RECORDS = 1.0
_PROCESS = uuid4().hex
"""With its number, tells processes of several machines apart."""


class Workspace:
    """Where a store is made or changed.

    Args:
        store: The store.
    """

    def __init__(self, store: Path) -> None:
        self.store, self.folder = store, store / FOLDER

    @property
    def request(self) -> dict[str, Any]:
        """What is being made; empty where nothing is."""
        try:
            told: dict[str, Any] = json.loads((self.folder / _REQUEST).read_bytes())
        except (OSError, ValueError):
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
        with explaining_errors(self.store):
            make_folder(self.store)
            with alone_at(self.folder):
                if self.request == dict(request):
                    return
                others = [file for file in self.folder.glob("*.lock") if file.stem != share.name]
                if self.request and any(not Lock(file).is_free() for file in others):
                    raise UserError(self._busy)
                self._drop()
                make_folder(self.folder / _RECORDS)
                write_bytes(self.folder / _REQUEST, json.dumps(dict(request)).encode())

    @contextmanager
    def taking_part(self, share: Share) -> Iterator[None]:
        """Keep other processes from a share of the work, and whoever does not share it from all of it.

        Raises:
            UserError: Another process is at work there.
        """
        with explaining_errors(self.store):
            make_folder(self.folder)
            with alone_at(self.folder):
                lock = Lock(self.folder / f"{share.name}.lock")
                lock.acquire(self._busy)
                if any(not Lock(file).is_free() for file in self.folder.glob("*.lock") if _is_rival(file, share)):
                    lock.release()
                    raise UserError(self._busy)
        try:
            yield
        finally:
            lock.release(remove=True)
            for folder in (self.folder, self.store):
                with suppress(OSError):
                    folder.rmdir()  # if nothing was written

    def notes(self) -> dict[str, FileNote]:
        """Return notes of the files that processes have told to be whole."""
        found: dict[str, FileNote] = {}
        for log in sorted((self.folder / _RECORDS).glob("*.jsonl")):
            for line in log.read_bytes().splitlines():
                with suppress(ValueError, TypeError):  # the last line of a process that was killed
                    found |= {file: FileNote(*note) for file, note in json.loads(line).items()}
        return found

    def place(self, file: str, staged: Container[str]) -> Path:
        """Return where a file is written.

        Args:
            file: Its path below the store.
            staged: Files that the complete store has.
        """
        return self.folder / _NEW / file if file == ROOT or file in staged else self.store / file

    def commit(self, manifest: Manifest) -> None:
        """Make the store what a manifest says, all of whose files are whole.

        Raises:
            UserError: The disk refuses.
        """
        with explaining_errors(self.store):
            self.tidy()  # nobody is at work any more; what killed workers have left is no part of the store
            write_bytes(self.folder / Manifest.NAME, manifest.to_bytes())
        self.finish()

    def finish(self) -> None:
        """Give what waits its name, where a manifest says that all is there; without effect otherwise.

        Raises:
            UserError: The disk refuses.
        """
        if not is_changing(self.store):
            return
        with explaining_errors(self.store), alone_at(self.folder):
            if not is_changing(self.store):
                return  # another share did
            new = self.folder / _NEW
            waiting = sorted((path for path in new.rglob("*") if path.is_file()), key=lambda path: path == new / ROOT)
            for path in waiting:
                target = self.store / path.relative_to(new)
                make_folder(target.parent)
                path.replace(target)
            flush_all((self.store / path.relative_to(new) for path in waiting), self.store)
            (self.folder / Manifest.NAME).replace(self.store / Manifest.NAME)
            flush(self.store)
            shutil.rmtree(self.folder, ignore_errors=True)

    def tidy(self) -> None:
        """Delete what killed processes have left half-written; for who is alone here."""
        for partial in self.store.rglob(f".*{PARTIAL}"):
            partial.unlink(missing_ok=True)

    @property
    def _busy(self) -> str:
        return f"another ingestion is writing to {self.store}; wait for it, or choose another store"

    def _drop(self) -> None:
        """Delete what was made for another request; the store that is complete has none of it."""
        complete = Manifest.load(self.store).files if Manifest.exists(self.store) else {}
        for file in self.notes():
            self.place(file, complete).unlink(missing_ok=True)
        (self.folder / _REQUEST).unlink(missing_ok=True)
        for name in (_RECORDS, _NEW):
            shutil.rmtree(self.folder / name, ignore_errors=True)


class Recorder:
    """Notes files as whole once the disk holds them, in a log of this process's own.

    Args:
        workspace: Where.
        staged: Files that the complete store has.
    """

    def __init__(self, workspace: Workspace, staged: Container[str]) -> None:
        self._workspace, self._staged = workspace, staged
        self._log = workspace.folder / _RECORDS / f"{os.getpid()}-{_PROCESS}.jsonl"
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
        with explaining_errors(self._workspace.store):
            flush_all((self._workspace.place(file, self._staged) for file in self._waiting), self._workspace.store)
            is_new = not self._log.exists()
            with self._log.open("ab") as log:
                log.write(json.dumps(self._waiting).encode() + b"\n")
            flush(self._log)
            if is_new:
                flush(self._log.parent)
        self._waiting, self._saved_at = {}, time.monotonic()


def is_changing(store: Path) -> bool:
    """Return whether new files of a store are being given their names."""
    return (store / FOLDER / Manifest.NAME).exists()


def is_begun(store: Path) -> bool:
    """Return whether a store is being made or changed, or that was interrupted."""
    return (store / BEGUN).exists()


def _is_rival(file: Path, share: Share) -> bool:
    """Return whether a lock is of a process that would do what this one does."""
    return file.stem != share.name and (share == WHOLE or not file.stem.endswith(f"-of-{share.count}"))
