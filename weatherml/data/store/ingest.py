"""From any source to a zarr store with checksums, file by file, so that it can be interrupted at any instant."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.data.source import Source, hold_within
from weatherml.data.store.making.engine import HERE, Engine, Progress, Task
from weatherml.data.store.making.growth import GrownSource
from weatherml.data.store.making.plan import StorePlan, plan_store, request_of
from weatherml.data.store.making.sameness import is_same, require_joining, require_same
from weatherml.data.store.making.workspace import FOLDER, Recorder, Workspace, is_begun
from weatherml.data.store.manifest import FileNote, Manifest, fitting, require_not_lost
from weatherml.data.store.opening import open_store, remedy
from weatherml.errors import UserError
from weatherml.storage.files import PARTIAL
from weatherml.storage.places import Place, Root, place_at
from weatherml.storage.share import WHOLE, Share
from weatherml.times import Period, parse_period

_GIB = 2**30


@dataclass(frozen=True)
class IngestOptions:
    """How a store is made; what is made is the same.

    Attributes:
        engine: Who makes it.
        share: What this process makes of it, where several are started; the last of them completes the store.
        memory: Bytes that one worker may hold.
        verify: Read every file that is there, instead of trusting its size and the record of it.
        grow: Add later times and other variables that the source has to a store that is complete.
        refresh: Period of a complete store that is replaced by what the source has now; None for none. Nothing is added
            unless it grows, too.
    """

    engine: Engine = HERE
    share: Share = WHOLE
    memory: int = 2 * _GIB
    verify: bool = False
    grow: bool = False
    refresh: Period | None = None


@dataclass(frozen=True)
class IngestReport:
    """What an ingestion did.

    Attributes:
        path: The store.
        n_files: Files of the store.
        n_written: Those that this run wrote, because they were missing, damaged or to be replaced.
        is_complete: Whether all are there; not, where other shares are not done yet.
    """

    path: Path | str
    n_files: int
    n_written: int
    is_complete: bool = True


def ingest(
    source: Source,
    store: Root,
    progress: Progress | None = None,
    shard_length: int | None = None,
    options: IngestOptions = IngestOptions(),
) -> IngestReport:
    """Write a source to a zarr v3 store, or what is missing or damaged of it.

    Each file is written once, atomically, and noted with its size and SHA-256 once the disk holds it. A run that is
    interrupted, however rudely, is completed by the next one, to the same bytes as if nothing had happened. Nobody
    reads a store that is not whole, and one that changes is read as it was until all that changes is there.

    Args:
        source: Where the data come from.
        store: Folder of the store; or its URL in a bucket, `s3://`, `gs://` or `az://`; made if it does not exist.
        progress: Called after every part.
        shard_length: Times in one file; chosen by size when None.
        options: Who makes it, and how.

    Raises:
        UserError: The folder holds something else or another source, another ingestion is writing to it, the disk is
            full, or the source has values that are neither finite nor a mask constant in time.
    """
    place = place_at(store)
    _require_own_folder(place)
    options.engine.require_there()
    workspace = Workspace(place)
    with workspace.taking_part(options.share):
        workspace.finish()
        complete = Manifest.load(place) if Manifest.exists(place) else None
        hold_within(source, options.memory)
        told = request_of(source)
        if complete is not None and _is_done(place, complete, source, told, shard_length, options):
            return IngestReport(place.root, len(complete.files), 0)
        plan = _plan(place, complete, source, told, shard_length, options)
        return _Ingestion(workspace, plan, complete, options).run(progress)


class _Ingestion:
    """One plan on its way, as far as this process makes it."""

    def __init__(
        self, workspace: Workspace, plan: StorePlan, complete: Manifest | None, options: IngestOptions
    ) -> None:
        self._workspace, self._plan, self._options = workspace, plan, options
        self._before = {} if complete is None else complete.files
        self._refreshed: tuple[str, ...] = () if options.refresh is None else (_named(options.refresh),)
        if complete is not None and options.refresh is None and is_same(complete.told, plan.request):
            self._refreshed = complete.refreshed  # what is mended is not changed
        self._staged = frozenset(file for file in plan.files if file in self._before)
        if complete is None and workspace.request:
            require_same(workspace.place, workspace.request, plan.request)
        basis = None if complete is None else complete.digest
        self._request = {**plan.request, "refresh": str(options.refresh), "basis": basis}
        if complete is not None and options.share != WHOLE:
            require_joining(workspace, self._request)
        workspace.begin(self._request, options.share)
        if options.share == WHOLE:
            workspace.place.tidy()
        self._kept = {} if complete is None else self._unchanged(complete.n_times)

    def run(self, progress: Progress | None) -> IngestReport:
        """Write what is missing, and complete the store where all is there."""
        n_written, plan = 0, self._plan
        notes = self._notes(self._options.verify)
        missing = [file for file in plan.files if file not in notes]
        with closing(self._write(set(missing))) as written:  # what is written is noted, also when this is interrupted
            for number in written:
                n_written += number
                if progress is not None:
                    progress(plan.n_files - len(missing) + n_written, plan.n_files)
        return IngestReport(self._workspace.place.root, plan.n_files, n_written, self._complete())

    def _write(self, missing: set[str]) -> Generator[int]:
        """Write this share of the missing files; yield how many each time."""
        plan, share, place = self._plan, self._options.share, self._workspace.place
        task = Task(
            place,
            plan.source,
            self._request,
            self._options.memory,
            frozenset(file for file in self._staged if file in missing),
        )
        with Recorder(self._workspace, task.staged) as recorder:
            for file in (f for f in plan.small if f in missing and not share.index):
                place.write_unflushed(self._workspace.key(file, self._staged), plan.small[file])
                recorder.add({file: FileNote.of(plan.small[file])})
                yield 1
        groups = plan.parts(missing, share)
        work = [[(part, plan.missing[part.layout.name]) for part in group] for group in groups]
        yield from self._options.engine.run(task, work) if work else ()

    def _complete(self) -> bool:
        """Complete the store where all files are there; return whether they are."""
        with self._workspace.place.alone_at(FOLDER):
            if not is_begun(self._workspace.place):
                return True  # the last of the other shares did
            notes = self._notes(verify=False)
            if any(file not in notes for file in self._plan.files):
                return False
            manifest = self._plan.manifest({file: notes[file] for file in self._plan.files})
            self._workspace.commit(manifest.model_copy(update={"refreshed": self._refreshed}))
            return True

    def _notes(self, verify: bool) -> dict[str, FileNote]:
        """Return notes of all files that are there."""
        made = self._workspace.notes()
        keys = {self._workspace.key(file, self._staged): file for file in made}
        whole = fitting(self._workspace.place, {key: made[file] for key, file in keys.items()}, verify)
        return self._kept | {keys[key]: made[keys[key]] for key in whole}

    def _unchanged(self, n_before: int) -> dict[str, FileNote]:
        """Return notes of those files of the complete store that stay as they are."""
        same = {file: FileNote.of(content) for file, content in self._plan.small.items()}
        kept = {f: note for f, note in same.items() if f in self._before and self._before[f].checksum == note.checksum}
        replaced = _within(self._plan.source.times(), self._options.refresh)
        for layout in self._plan.layouts:
            for index in range(layout.n_files):
                times, file = layout.times(index), layout.file(index)
                if file in self._before and times.stop <= n_before and not replaced[times].any():
                    kept[file] = self._before[file]
        return {file: kept[file] for file in fitting(self._workspace.place, kept, self._options.verify)}


def _is_done(
    place: Place,
    complete: Manifest,
    source: Source,
    told: Mapping[str, Any],
    shard_length: int | None,
    options: IngestOptions,
) -> bool:
    """Return whether a complete store holds what is asked for; refuse other data, unless it is to grow.

    A period is replaced as often as that is asked for: an archive's digest is not of its values. But a share of the
    refresh that was the last change may come when the others have completed it.
    """
    if options.refresh is not None:
        is_of_the_last = options.share != WHOLE and _named(options.refresh) in complete.refreshed
        if not is_of_the_last or told["source_digest"] != complete.source_digest:
            return False
    elif not options.grow:
        now = {**told, "shard_length": shard_length or complete.shard_length}
        require_same(place, complete.told, now, source)
    if options.grow and not is_same(complete.told, told):
        return False
    return len(fitting(place, complete.files, options.verify)) == len(complete.files)


def _plan(
    place: Place,
    complete: Manifest | None,
    source: Source,
    told: Mapping[str, Any],
    shard_length: int | None,
    options: IngestOptions,
) -> StorePlan:
    """Return the plan of a new store, of one that is to be mended, or of one that grows."""
    if complete is None:
        if options.refresh is not None:
            raise UserError(f"there is no store {place} of which to refresh a period; leave refresh out to make it")
        return plan_store(source, shard_length or Workspace(place).request.get("shard_length"), place)
    if options.refresh is None and is_same(complete.told, told):
        return plan_store(source, complete.shard_length, place)
    damaged = sorted(set(complete.files) - fitting(place, complete.files, options.verify))
    if damaged:
        raise UserError(f"{place}/{damaged[0]} is missing or damaged; {remedy(place)} before it is changed")
    stored = open_store(place)
    refreshed = _within(stored["time"].values, options.refresh)
    if options.refresh is not None and not refreshed.any():
        asked, has = parse_period(options.refresh), (complete.first_time, complete.last_time)
        raise UserError(f"{place} has no time within {_between(*asked)}; it has {_between(*has)}")
    _require_whole(place, {file: complete.files[file] for file in _read_again(stored, complete, refreshed)})
    return plan_store(GrownSource(stored, source, refreshed, options.grow), complete.shard_length, place)


def _read_again(stored: xr.Dataset, complete: Manifest, refreshed: npt.NDArray[np.bool_]) -> Iterator[str]:
    """Yield the files of a store that are read when it changes: of some, new versions have part of their values."""
    varying = {str(name) for name, field in stored.data_vars.items() if "time" in field.dims}
    for file in complete.files:
        name, _, key = file.partition("/c.")
        first = int(key.split(".")[0]) * complete.shard_length if name in varying and key else complete.n_times
        end = first + complete.shard_length
        if end > complete.n_times or refreshed[first:end].any():
            yield file


def _require_whole(place: Place, notes: Mapping[str, FileNote]) -> None:
    """Refuse files that are not as they were written: a new version of one would be taken for whole."""
    damaged = sorted(set(notes) - fitting(place, notes))
    if damaged:
        raise UserError(f"{place}/{damaged[0]} is damaged, and values of it are to be written again; {remedy(place)}")


def made_all(source: Source, manifest: Manifest) -> bool:
    """Return whether a source gives all that a store holds, as far as its digest, times and variables tell."""
    return is_same(manifest.told, request_of(source))


def _within(times: npt.NDArray[np.datetime64], period: Period | None) -> npt.NDArray[np.bool_]:
    """Return which times lie in a period; none where it is None."""
    if period is None:
        return np.zeros(len(times), bool)
    span = parse_period(period)
    return (times >= span.first) & (times <= span.last)


def _named(period: Period) -> str:
    """Return a period as it is noted."""
    return "/".join(map(str, parse_period(period)))


def _between(first: str | np.datetime64, last: str | np.datetime64) -> str:
    return f"{first:.16} .. {last:.16}"


def _require_own_folder(place: Place) -> None:
    entries = place.entries()
    if not entries or Manifest.exists(place) or is_begun(place):
        return
    own = (FOLDER, f".{FOLDER}")
    foreign = [name for name in entries if not name.startswith(own) and not name.endswith(PARTIAL)]
    if foreign:
        require_not_lost(place)
        raise UserError(f"{place} holds other files, such as {min(foreign)}; choose an empty folder for the store")
