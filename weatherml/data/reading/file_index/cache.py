"""The index on the disk: what earlier openings have learnt, believed as long as the files have not changed."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from weatherml.data.reading.file_index.entry import FileEntry
from weatherml.storage.files import write_bytes

NAME, AGREED = "files_index.json", "files_agreed.txt"
_MOST_CLAIMS = 100
_LIBRARIES = ("xarray", "numpy", "netCDF4", "zarr", "cfgrib", "eccodes")
_ROOM, _BELOW = Path(__file__).parents[1], ("variables.py", "grid.py", "state.py", "times.py")


def load(folder: Path) -> dict[str, FileEntry]:
    """Return the entries that a folder keeps, by key; none where they are damaged or another weatherml's."""
    try:
        head, _, body = (folder / NAME).read_bytes().partition(b"\n")
        if head.decode() != _head(body):
            return {}
        return _unpack(json.loads(body))
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def save(folder: Path, entries: Mapping[str, FileEntry]) -> None:
    """Keep entries beside those that other processes have kept meanwhile."""
    body = json.dumps(_pack({**load(folder), **entries}), separators=(",", ":")).encode()
    write_bytes(folder / NAME, f"{_head(body)}\n".encode() + body)


def copies_agree(folder: Path, what: str) -> bool:
    """Return whether copies in these files have been compared before and found equal."""
    try:
        return _claim(what) in (folder / AGREED).read_text().splitlines()
    except (OSError, ValueError):
        return False


def keep_that_copies_agree(folder: Path, what: str) -> None:
    """Remember that copies in files are equal, so that they need not be compared again.

    Args:
        folder: Where the index is kept.
        what: The files, as they are now.
    """
    try:
        known = (folder / AGREED).read_text().splitlines()[-_MOST_CLAIMS:]
    except (OSError, ValueError):
        known = []
    write_bytes(folder / AGREED, "".join(f"{line}\n" for line in [*known, _claim(what)]).encode())


def _claim(what: str) -> str:
    return hashlib.sha256(f"{_maker()} {what}".encode()).hexdigest()


def _head(body: bytes) -> str:
    return f"{_maker()} {hashlib.sha256(body).hexdigest()}"


@cache
def _maker() -> str:
    """Return the fingerprint of the code whose word the entries are."""
    package = _ROOM.parents[1]
    code = b"".join(path.read_bytes() for path in [*sorted(_ROOM.rglob("*.py")), *(package / name for name in _BELOW)])
    return hashlib.sha256(code + " ".join(map(_version, _LIBRARIES)).encode()).hexdigest()


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"


def _pack(entries: Mapping[str, FileEntry]) -> dict[str, Any]:
    """Return entries for JSON, each structure and all times of a file once: files of one kind differ in little else."""
    structures: dict[str, int] = {}
    times: dict[tuple[int, ...] | None, int] = {}
    files = {key: entry.to_json() for key, entry in entries.items()}
    for contents in (c for file in files.values() for c in file["contents"] if c is not None):
        contents["structure"] = structures.setdefault(contents["structure"], len(structures))
        contents["times"] = times.setdefault(contents["times"], len(times))
    return {"structures": list(structures), "times": list(times), "files": files}


def _unpack(content: Mapping[str, Any]) -> dict[str, FileEntry]:
    times = [None if own is None else tuple(own) for own in content["times"]]
    for contents in (c for file in content["files"].values() for c in file["contents"] if c is not None):
        contents["structure"] = content["structures"][contents["structure"]]
        contents["times"] = times[contents["times"]]
    return {key: FileEntry.from_json(file) for key, file in content["files"].items()}
