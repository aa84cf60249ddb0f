"""Looking at many files: in several processes, and only at those that have changed since."""

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from weatherml.data.reading.file_index import cache
from weatherml.data.reading.file_index.entry import FileEntry, FileToRead
from weatherml.data.reading.file_index.scanner import Scanner
from weatherml.data.reading.file_index.stamps import stamp_of
from weatherml.errors import UserError
from weatherml.storage.locks import alone_at

_TRIAL = 20
"""Files that are looked at here before it is known how long one takes."""
_SECONDS_TO_BEGIN = 5.0
"""What another process takes before it looks at a file, also where others are at work."""
_MOST_PROCESSES = 16
_PATIENCE = 600.0
"""Seconds to wait for another process that looks at files, before doing the same."""
_FILES_A_SAVE = 2000
"""What a scan that is interrupted may lose."""

Entries = list[FileEntry | UserError | None]

_logger = logging.getLogger(__name__)


def index_files(
    files: Sequence[FileToRead], wanted: Collection[str] | None = None, folder: Path | None = None
) -> list[FileEntry]:
    """Return what each file holds.

    Args:
        files: The files.
        wanted: Canonical names to keep; all when None.
        folder: Where the index is kept; nowhere when None.

    Raises:
        UserError: A file cannot be read; the first of such is told.
    """
    jobs = {cache.key_of(file, wanted): file for file in files}
    found = _known(jobs, folder)
    if len(found) < len(jobs):
        with _alone(folder):
            found |= _known(_without(jobs, found), folder)  # others may have looked meanwhile
            found |= _look(_without(jobs, found), wanted, folder)
    return [found[key] for key in map(cache.key_of, files, [wanted] * len(files))]


def _known(jobs: Mapping[str, FileToRead], folder: Path | None) -> dict[str, FileEntry]:
    """Return what the index tells of files that have not changed since."""
    known = cache.load(folder) if folder is not None else {}
    told = {key: (file, known[key]) for key, file in jobs.items() if key in known}
    return {
        key: entry
        for key, (file, entry) in told.items()
        if entry.stamp == stamp_of(file.path, entry.kind, entry.is_by_values)
    }


def _without(jobs: Mapping[str, FileToRead], found: Mapping[str, FileEntry]) -> dict[str, FileToRead]:
    return {key: file for key, file in jobs.items() if key not in found}


def _look(jobs: Mapping[str, FileToRead], wanted: Collection[str] | None, folder: Path | None) -> dict[str, FileEntry]:
    """Look at files that the user's own index does not know either, and keep what they hold in both."""
    own = cache.place_for(file.path for file in jobs.values()) if folder is not None else None
    places = {place for place in (folder, own) if place is not None}
    looked = _known(jobs, own) if own != folder else {}
    if folder is not None and looked:
        cache.save(folder, looked)
    for keys in _batches(list(_without(jobs, looked)), _FILES_A_SAVE):
        found = dict(zip(keys, scan_files([jobs[key] for key in keys], wanted), strict=True))
        new = {key: entry for key, entry in found.items() if isinstance(entry, FileEntry)}
        for place in places if new else ():
            cache.save(place, new)
        looked |= new
        for entry in found.values():
            if isinstance(entry, UserError):
                raise entry
    return looked


@contextmanager
def _alone(folder: Path | None) -> Iterator[None]:
    """Let one process look at a time, for whoever comes meanwhile finds all done; nobody waits for ever."""
    with ExitStack() as stack:
        if folder is not None:
            with suppress(UserError, OSError):
                stack.enter_context(alone_at(folder / cache.NAME, _PATIENCE))
        yield


def scan_files(files: Sequence[FileToRead], wanted: Collection[str] | None = None) -> list[FileEntry | UserError]:
    """Look at files, in this process and as many others as are worth their beginning."""
    scanner, begun = Scanner(wanted), time.perf_counter()
    trial, others = files[:_TRIAL], files[_TRIAL:]
    tried = []
    for number, file in enumerate(trial):
        if number == len(trial) // 2:
            begun = time.perf_counter()  # of files alike the first take longer
        tried.append(scan_file(file, scanner))
    took = (time.perf_counter() - begun) / max(len(trial) - len(trial) // 2, 1)
    n_processes = max(1, min(int(took * len(others) / _SECONDS_TO_BEGIN), _n_cores(), _MOST_PROCESSES))
    return [*tried, *_scan_in_processes(others, scanner, wanted, n_processes)]


def _scan_in_processes(
    files: Sequence[FileToRead], scanner: Scanner, wanted: Collection[str] | None, n_processes: int
) -> list[FileEntry | UserError]:
    """Look at files, in this process and others; in order."""
    shares = [files[i::n_processes] for i in range(n_processes)]
    with ThreadPoolExecutor(n_processes) as pool:
        others = [pool.submit(_scan_apart, share, wanted) for share in shares[1:]]
        own: Entries = [scan_file(file, scanner) for file in shares[0]]
        found: list[Entries] = [own, *(other.result() for other in others)]
    ordered: Entries = [None] * len(files)
    for i, entries in enumerate(found):
        ordered[i::n_processes] = entries
    # A process that was ended has left a gap, which is filled here.
    return [scan_file(file, scanner) if entry is None else entry for file, entry in zip(files, ordered, strict=True)]


def scan_file(file: FileToRead, scanner: Scanner) -> FileEntry | UserError:
    """Look at a file; what is wrong with it is returned."""
    try:
        return scanner.scan(file)
    except UserError as error:
        return error


def _scan_apart(files: Sequence[FileToRead], wanted: Collection[str] | None) -> Entries:
    """Look at files in a process of its own; None for what it did not get to."""
    jobs = {"files": [[str(file.path), dict(file.rename)] for file in files], "wanted": wanted and sorted(wanted)}
    # Not multiprocessing, which would import the user's program again.
    program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import answer; answer()"
    done = subprocess.run([sys.executable, "-c", program], input=json.dumps(jobs).encode(), stdout=subprocess.PIPE)
    if done.returncode:
        _logger.warning("a process that looked at files ended with %d; its files are looked at here", done.returncode)
    found = [_read_answer(json.loads(line)) for line in done.stdout.split(b"\n")[:-1]]
    return [*found, *[None] * (len(files) - len(found))]


def answer() -> None:
    """Look at the files that standard input names and write a line about each to standard output."""
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries may print
    jobs = json.load(sys.stdin)
    scanner = Scanner(jobs["wanted"])
    for path, rename in jobs["files"]:
        found = scan_file(FileToRead(Path(path), rename), scanner)
        told = {"refused": str(found)} if isinstance(found, UserError) else {"entry": found.to_json()}
        output.write(json.dumps(told) + "\n")
    output.close()


def _read_answer(told: dict[str, Any]) -> FileEntry | UserError:
    return UserError(told["refused"]) if "refused" in told else FileEntry.from_json(told["entry"])


def _batches(items: list[Any], size: int) -> Iterable[list[Any]]:
    return (items[i : i + size] for i in range(0, len(items), size))


def _n_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
