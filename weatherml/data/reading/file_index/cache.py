"""The index on the disk: what earlier openings have learnt, believed as long as the files have not changed."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from weatherml.data.reading.file_index.entry import FileEntry
from weatherml.storage.files import write_bytes

NAME = "files_index.json"
_LIBRARIES = ("xarray", "numpy", "netCDF4", "zarr")
_ROOM = Path(__file__).parents[1]


def load(folder: Path) -> dict[str, FileEntry]:
    """Return the entries that a folder keeps, by key; none where they are damaged or another weatherml's."""
    try:
        head, _, body = (folder / NAME).read_bytes().partition(b"\n")
        if head.decode() != _head(body):
            return {}
        return _unpack(json.loads(body))
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def save(folder: Path, entries: Mapping[str, FileEntry]) -> None:
    """Keep entries beside those that other processes have kept meanwhile."""
    body = json.dumps(_pack({**load(folder), **entries}), separators=(",", ":")).encode()
    write_bytes(folder / NAME, f"{_head(body)}\n".encode() + body)


def _head(body: bytes) -> str:
    return f"{_maker()} {hashlib.sha256(body).hexdigest()}"


@cache
def _maker() -> str:
    """Return the fingerprint of the code whose word the entries are."""
    code = b"".join(path.read_bytes() for path in sorted(_ROOM.rglob("*.py")))
    versions = [f"{library} {version(library)}" for library in _LIBRARIES]
    return hashlib.sha256(code + "\n".join(versions).encode()).hexdigest()


def _pack(entries: Mapping[str, FileEntry]) -> dict[str, Any]:
    """Return entries for JSON, each structure once: files of one kind differ in little else than their times."""
    numbers: dict[str, int] = {}
    files = {key: entry.to_json() for key, entry in entries.items()}
    for contents in (c for file in files.values() for c in file["contents"] if c is not None):
        contents["structure"] = numbers.setdefault(contents["structure"], len(numbers))
    return {"structures": list(numbers), "files": files}


def _unpack(content: Mapping[str, Any]) -> dict[str, FileEntry]:
    for contents in (c for file in content["files"].values() for c in file["contents"] if c is not None):
        contents["structure"] = content["structures"][contents["structure"]]
    return {key: FileEntry.from_json(file) for key, file in content["files"].items()}
