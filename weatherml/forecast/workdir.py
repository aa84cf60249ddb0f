"""A forecast that is being made: a folder beside the output, and records of which batches are whole."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ConfigDict

from weatherml.config import Config
from weatherml.errors import Option, UserError
from weatherml.products.store import forecast_folder, holds, mark_complete, require_free, token_at
from weatherml.storage import room
from weatherml.storage.files import write_bytes
from weatherml.storage.noted_store import NotedStore
from weatherml.storage.run_folder import RunFolder
from weatherml.storage.share import Share

_RESULT = "result"


class Stopped(Config):
    """What became of a member that was stopped.

    Attributes:
        init: Position of its initial time.
        number: Of the member.
        lead: Its first lead that is missing, ns.
        channel: The first that was out of bounds.
        value: Its worst value, SI units; not finite where the state no longer was.
    """

    model_config = ConfigDict(ser_json_inf_nan="constants", allow_inf_nan=True)

    init: int
    number: int
    lead: int
    channel: str
    value: float


class Record(Config):
    """What one process has done for good; replaced in one act.

    Attributes:
        batches: Positions of the batches that are whole.
        stopped: Members of them.
    """

    model_config = ConfigDict(ser_json_inf_nan="constants", allow_inf_nan=True)

    batches: tuple[int, ...] = ()
    stopped: tuple[Stopped, ...] = ()

    def after(self, batches: tuple[int, ...], stopped: Sequence[Stopped]) -> dict[str, Any]:
        """Return the values of these fields once more batches are whole."""
        return {"batches": (*self.batches, *batches), "stopped": (*self.stopped, *stopped)}


RecordT = TypeVar("RecordT", bound=Record)


class WorkDir(Generic[RecordT]):
    """The folder in which an output is made: a run that is its own, and records of what is whole.

    What an output does, in this order:

    1. `begin`: joins the run that was begun for the same request, or begins one; `description` tells what was noted.
    2. `lock`: takes a share, which no other process has until `close`.
    3. writes through `store(name)`, zarr stores in `folder`; the one named "result" is the output to be.
    4. `save`: has the disk hold what was written, then replaces the record of the share.
    5. `finishing`: one process at a time; where it yields that this is still to do, writes what is left of "result" and
       calls `publish`, which says that the result is complete and gives it the name `path`.

    Args:
        path: The output to be.
        request: Tells whether it is the same forecast.
        nothing: The record of a process that has done nothing.
        overwrite: Replace what is at `path` in the end, and another forecast that was interrupted there now.

    Raises:
        UserError: Something is at `path`, or part of another forecast is beside it.
    """

    def __init__(self, path: Path, request: str, nothing: RecordT, overwrite: bool, is_shared: bool = False) -> None:
        self.path, self._nothing, self._overwrite = forecast_folder(path), nothing, overwrite
        self._is_shared = is_shared
        with explaining_errors(path):
            self._run = RunFolder(path, request, token_at, "forecast")
        self._stores: dict[str, NotedStore] = {}
        require_free(path, overwrite)
        self._require_no_other()

    @property
    def folder(self) -> Path:
        """Where all is that is made, once it is begun; of this run alone."""
        return self._run.folder

    @property
    def result(self) -> Path:
        """The output itself, which gets its name in the end."""
        return self.folder / _RESULT

    @property
    def description(self) -> dict[str, Any]:
        """What was noted when this very forecast was begun here; empty if it was not."""
        return self._run.description

    def begin(
        self,
        description: Mapping[str, Any],
        n_bytes: int,
        fill: Callable[[], None] = lambda: None,
        least: int | None = None,
    ) -> None:
        """Make the folder, unless this forecast was begun here.

        Args:
            description: What to note; JSON values.
            n_bytes: The room that all of it may take.
            fill: Writes the first content, through `store`.
            least: The room that it takes however well it is compressed; see `require_space`.

        Raises:
            UserError: There is no room, the disk refuses, or another forecast is being made here.
        """

        def fill_and_flush() -> None:
            # Once more: another run may have finished meanwhile, or other shares this very forecast.
            is_there = self._is_shared and holds(self.path, self._run.request)
            require_free(self.path, self._overwrite and not is_there)
            self._require_no_other()
            fill()
            self._flush()

        if not self.description:
            room.require_space(self.path, n_bytes, least)
        with explaining_errors(self.path):
            self._run.begin(description, fill_and_flush)
        if self.description.get("batch") != description.get("batch"):
            raise UserError(f"another process has just begun {self.path} in another batch; run the same forecast again")

    def lock(self, share: Share) -> None:
        """Keep others from this share until `close`.

        Raises:
            UserError: Another process has it, or shares of another count are being made.
        """
        with explaining_errors(self.path):
            self._run.take_part(share.name, lambda name: not name.endswith(f"-of-{share.count}"))

    def close(self) -> None:
        """Let others have this share."""
        self._run.leave()

    def store(self, name: str) -> NotedStore:
        """Return a zarr store in `folder`; what is written to it is on the disk when `save` or `publish` returns."""
        return self._stores.setdefault(name, NotedStore(self.folder / name))

    def record(self, share: Share) -> RecordT:
        """Return the record of a share."""
        file = self.folder / f"{share.name}.json"
        return self._nothing.model_validate_json(file.read_bytes()) if file.exists() else self._nothing

    def records(self) -> dict[str, RecordT]:
        """Return all records by the name of their share."""
        files = sorted(self.folder.glob("share-*-of-*.json"))
        return {file.stem: self._nothing.model_validate_json(file.read_bytes()) for file in files}

    def save(self, share: Share, record: RecordT) -> None:
        """Replace the record of a share, once all that it counts is on the disk.

        Raises:
            UserError: The disk refuses, or another run has taken the place of this one.
        """
        self._run.require_own()
        with explaining_errors(self.path):
            self._flush()
        write_bytes(self.folder / f"{share.name}.json", record.model_dump_json().encode())

    def stopped(self) -> list[Stopped]:
        """Return the members that stopped, by initial time and number."""
        return in_order(self.records().values())

    def done(self) -> frozenset[int]:
        """Return the batches that are whole, whoever made them."""
        return frozenset(batch for record in self.records().values() for batch in record.batches)

    def has_all(self, n_batches: int) -> bool:
        """Return whether so many batches, which are all, are whole; or were, and another process has finished this run.

        Raises:
            UserError: Another run has taken the place of this one.
        """
        n_done = len(self.done())
        if self._run.is_own:
            return n_done == n_batches
        if not self._run.is_finished:
            self._run.require_own()
        return True

    @contextmanager
    def finishing(self) -> Iterator[bool]:
        """Let one process at a time finish; yield whether that is still to do, and drop the folder afterwards.

        Raises:
            UserError: The disk refuses, or another run has taken the place of this one.
        """
        with explaining_errors(self.path), self._run.finishing() as is_to_do:
            yield is_to_do

    def publish(self, attributes: Mapping[str, Any]) -> None:
        """Say that the result has all its values and give it its name, while `finishing`.

        Args:
            attributes: To be added to its own.

        Raises:
            UserError: Another run has put its own there meanwhile, which may not be replaced.
        """
        mark_complete(self.result, attributes, self._run.token)
        self._flush()
        self._run.publish(self.result, self._overwrite)

    def _flush(self) -> None:
        for store in self._stores.values():
            store.flush()

    def _require_no_other(self) -> None:
        if self._run.holds_another and not self._overwrite:
            raise UserError(
                f"{self._run.place} holds part of another forecast",
                "choose another path",
                Option("overwrite", purpose="to drop it"),
            )


def is_made(path: Path, request: str) -> bool:
    """Return whether this very forecast is at a path, once nobody is about to put it there."""
    with explaining_errors(path):
        RunFolder(path, request, token_at, "forecast").wait_for_end()
    return holds(path, request)


def in_order(records: Iterable[Record]) -> list[Stopped]:
    """Return the members that stopped in any of the records, by initial time and number."""
    stopped = {(own.init, own.number): own for record in records for own in record.stopped}
    return [stopped[member] for member in sorted(stopped)]


def explaining_errors(path: Path | None) -> AbstractContextManager[None]:
    """Turn what a disk refuses into one line that says what to do."""
    return room.explaining_errors(path, again="run the same forecast again")
