"""Have all files of a configuration: ask, wait, fetch, verify, note; side by side, and from where another left it."""

import hashlib
import logging
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import numpy.typing as npt

from weatherml.data.reading.formats.grib import import_eccodes
from weatherml.data.sources.cds.arrival import Arrival, DamagedError, inspect
from weatherml.data.sources.cds.config import CdsConfig
from weatherml.data.sources.cds.ledger import Ledger, Record
from weatherml.data.sources.cds.service import Asset, JobGoneError, QueueFullError, RefusedError, Service, StoppedError
from weatherml.data.sources.cds.transfer import fetch
from weatherml.data.sources.cds.units import Unit
from weatherml.errors import UserError
from weatherml.errors.wording import size_of
from weatherml.storage.flush import flush
from weatherml.storage.folders import put_in_place
from weatherml.storage.locks import alone_in
from weatherml.storage.room import explaining_errors

_logger = logging.getLogger(__name__)

_LOCK = ".download.lock"
_FIRST_POLL, _LONGEST_POLL = 1.0, 120.0  # seconds between two questions for a job
_TRIES = 3  # of a job that fails, or of a file that comes damaged
_TRIES_OF_QUEUE = 20
_LONGEST_TURN = 300.0  # seconds until a full queue is tried again: with as many tries, an hour and a half
_TRANSFERS = 4

Progress = Callable[..., None]
"""Told how many requests are done, how many there are, and what the others do."""


@dataclass(frozen=True)
class Delivery:
    """What a download did.

    Attributes:
        files: All files of the configuration, in the order of their months.
        n_requests: Requests that they answer.
        n_fetched: Of these, those that this run fetched.
        preliminary: Units some of whose values are preliminary (ERA5T).
        replaced: Times whose preliminary values this run has replaced, rising, `datetime64[ns]` [time].
    """

    files: tuple[Path, ...]
    n_requests: int
    n_fetched: int
    preliminary: tuple[Unit, ...]
    replaced: npt.NDArray[np.datetime64]


def download(
    config: CdsConfig, folder: Path, progress: Progress | None = None, refresh: bool = False, patience: float = 0.0
) -> Delivery:
    """Fetch what is not there yet; a download that was stopped or killed goes on where it was.

    Args:
        config: What to fetch.
        folder: Where the files and their records lie.
        progress: Called whenever something has come.
        refresh: Ask again for what was preliminary when it came, and take what has become final.
        patience: How long to wait for another process that downloads into the folder, seconds.

    Raises:
        UserError: There are no credentials or the service refuses, the disk has no room, another process is at work in
            the folder, or the service has not all that is asked for.
    """
    config.require_past()
    ledger = Ledger(folder)
    units = ledger.plan(config)
    if not refresh and all(map(ledger.is_there, units)):
        return _delivery(ledger, units, {})
    import_eccodes(folder)
    busy = f"another process is downloading into {folder}; wait for it, or choose another folder"
    with alone_in(folder, _LOCK, busy, patience):
        ledger = Ledger(folder)
        units = ledger.plan(config)
        wanted = preliminary_units(ledger, units) if refresh else []
        wanted += [unit for unit in units if not ledger.is_there(unit)]
        before = {unit: ledger.of(unit) for unit in wanted}
        _require_room(config, ledger, wanted)
        if wanted:
            _Delivering(config, ledger, wanted, progress).run()
    return _delivery(ledger, units, before)


def preliminary_units(ledger: Ledger, units: Sequence[Unit]) -> list[Unit]:
    """Return those of some units that are there and hold preliminary values (ERA5T), which become final later."""
    return [unit for unit in units if ledger.of(unit).preliminary and ledger.is_there(unit)]


def _delivery(ledger: Ledger, units: list[Unit], before: Mapping[Unit, Record]) -> Delivery:
    """Tell what there is now of units, of which some were wanted, with what was known of these before."""
    changed = [record for unit, record in before.items() if record.md5 != ledger.of(unit).md5]
    replaced = sorted({time for record in changed for time in record.preliminary})
    return Delivery(
        files=tuple(ledger.paths(units)),
        n_requests=len(units),
        n_fetched=len(changed),
        preliminary=tuple(preliminary_units(ledger, units)),
        replaced=np.array(replaced, "datetime64[ns]"),
    )


def _require_room(config: CdsConfig, ledger: Ledger, units: Sequence[Unit]) -> None:
    """Require that the disk has room for what is still to come, before anything is asked for."""
    here = sum(partial.stat().st_size for unit in units if (partial := ledger.partial(unit)).exists())
    _require_free(ledger.folder, sum(unit.n_bytes(config.n_points) for unit in units) - here, len(units))


def _require_free(folder: Path, n_bytes: int, n_files: int) -> None:
    free = shutil.disk_usage(folder).free
    if n_bytes > free:
        raise RefusedError(
            f"{folder} needs {size_of(n_bytes)} for {n_files} files and has {size_of(free)} free; make room, or choose"
            " another disk: source.folder"
        )


class _Delivering:
    """The threads that fetch units, each one unit at a time."""

    def __init__(self, config: CdsConfig, ledger: Ledger, units: list[Unit], progress: Progress | None) -> None:
        self._config, self._ledger, self._units = config, ledger, units
        self._progress = progress or (lambda done, total, news="": None)
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._states: Counter[str] = Counter()
        self._transfers = threading.Semaphore(_TRANSFERS)
        self._service = Service(config.at_once, self._stop)
        confirmed = [record.is_confirmed for record in ledger.records.values()]
        self._has_no_md5 = False in confirmed and True not in confirmed

    def run(self) -> None:
        """Fetch all; where some fail, the others come first, unless the service would refuse them, too.

        Raises:
            UserError: Some did not come.
        """
        pool = ThreadPoolExecutor(self._config.at_once)
        futures = [pool.submit(self._deliver, unit) for unit in self._units]
        try:
            failures = self._wait(futures)
        finally:
            self._stop.set()  # after an interruption, too: threads then leave what they are at
            pool.shutdown(cancel_futures=True)
        refused = [failure for failure in failures if isinstance(failure, RefusedError)]
        if refused:
            raise refused[0]
        if failures:
            raise UserError(f"{len(failures)} of {len(self._units)} requests failed; {failures[0]}")

    def _wait(self, futures: Sequence[Future[None]]) -> list[UserError]:
        failures: list[UserError] = []
        left = set(futures)
        while left:
            done, left = wait(left, timeout=1.0, return_when=FIRST_EXCEPTION)
            for error in filter(None, (future.exception() for future in done)):
                if isinstance(error, UserError):
                    failures.append(error)
                elif not isinstance(error, StoppedError):  # those whom another has stopped
                    raise error
            self._tell()
        return failures

    def _tell(self) -> None:
        states = ", ".join(f"{n} {state}" for state, n in sorted(self._states.items()) if n and state != "there")
        self._progress(self._states["there"], len(self._units), states)

    @contextmanager
    def _state(self, state: str) -> Iterator[None]:
        """Count what a thread does, for the news."""
        with self._lock:
            self._states[state] += 1
        try:
            yield
        finally:
            with self._lock:
                self._states[state] -= 1

    def _deliver(self, unit: Unit) -> None:
        """Have one unit whole on the disk."""
        self._service.require_going_on()
        record = self._ledger.of(unit)
        if record.files and self._ledger.is_there(unit) and not record.is_renewing:
            self._note(unit, job=None, version=None, is_renewing=True)
        try:
            self._bring(unit)
        except RefusedError:
            self._stop.set()
            raise
        with self._lock:
            self._states["there"] += 1

    def _bring(self, unit: Unit) -> None:
        """Ask, wait, fetch, verify and note; again where a job has failed for a reason that may pass."""
        for trial in count(1):
            try:
                asset = self._await(unit)
                with self._transfers, self._state("arriving"):
                    self._keep(unit, asset, *self._fetch_sound(unit, asset))
                return
            except JobGoneError as error:
                _logger.info("%s: %s", unit.name, error)
                self._ledger.partial(unit).unlink(missing_ok=True)
                self._note(unit, job=None, version=None)
                if trial == (_TRIES_OF_QUEUE if isinstance(error, QueueFullError) else _TRIES):
                    raise UserError(f"{_named(unit)}: {error}; run again later") from None
                self._service.pause(min(2.0 ** (trial - 1), _LONGEST_TURN))

    def _await(self, unit: Unit) -> Asset:
        """Ask for a unit, if nobody has, and wait until its file is ready."""
        job = self._ledger.of(unit).job
        if job is None:
            job = self._service.submit(unit)
            self._note(unit, job=job)
            _logger.info("%s: asked for as %s", unit.name, job)
        pause = _FIRST_POLL
        with self._state("waiting"):
            while (status := self._service.status(job)) in ("accepted", "running"):
                self._service.pause(pause)
                pause = min(pause * 1.5, _LONGEST_POLL)
        if status == "successful":
            return self._service.asset(job)
        reason = self._service.reason(job) if status in ("failed", "rejected") else f"its job was {status}"
        words = reason.lower().replace(" ", "")
        if "queuedrequests" in words:  # of this user, or of all: accepted, and rejected a moment later
            raise QueueFullError(f"{status}: {reason}")
        if status != "rejected" and "nodata" not in words:
            raise JobGoneError(f"{status}: {reason}")
        self._note(unit, job=None)
        raise UserError(
            f"{_named(unit)}: {status}: {reason}; ERA5 has what was about five days ago: see to source.periods and"
            " source.fields_per_request"
        )

    def _fetch_sound(self, unit: Unit, asset: Asset) -> tuple[Arrival, str]:
        """Fetch a file until it is sound, or the same twice; return what it is and its MD5."""
        partial = self._ledger.partial(unit)
        before, reason = "", ""
        for _ in range(_TRIES):
            here = partial.stat().st_size if partial.exists() else 0
            _require_free(self._ledger.folder, asset.n_bytes - here, 1)
            fetch(self._service, asset, partial, self._ledger.of(unit).version, lambda v: self._begin(unit, v))
            md5 = _md5(partial)
            try:
                arrival = inspect(partial, unit, self._config.n_points)
            except DamagedError as error:
                arrival, reason = None, str(error)
            if arrival is not None:
                reason = self._doubt(arrival, asset, md5)
                if not reason or md5 == before:  # what comes twice is what the service has
                    return arrival, md5
            elif md5 == before:
                break
            before = md5
            _logger.warning("%s: %s; it is fetched again", unit.name, reason)
            partial.unlink()
        partial.unlink(missing_ok=True)
        self._note(unit, job=None, version=None)
        raise UserError(f"{_named(unit)} came, but {reason}; run again, and if it stays so, see what {asset.url} holds")

    def _doubt(self, arrival: Arrival, asset: Asset, md5: str) -> str:
        if arrival.doubt:
            return arrival.doubt
        is_other = _may_be_md5(asset.checksum) and asset.checksum.lower() != md5
        return "its MD5 is not the checksum that is told" if is_other and not self._has_no_md5 else ""

    def _keep(self, unit: Unit, asset: Asset, arrival: Arrival, md5: str) -> None:
        """Give what has come and is sound its name, and note it; what it replaces goes last."""
        folder, record = self._ledger.folder, self._ledger.of(unit)
        preliminary = tuple(f"{time:.16}" for time in map(str, arrival.preliminary))
        if record.is_renewing and len(preliminary) >= len(record.preliminary):
            self._drop(unit)
            return
        is_confirmed = asset.checksum.lower() == md5 if _may_be_md5(asset.checksum) else None
        files = {f"{unit.name}.{md5[:8]}{ending}": path for ending, path in arrival.files.items()}
        # Noted first, and the job for longer: whoever is killed between has either the partial file or the files.
        self._note(
            unit,
            files=tuple(files),
            n_bytes=sum(path.stat().st_size for path in files.values()),
            md5=md5,
            is_confirmed=is_confirmed,
            preliminary=preliminary,
            is_renewing=False,
        )
        with explaining_errors(folder):
            for name, path in files.items():
                flush(path)
                put_in_place(path, folder / name)
        self._note(unit, job=None, version=None)
        self._ledger.tidy(unit)
        if is_confirmed is False:
            self._has_no_md5 = True

    def _drop(self, unit: Unit) -> None:
        """Stay with what is there, since what came is no more final."""
        self._note(unit, job=None, version=None, is_renewing=False)
        self._ledger.tidy(unit)

    def _begin(self, unit: Unit, version: str | None) -> None:
        self._note(unit, version=version)

    def _note(self, unit: Unit, **changes: object) -> None:
        with self._lock:
            self._ledger.note(unit, **changes)


def _named(unit: Unit) -> str:
    levels = f" on {len(unit.levels)} levels" if unit.levels else ""
    return f"{', '.join(unit.variables)}{levels} of {unit.month} from {unit.dataset}"


def _may_be_md5(checksum: str) -> bool:
    return len(checksum) == 32 and all(character in "0123456789abcdefABCDEF" for character in checksum)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
