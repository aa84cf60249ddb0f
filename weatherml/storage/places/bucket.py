"""A bucket as a place: objects below a prefix, by obstore."""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import Any, TypeVar
from uuid import uuid4

from weatherml.storage.cloud import Access, open_url
from weatherml.storage.cloud.objects import Objects
from weatherml.storage.places.lease import Lease
from weatherml.storage.places.outgoing import outgoing
from weatherml.storage.places.place import PathOf

_AT_ONCE = 16
"""Requests side by side."""
_UPLOADS_AT_ONCE = 4
_LOG_BYTES = 2**16
"""Of one object of a log: it is written again with each line, since nothing can be appended to an object."""
_ALONE, _LOCK = "alone.lease", ".lock"
_WAIT = 900.0
"""Seconds to wait for one's turn: a minute for one who was killed, half a second for each task of a large job array."""

T = TypeVar("T")


class Bucket:
    """A prefix of a bucket; see `Place`. What it refuses is one line.

    Args:
        url: `s3://bucket/prefix`, `gs://`, `az://container/prefix`.
        access: Credentials; those of the environment when None.
    """

    def __init__(self, url: str, access: Access | None = None) -> None:
        self.root, self._access = url.rstrip("/"), access or Access()
        self._name = uuid4().hex
        self._leases: list[Lease] = []
        self._logs: dict[str, tuple[int, bytes]] = {}
        self._alone: set[tuple[int, str]] = set()

    def __str__(self) -> str:
        return self.root

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave behind what is this process's own: leases, logs, and keys, which others take from their environment."""
        return Bucket, (self.root, self._access)

    @cached_property
    def _objects(self) -> Objects:
        return Objects(self.root, self._access)

    @property
    def zarr(self) -> Any:
        """What zarr opens."""
        return open_url(self.root, self._objects.access)

    def entries(self) -> list[str]:
        """Return the first parts of all keys."""
        return self._objects.entries()

    def read(self, key: str) -> bytes | None:
        """Return the content of an object; None where there is none."""
        return self._objects.read(key)

    def exists(self, key: str) -> bool:
        """Return whether there is an object."""
        return self._objects.version(key) is not None

    def keys(self, folder: str) -> list[str]:
        """Return the keys of all objects below a prefix, sorted."""
        return sorted(self._objects.sizes(folder))

    def sizes(self, keys: Collection[str]) -> dict[str, int]:
        """Return the bytes of those objects that are there: one by one, or by listing where many would be."""
        if len(keys) <= _AT_ONCE:
            found = zip(keys, _side_by_side(self._objects.size, keys), strict=True)
            return {key: size for key, size in found if size is not None}
        folders, wanted = sorted({key.rpartition("/")[0] for key in keys}), frozenset(keys)
        list_in = self._objects.sizes
        listed = _side_by_side(lambda folder: list_in(folder) if folder else self._objects.sizes_at_root(), folders)
        return {key: size for own in listed for key, size in own.items() if key in wanted}

    def checksums(self, keys: Collection[str]) -> dict[str, str]:
        """Return the SHA-256 of those objects that are there."""
        keys = list(keys)
        found = zip(keys, _side_by_side(self._objects.checksum, keys), strict=True)
        return {key: checksum for key, checksum in found if checksum is not None}

    def write(self, key: str, content: bytes) -> None:
        """Write an object."""
        self._require_held()
        self._objects.write(key, content)

    write_unflushed = write

    @contextmanager
    def writing(self) -> Iterator[PathOf]:
        """Yield where files wait on this machine until all are sent together, and are then deleted."""
        with outgoing() as folder:
            yield folder.joinpath
            self._require_held()
            files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
            _side_by_side(lambda key: self._objects.send(key, files[key]), sorted(files), _UPLOADS_AT_ONCE)

    def flush(self, keys: Iterable[str]) -> None:
        """Nothing: what a bucket has taken, it has."""

    def append(self, log: str, line: bytes) -> None:
        """Write the last object of a log again with a line more, or begin another."""
        number, content = self._logs.get(log, (0, b""))
        if len(content) > _LOG_BYTES:
            number, content = number + 1, b""
        content += line + b"\n"
        self.write(f"{log}.{self._name}.{number:06d}", content)
        self._logs[log] = number, content

    def lines(self, folder: str) -> Iterator[bytes]:
        """Yield the lines of all objects below a prefix."""
        for content in _side_by_side(self.read, self.keys(folder)):
            yield from (content or b"").splitlines()

    def move(self, moves: Mapping[str, str]) -> None:
        """Copy objects within the bucket, and delete them where they were once all are copied."""
        self._require_held()
        _side_by_side(lambda key: self._objects.copy(key, moves[key]), list(moves))
        self.remove(moves)

    def remove(self, keys: Iterable[str]) -> None:
        """Delete objects, where they are there."""
        self._require_held()
        self._objects.remove(keys)

    def remove_folder(self, folder: str) -> None:
        """Delete all objects below a prefix, but for leases of processes that are alive."""
        held = {lease.key for lease in self._leases}
        leases = [key for key in self.keys(folder) if key.endswith((_ALONE, _LOCK)) and key not in held]
        alive = {key for key in leases if not self.lock(key).is_silent}
        self.remove(key for key in self.keys(folder) if key not in alive | held)

    def prune(self, folder: str) -> None:
        """Nothing: a bucket has no folders."""

    def tidy(self) -> None:
        """Nothing: what was not sent whole is not there."""

    def lock(self, key: str) -> Lease:
        """Return a lease, which all that is written through this place requires to be this process's once it has it."""
        return Lease(self._objects, key, f"an ingestion to {self.root}", self._leases)

    @contextmanager
    def alone_at(self, key: str) -> Iterator[None]:
        """Keep other processes from giving or taking the names of objects below a prefix meanwhile."""
        own = (threading.get_ident(), key)
        if own in self._alone:
            yield
            return
        lease = self.lock(f"{key}/{_ALONE}")
        lease.acquire(f"another process is at work on {self.root}; wait for it, or choose another place", _WAIT)
        self._alone.add(own)
        try:
            yield
        finally:
            self._alone.remove(own)
            lease.release()

    def explaining_errors(self) -> AbstractContextManager[None]:
        """Nothing: every request explains its own."""
        return nullcontext()

    def _require_held(self) -> None:
        for lease in self._leases:
            lease.require_held()


def _side_by_side(ask: Callable[[str], T], keys: Collection[str], at_once: int = _AT_ONCE) -> list[T]:
    if len(keys) < 2:
        return [ask(key) for key in keys]
    with ThreadPoolExecutor(min(at_once, len(keys))) as pool:
        return list(pool.map(ask, keys))
