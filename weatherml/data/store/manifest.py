"""What a store is made of: `manifest.json` beside the arrays, there once all of it is."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self

from weatherml.config import Config
from weatherml.errors import UserError
from weatherml.storage.locations import is_url
from weatherml.storage.places import Place, Root, place_at

ROOT = "zarr.json"
"""Metadata of the root, which consolidate those of all arrays."""
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


def fitting(place: Place, notes: Mapping[str, FileNote], verify: bool = True) -> set[str]:
    """Return which files are there and have the size, and, if that is to be verified, the checksum.

    Args:
        place: Where they lie.
        notes: Of each, by its key.
        verify: Whether to read them.
    """
    sizes = place.sizes(notes)
    same = {key for key, size in sizes.items() if notes[key].size in (-1, size)}
    checksums = place.checksums(same) if verify else {}
    return {key for key, checksum in checksums.items() if checksum == notes[key].checksum} if verify else same


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
        refreshed: The period that was replaced, `FIRST/LAST`, where that was the last change.
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
    refreshed: tuple[str, ...] = ()
    files: dict[str, FileNote]

    @classmethod
    def load(cls, store: Root) -> Self:
        """Read the manifest of a store.

        Raises:
            UserError: There is none, or it is damaged.
        """
        return cls.parse(cls.read(store), str(store))

    @classmethod
    def read(cls, store: Root) -> bytes:
        """Return the content of the manifest of a store.

        Raises:
            UserError: There is none.
        """
        content = place_at(store).read(cls.NAME)
        if content is None:
            require_not_lost(store)
            if not is_url(str(store)) and not Path(str(store)).exists():
                raise UserError(f"there is no store at {store}; write it with weatherml ingest")
            raise UserError(f"{store} is no weatherml store (it has no {cls.NAME}); write one with weatherml ingest")
        return content

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
    def exists(store: Root) -> bool:
        """Return whether a store has been completed."""
        return place_at(store).exists(Manifest.NAME)

    def to_bytes(self) -> bytes:
        """Return the content of its file."""
        told = self.model_dump(exclude={"files"} if self.refreshed else {"files", "refreshed"})
        return json.dumps({**told, "files": dict(sorted(self.files.items()))}).encode()

    @property
    def told(self) -> dict[str, Any]:
        """What it was made of, JSON values: all but the files."""
        return self.model_dump(mode="json", exclude={"files"})

    @property
    def digest(self) -> str:
        """A hexadecimal fingerprint of all the data."""
        checksums = [(file, note.checksum) for file, note in sorted(self.files.items())]
        return hashlib.sha256(json.dumps(checksums).encode()).hexdigest()


def require_not_lost(store: Root) -> None:
    """Refuse what `ingest` has completed and has no manifest any more: which of its files are whole is not known.

    A copy that zarr or xarray has made of a store has names of its own for files.

    Raises:
        UserError: It is such.
    """
    place = place_at(store)
    if not place.exists(Manifest.NAME) and _is_of_ingest(place.read(ROOT)):
        raise UserError(f"{place} has lost its {Manifest.NAME}; delete it and ingest it again, or copy the file to it")


def _is_of_ingest(metadata: bytes | None) -> bool:
    """Return whether metadata of a root are such as `ingest` writes."""
    try:
        told = json.loads(metadata or b"{}")
        arrays = told["consolidated_metadata"]["metadata"].values()
        separators = {array["chunk_key_encoding"]["configuration"]["separator"] for array in arrays}
        return "source" in told["attributes"] and "." in separators
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def _with_notes(told: dict[str, Any], store: str) -> dict[str, Any]:
    """Return what a manifest of version 1 tells in the words of today."""
    checksums, n_files = told.pop("checksums"), told.pop("n_files")
    if len(checksums) < n_files:
        raise UserError(f"{store} was begun by an older weatherml and is unfinished; delete it and ingest it again")
    return {**told, "files": {file: FileNote(-1, checksum) for file, checksum in checksums.items()}}
