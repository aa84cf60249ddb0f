"""Who makes the parts of a store: this process, or workers of dask. What they make has the same bytes."""

import logging
import pickle
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from itertools import groupby, islice
from operator import itemgetter
from threading import Event, Thread
from typing import Any, Protocol

import dask
import numpy as np
import numpy.typing as npt

from weatherml.data.source import Source
from weatherml.data.store.making.cutting import Part
from weatherml.data.store.making.parts import Block, read, read_ahead, write
from weatherml.data.store.making.workspace import Recorder, Workspace
from weatherml.errors import UserError
from weatherml.secrecy import without_secrets
from weatherml.storage.places import Place

_SECONDS_BETWEEN_LOOKS = 10
_HEAP = {
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": str(2**25),
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": str(2**28),
}
"""Of workers on this machine: they use the memory of a field again, as a process does by default. dask has it given
back to the kernel, which maps and clears every page anew, two fifths of a worker's CPU time."""
_ANY_PORT = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
"""A scheduler listens for HTTP also without a dashboard: on port 8787 of all networks, and warns where it is taken."""
_SLURM = "slurm"
_ADDRESS = re.compile(r"(?:(?:tcp|tls|ucx|wss?)://)?(?:\[[\da-fA-F:]+\]|[^\s/:\[\]]+):\d+|inproc://\S+")
_IN_FLIGHT = 3
"""Parts for each worker that are handed out: enough that none waits, few enough that an interruption is prompt."""


@dataclass(frozen=True)
class Task:
    """What a worker has to know beside the part.

    Attributes:
        place: Where the store is made.
        source: Where the values come from.
        request: What the workspace was begun for.
        memory: Bytes that a worker may hold.
        staged: Files that are replaced; their new versions wait.
    """

    place: Place
    source: Source
    request: Mapping[str, Any]
    memory: int
    staged: frozenset[str]

    def make(self, parts: "Group") -> Iterator[int]:
        """Make parts one after the other, the next block read while one is written; yield how many files each has."""
        with Recorder(Workspace(self.place), self.staged) as recorder, closing(read_ahead(self._read(parts))) as blocks:
            for position, own in groupby(blocks, key=itemgetter(0)):
                yield self._write(parts[position][0], (block for _, block in own), recorder)

    def _read(self, parts: "Group") -> Iterator[tuple[int, Block]]:
        """Yield the blocks of all parts, with the position of the part."""
        for position, (part, missing) in enumerate(parts):
            yield from ((position, block) for block in read(self.source, part, missing, self.memory))

    def _write(self, part: Part, blocks: Iterable[Block], recorder: Recorder) -> int:
        """Write a part and note its files; return how many there are."""
        workspace = Workspace(self.place)
        with self.place.explaining_errors(), self.place.writing() as path_of:
            paths = {file: path_of(workspace.key(file, self.staged)) for file in part.files}
            notes = write(part, blocks, paths)
            workspace.require_request(self.request)
        recorder.add(notes)
        return len(notes)


Group = Sequence[tuple[Part, npt.NDArray[np.bool_] | None]]
"""Parts that one worker makes, and where their variables have no values."""
Work = Sequence[Group]


class Engine(Protocol):
    """Does the work of an ingestion."""

    def require_there(self) -> None:
        """Require, before anything is begun, that whoever does the work answers.

        Raises:
            UserError: They do not.
        """
        ...

    def run(self, task: Task, work: Work) -> Iterator[int]:
        """Make parts, in any order; yield how many files each has, once they are noted."""
        ...


class InProcess:
    """This process makes one part after the other, and reads the next block while it writes one."""

    def require_there(self) -> None:
        """Do nothing: it is there."""

    def run(self, task: Task, work: Work) -> Iterator[int]:
        """Make parts one after the other."""
        yield from task.make([part for group in work for part in group])


@dataclass(frozen=True)
class Dask:
    """Workers of a dask cluster make parts side by side; one that dies is replaced, and its part made again.

    Attributes:
        workers: How many to start; of a cluster at an address, how many it has is its own business.
        scheduler: Address of a cluster's scheduler, such as `tcp://10.0.0.1:8786`; `slurm` to start workers as jobs, as
            dask-jobqueue's own configuration says; None for workers on this machine.
    """

    workers: int = 1
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.scheduler not in (None, _SLURM) and not _ADDRESS.fullmatch(str(self.scheduler)):
            raise UserError(
                f"scheduler {self.scheduler!r} is no address; write that of a dask scheduler, such as"
                " tcp://10.0.0.1:8786, or slurm"
            )

    def require_there(self) -> None:
        """Require that the scheduler at an address answers; what is started here is started later."""
        if self.scheduler not in (None, _SLURM):
            with self._client():
                pass

    def run(self, task: Task, work: Work) -> Iterator[int]:
        """Make parts side by side.

        Raises:
            UserError: A package is missing, the scheduler does not answer, or a part cannot be made.
        """
        with self._client() as client:
            yield from _gather(client, task, list(work))

    @contextmanager
    def _client(self) -> Iterator[Any]:
        distributed = _import("distributed")
        logging.getLogger("distributed").setLevel(logging.ERROR)  # what it tells of its own doings is not news
        with self._cluster(distributed) as cluster:
            try:
                client = distributed.Client(cluster, set_as_default=False)  # else one that fails stays it
            except (OSError, ValueError, TypeError, TimeoutError) as error:  # a TypeError without settings of TLS
                reason = _reason(error)
                where = f"no scheduler answers at {self.scheduler} ({reason})"
                raise UserError(f"{where}; start one with `dask scheduler`, or pass its address") from None
            with client:
                yield client

    @contextmanager
    def _cluster(self, distributed: Any) -> Iterator[Any]:
        if self.scheduler not in (None, _SLURM):
            yield self.scheduler
            return
        if self.scheduler:
            with _slurm() as cluster, keeping_up(cluster, self.workers):
                yield cluster
            return
        with (
            dask.config.set(_HEAP),
            distributed.LocalCluster(
                n_workers=self.workers,
                threads_per_worker=1,
                memory_limit=None,
                dashboard_address=None,
                scheduler_kwargs=_ANY_PORT,
                silence_logs=logging.ERROR,
            ) as cluster,
        ):
            yield cluster


def _reason(error: object) -> str:
    return without_secrets(" ".join(str(error).split()))[:200]  # first, since half a password is not known for one


def _import(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise UserError("dask workers need other packages; pip install 'weatherml[cluster]'") from None


@contextmanager
def keeping_up(cluster: Any, workers: int) -> Iterator[None]:
    """Keep so many workers on a cluster of jobs: those that are killed, or whose time is up, are submitted again."""
    done = Event()

    def keep() -> None:
        cluster.scale(workers)
        while not done.wait(_SECONDS_BETWEEN_LOOKS):
            cluster.scale(workers)  # dask-jobqueue submits again what it has missed for a while, but only when told

    thread = Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _slurm() -> Any:
    """Return a cluster whose first job SLURM has taken.

    Raises:
        UserError: It takes none, or what dask-jobqueue has to know of jobs is not said.
    """
    jobqueue, cluster = _import("dask_jobqueue"), None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Port .* is already in use", UserWarning)  # of the dashboard
            cluster = jobqueue.SLURMCluster()
        cluster.worker_spec.update(cluster.new_worker_spec())
        # `scale` leaves this to the cluster's own thread, which logs what SLURM says, and waits.
        cluster.sync(cluster._correct_state)
    except (ValueError, OSError, RuntimeError) as error:
        if cluster is not None:
            with suppress(AssertionError):  # it takes a job that never began to be none that is closed
                cluster.close()
        reason = _reason(str(error).rpartition("stderr:")[2])
        raise UserError(
            f"dask-jobqueue cannot start SLURM jobs ({reason}); see that sbatch works on this machine, and say cores,"
            " memory, queue and walltime in ~/.config/dask/jobqueue.yaml"
        ) from None
    return cluster


def _gather(client: Any, task: Task, work: list[Any]) -> Iterator[int]:
    content = _import("cloudpickle").dumps(task)  # with every part: what one worker holds is lost with it
    waiting = iter(work)

    def hand_out(n_in_flight: int) -> list[Any]:
        """Hand out as many as those workers want that are there by now: others may come later."""
        wanted = _IN_FLIGHT * max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
        groups = islice(waiting, max(0, wanted - n_in_flight))
        return [client.submit(_do, content, group, pure=False) for group in groups]

    done = _import("distributed").as_completed(hand_out(0), loop=client.loop)
    for future in done:
        yield _result(future)
        for more in hand_out(done.count()):
            done.add(more)


def _result(future: Any) -> int:
    try:
        number: int = future.result()
    except UserError:
        raise
    except Exception as error:  # whatever a worker died of
        reason = _reason(error)
        raise UserError(
            f"a worker could not make a part ({type(error).__name__}: {reason}); run it again to go on"
        ) from error
    return number


def _do(content: bytes, group: Group) -> int:
    return sum(_unpacked(content).make(group))


@lru_cache(maxsize=2)
def _unpacked(content: bytes) -> Task:
    """Return a task whose source stays open from one part to the next."""
    task: Task = pickle.loads(content)
    return task


HERE = InProcess()
"""This process."""

Progress = Callable[[int, int], None]
"""Told the number of files done and of all files."""
