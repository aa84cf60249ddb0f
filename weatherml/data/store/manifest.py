"""What a store is made of: `manifest.json` beside the arrays, there once all of it is."""

import hashlib
import json
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self

from weatherml.config import Config
from weatherml.errors import UserError

VERSION = 2
"""Of the layout; in 1 no sizes were noted, and a store had its manifest from the beginning."""


class FileNote(NamedTuple):
    """What is known of a file that is whole.

    Attributes:
        size: Bytes; -1 where it was not noted.
        checksum: SHA-256, hexadecimal.
    """

    size: int
    checksum: str

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Return the note of a file with this content."""
        return cls(len(content), hashlib.sha256(content).hexdigest())

    def fits(self, path: Path, verify: bool = True) -> bool:
        """Return whether a file is there and has the size, and, if that is to be verified, the checksum."""
        try:
            if self.size >= 0 and path.stat().st_size != self.size:
                return False
            if not verify:
                return True
            with open(path, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == self.checksum
        except OSError:
            return False


class Manifest(Config):
    """The record of a store that is complete.

    Attributes:
        layout: Version of the way stores are laid out.
        source: What the data came from.
        source_digest: Its fingerprint.
        variables: Canonical names.
        n_times: Number of times.
        first_time: ISO 8601.
        last_time: ISO 8601.
        shard_length: Times in one file.
        files: A note of each file, by its path below the store.
    """

    NAME: ClassVar = "manifest.json"

    layout: Literal[1, 2] = 2
    source: str
    source_digest: str
    variables: tuple[str, ...]
    n_times: int
    first_time: str
    last_time: str
    shard_length: int
    files: dict[str, FileNote]

    @classmethod
    def load(cls, store: Path) -> Self:
        """Read the manifest of a store.

        Raises:
            UserError: There is none, or it is damaged.
        """
        try:
            content = (store / cls.NAME).read_bytes()
        except OSError:
            raise UserError(f"{store} is no weatherml store (it has no {cls.NAME}); write one with ingest") from None
        return cls.parse(content, str(store))

    @classmethod
    def parse(cls, content: bytes, store: str) -> Self:
        """Read the manifest that a store of that name has.

        Raises:
            UserError: It is damaged, unfinished, or of a version that is not known.
        """
        try:
            told = json.loads(content)
            if told["layout"] not in (1, VERSION):
                known = f"this weatherml reads layouts up to {VERSION}"
                raise UserError(f"{store} has layout {told['layout']!r}, and {known}; install a newer one")
            if told["layout"] == 1:
                content = json.dumps(_with_notes(told, store)).encode()
            return cls.model_validate_json(content)
        except UserError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(f"{store}/{cls.NAME} is damaged; delete the store and ingest it again") from None

    @staticmethod
    def exists(store: Path) -> bool:
        """Return whether a store has been completed."""
        return (store / Manifest.NAME).exists()

    def to_bytes(self) -> bytes:
        """Return the content of its file."""
        return json.dumps({**self.model_dump(exclude={"files"}), "files": dict(sorted(self.files.items()))}).encode()

    @property
    def digest(self) -> str:
        """A hexadecimal fingerprint of all the data."""
        checksums = [(file, note.checksum) for file, note in sorted(self.files.items())]
        return hashlib.sha256(json.dumps(checksums).encode()).hexdigest()


def _with_notes(told: dict[str, Any], store: str) -> dict[str, Any]:
    """Return what a manifest of version 1 tells in the words of today."""
    checksums, n_files = told.pop("checksums"), told.pop("n_files")
    if len(checksums) < n_files:
        raise UserError(f"{store} was begun by an older weatherml and is unfinished; delete it and ingest it again")
    return {**told, "files": {file: FileNote(-1, checksum) for file, checksum in checksums.items()}}
