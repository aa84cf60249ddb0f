"""The index on the disk: what earlier openings have learnt, believed as long as the files have not changed."""

import hashlib
import json
import logging
import os
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from weatherml.data.reading.file_index.entry import FileEntry, FileToRead
from weatherml.errors import UserError
from weatherml.storage.files import write_bytes

NAME, AGREED = "files_index.json", "files_agreed.txt"
FOLDER = "WEATHERML_CACHE"
"""Environment variable: where the user keeps what may be made again; `~/.cache/weatherml` without it."""
_LONG = 180 * 86400
"""Seconds."""
_MOST_CLAIMS = 100
_LIBRARIES = ("xarray", "numpy", "netCDF4", "zarr", "cfgrib", "eccodes")
_ROOM = Path(__file__).parents[1]
_BELOW = ("data/notes.py", "variables/vocabulary.py", "grid.py", "state.py", "times.py")

_logger = logging.getLogger(__name__)


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
    """Keep entries beside those that other processes have kept meanwhile, of files that are still there.

    What the disk refuses is not kept, and costs another look.
    """
    kept = {key: entry for key, entry in load(folder).items() if key not in entries and path_of(key).exists()}
    body = json.dumps(_pack({**kept, **entries}), separators=(",", ":")).encode()
    _write(folder / NAME, f"{_head(body)}\n".encode() + body)
    if folder.parent == _of_the_user():
        _drop_old(folder.parent)


def place_for(files: Iterable[Path]) -> Path | None:
    """Return the folder of the user's in which the index of files is kept that belongs to no run; None without a home.

    One for each set of folders: what one verb has learnt of an archive, others find.
    """
    place = _of_the_user()
    folders = sorted({str(file.absolute().parent) for file in files})
    return None if place is None else place / hashlib.sha256(json.dumps(folders).encode()).hexdigest()[:32]


def key_of(file: FileToRead, wanted: Collection[str] | None) -> str:
    """Return what tells an entry from others: the file, and how it is read."""
    return json.dumps([str(file.path.absolute()), sorted(file.rename.items()), wanted and sorted(wanted)])


def path_of(key: str) -> Path:
    """Return the file of an entry."""
    return Path(json.loads(key)[0])


def _of_the_user() -> Path | None:
    """Return the folder for what may be made again."""
    with suppress(RuntimeError):  # there is no home
        own = os.environ.get(FOLDER) or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "weatherml"
        return Path(own).absolute() / "files"
    return None


def _drop_old(place: Path) -> None:
    """Delete indices to which nothing has been added for long."""
    for index in place.glob(f"*/{NAME}"):
        with suppress(OSError):
            if time.time() - index.stat().st_mtime > _LONG:
                index.unlink()


def _write(path: Path, content: bytes) -> None:
    try:
        write_bytes(path, content)
    except (UserError, OSError) as error:
        _logger.warning("what is in which file is not kept: %s", error)


def notes_on_copies(folder: Path, what: str) -> list[str] | None:
    """Return what is to be said of copies in these files; None where they have not been compared before."""
    try:
        claims = dict(line.split(" ", 1) for line in (folder / AGREED).read_text().splitlines())
        return [str(note) for note in json.loads(claims[_claim(what)])]
    except (OSError, ValueError, LookupError, TypeError):
        return None


def keep_notes_on_copies(folder: Path, what: str, told: Sequence[str]) -> None:
    """Remember that copies in files may stand for one another, so that they need not be compared again.

    Args:
        folder: Where the index is kept.
        what: The files, as they are now.
        told: What is to be said of them.
    """
    try:
        known = (folder / AGREED).read_text().splitlines()[-_MOST_CLAIMS:]
    except (OSError, ValueError):
        known = []
    lines = [*known, f"{_claim(what)} {json.dumps(list(told))}"]
    _write(folder / AGREED, "".join(f"{line}\n" for line in lines).encode())


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
