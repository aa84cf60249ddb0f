"""What a store is made of and how far it has come: `manifest.json` beside the arrays."""

import hashlib
import json
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import ValidationError

from weatherml.config import Config
from weatherml.errors import UserError
from weatherml.storage.files import write_bytes


class Manifest(Config):
    """The record of one ingestion.

    Attributes:
        layout: Version of the way stores are laid out.
        source: What the data came from.
        source_digest: Its fingerprint.
        variables: Canonical names.
        n_times: Number of times.
        first_time: ISO 8601.
        last_time: ISO 8601.
        shard_length: Times in one file.
        n_files: Files of a complete store.
        checksums: SHA-256 by path, of each file that is written and whole.
    """

    NAME: ClassVar = "manifest.json"

    layout: Literal[1] = 1
    source: str
    source_digest: str
    variables: tuple[str, ...]
    n_times: int
    first_time: str
    last_time: str
    shard_length: int
    n_files: int
    checksums: dict[str, str]

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
            UserError: It is damaged.
        """
        try:
            return cls.model_validate_json(content)
        except ValidationError:
            raise UserError(f"{store}/{cls.NAME} is damaged; delete the store and ingest it again") from None

    @staticmethod
    def exists(store: Path) -> bool:
        """Return whether a store has been begun."""
        return (store / Manifest.NAME).exists()

    def save(self, store: Path) -> None:
        """Write the manifest, whole or not at all."""
        content = self.model_dump()
        content["checksums"] = dict(sorted(self.checksums.items()))
        write_bytes(store / Manifest.NAME, json.dumps(content, indent=1).encode())

    def with_checksums(self, checksums: dict[str, str]) -> Self:
        """Return the manifest after more files have been written."""
        return self.model_copy(update={"checksums": checksums})

    @property
    def is_complete(self) -> bool:
        """Whether every file has been written."""
        return len(self.checksums) == self.n_files

    @property
    def digest(self) -> str:
        """A hexadecimal fingerprint of all the data."""
        return checksum_of(json.dumps(sorted(self.checksums.items())).encode())


def checksum_of(content: bytes) -> str:
    """Return the SHA-256 of bytes, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def is_whole(path: Path, checksum: str) -> bool:
    """Return whether a file is there and has the checksum."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == checksum
    except OSError:
        return False
