"""Who does pieces of work that need nothing of each other: this process, or workers of dask."""

import logging
import pickle
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib import import_module
from itertools import islice
from threading import Event, Thread
from typing import Any, Protocol, TypeVar

from weatherml.errors import UserError
from weatherml.errors.secrecy import without_secrets
from weatherml.errors.wording import counted

Item = TypeVar("Item")
Result = TypeVar("Result")

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
"""Pieces for each worker that are handed out: enough that none waits, few enough that an interruption is prompt."""


class Workers(Protocol):
    """Does pieces of work."""

    def require_there(self) -> None:
        """Require, before anything is begun, that whoever does the work answers.

        Raises:
            UserError: They do not.
        """
        ...

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Apply a function to items, in any order; yield results as they come."""
        ...


class InProcess:
    """This process does one piece after the other."""

    def require_there(self) -> None:
        """Do nothing: it is there."""

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Apply a function to one item after the other."""
        yield from map(function, items)


HERE = InProcess()
"""This process."""


def in_order(workers: Workers, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Apply a function to items; yield results in the order of the items, each as soon as it may come."""
    waiting: dict[int, Result] = {}
    n_given = 0
    for place, result in workers.map(partial(_numbered, function), enumerate(items)):
        waiting[place] = result
        while n_given in waiting:
            yield waiting.pop(n_given)
            n_given += 1


def workers_of(workers: int, scheduler: str | None = None) -> Workers:
    """Return who does the work as options say it: this process where they ask for none.

    Raises:
        UserError: The scheduler is no address.
    """
    return HERE if not workers and scheduler is None else Dask(max(1, workers), scheduler)


def _numbered(function: Callable[[Item], Result], item: tuple[int, Item]) -> tuple[int, Result]:
    place, own = item
    return place, function(own)


@dataclass(frozen=True)
class Dask:
    """Workers of a dask cluster work side by side; one that dies is replaced, and its piece done again.

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

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Apply a function side by side; yield results as they come.

        Raises:
            UserError: A package is missing, the scheduler does not answer, or a worker fails.
        """
        with self._client() as client:
            yield from _gather(client, function, items)

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
        with _import("dask.config").set(_HEAP), _on_this_machine(distributed, self.workers) as cluster:
            yield cluster


def _on_this_machine(distributed: Any, workers: int) -> Any:
    """Return a cluster whose workers have started.

    Raises:
        UserError: They do not, as where the system kills them.
    """
    try:
        return distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=None,
            dashboard_address=None,
            scheduler_kwargs=_ANY_PORT,
            silence_logs=logging.ERROR,
        )
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"{counted(workers, 'worker')} did not start on this machine ({_reason(error)}); see that none is killed"
            " and that memory suffices, then run again, or ask for fewer workers"
        ) from None


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


def _gather(client: Any, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    content = _import("cloudpickle").dumps(function)  # with every item: what one worker holds is lost with it
    waiting = iter(items)

    def hand_out(n_in_flight: int) -> list[Any]:
        """Hand out as many as those workers want that are there by now: others may come later."""
        wanted = _IN_FLIGHT * max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
        own = islice(waiting, max(0, wanted - n_in_flight))
        return [client.submit(_do, content, item, pure=False) for item in own]

    done = _import("distributed").as_completed(hand_out(0), loop=client.loop)
    for future in done:
        yield _result(future)
        for more in hand_out(done.count()):
            done.add(more)


def _result(future: Any) -> Any:
    try:
        return future.result()
    except UserError:
        raise
    except Exception as error:  # whatever a worker died of
        reason = _reason(error)
        raise UserError(
            f"a worker could not do its part ({type(error).__name__}: {reason}); run it again to go on"
        ) from error


def _do(content: bytes, item: Any) -> Any:
    return _unpacked(content)(item)


@lru_cache(maxsize=2)
def _unpacked(content: bytes) -> Callable[[Any], Any]:
    """Return a function whose sources stay open from one item to the next."""
    function: Callable[[Any], Any] = pickle.loads(content)
    return function
