"""Objects below a prefix of a bucket: asked for, written, listed; what goes wrong is one line."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from weatherml.errors import UserError
from weatherml.storage.cloud.access import Access, has_role
from weatherml.storage.cloud.failures import SECONDS_BETWEEN, TRIES, Doing, explained, may_pass, status_of
from weatherml.storage.cloud.opening import client_of

_PART_BYTES, _PARTS_AT_ONCE = 8 * 2**20, 4
_READ_AT_ONCE = 4 * 2**20

T = TypeVar("T")


class Version(NamedTuple):
    """One version of an object.

    Attributes:
        tag: What names it to the server.
        written: When it was written, seconds of the server's clock.
    """

    tag: Mapping[str, Any]
    written: float


class Objects:
    """What a bucket is asked.

    Args:
        url: The prefix.
        access: Credentials; where none are found, and a stranger is refused, those of the machine's role.

    Raises:
        UserError: There is no obstore, or the URL is none.
    """

    def __init__(self, url: str, access: Access) -> None:
        self.url, self.access = url, access
        self._has_answered = False
        self._is_conditional: bool | None = None
        try:
            self._client = client_of(url, access)
        except ImportError:
            raise UserError(f"{url} needs another package (obstore); pip install 'weatherml[remote]'") from None

    def entries(self) -> list[str]:
        """Return the first parts of all keys."""
        import obstore

        listed = self._asked("", lambda: obstore.list_with_delimiter(self._client))
        return sorted([*listed["common_prefixes"], *(found["path"] for found in listed["objects"])])

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the bytes of all objects below a folder, by key."""
        import obstore

        listed = self._asked(folder, lambda: obstore.list(self._client, prefix=folder or None).collect())
        return {found["path"]: found["size"] for found in listed}

    def sizes_at_root(self) -> dict[str, int]:
        """Return the bytes of the objects that are in no folder, by key."""
        import obstore

        listed = self._asked("", lambda: obstore.list_with_delimiter(self._client))
        return {found["path"]: found["size"] for found in listed["objects"]}

    def read(self, key: str) -> bytes | None:
        """Return the content of an object; None where there is none."""
        import obstore

        return self._sought(key, lambda: bytes(obstore.get(self._client, key).bytes()))

    def checksum(self, key: str) -> str | None:
        """Return the SHA-256 of an object, hexadecimal; None where there is none."""
        import obstore

        def digest() -> str:
            found = hashlib.sha256()
            for piece in obstore.get(self._client, key).stream(min_chunk_size=_READ_AT_ONCE):
                found.update(piece)
            return found.hexdigest()

        return self._sought(key, digest)

    def version(self, key: str) -> Version | None:
        """Return the version of an object; None where there is none."""
        import obstore

        found = self._sought(key, lambda: obstore.head(self._client, key))
        return None if found is None else Version(_tag(found), found["last_modified"].timestamp())

    def size(self, key: str) -> int | None:
        """Return the bytes of an object; None where there is none."""
        import obstore

        found = self._sought(key, lambda: obstore.head(self._client, key))
        return None if found is None else found["size"]

    def write(self, key: str, content: bytes) -> None:
        """Write an object."""
        import obstore

        self._asked(key, lambda: obstore.put(self._client, key, content), "written")

    def send(self, key: str, file: Path) -> None:
        """Write an object from a file, in parts where it is large, and delete the file."""
        import obstore

        options: Any = {"chunk_size": _PART_BYTES, "max_concurrency": _PARTS_AT_ONCE}
        self._asked(key, lambda: obstore.put(self._client, key, file, **options), "written")
        file.unlink()

    def copy(self, key: str, new: str) -> None:
        """Copy an object, unless it is gone."""
        import obstore

        self._sought(key, lambda: obstore.copy(self._client, key, new), "written")

    def remove(self, keys: Iterable[str]) -> None:
        """Delete objects, where they are there."""
        import obstore

        wanted = list(keys)
        try:
            if len(wanted) > 1:
                self._asked(wanted[0], lambda: obstore.delete(self._client, wanted), "written")
                return
        except FileNotFoundError:  # some services say so, and have not gone on
            pass
        for key in wanted:
            self._remove_one(key)

    def _remove_one(self, key: str) -> None:
        import obstore

        self._sought(key, lambda: obstore.delete(self._client, key), "written")

    def create(self, key: str, content: bytes) -> Mapping[str, Any] | None:
        """Write an object where none is; return its version, or None where one is."""
        made = self._put_if(key, content, "create")
        if made is not None:
            self._require_conditions(key)
        return made

    def replace(self, key: str, content: bytes, tag: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Write an object where the one that is there has a version; return the new one, or None."""
        return self._put_if(key, content, dict(tag))

    def skew(self, key: str) -> float:
        """Return by how many seconds the server's clock is ahead of this machine's."""
        clock = f"{key}.{uuid4().hex}.clock"
        self.write(clock, b"")
        found = self.version(clock)
        ahead = 0.0 if found is None else found.written - time.time()
        self.remove([clock])
        return ahead

    def _put_if(self, key: str, content: bytes, mode: Any) -> Mapping[str, Any] | None:
        import obstore
        from obstore.exceptions import AlreadyExistsError, NotSupportedError, PreconditionError

        def put() -> Mapping[str, Any] | None:
            try:
                return _tag(obstore.put(self._client, key, content, mode=mode, use_multipart=False))
            except (AlreadyExistsError, PreconditionError, FileNotFoundError) as error:
                if isinstance(error, FileNotFoundError) and mode == "create":
                    raise  # there is no bucket
                return None
            except NotSupportedError:
                raise self._unconditional() from None

        return self._asked(key, put, "written")

    def _require_conditions(self, key: str) -> None:
        """Require that the server obeys conditions, by one that fails: some answer and pass over them."""
        if self._is_conditional is None:
            self._is_conditional = self._put_if(key, b"", "create") is None
        if not self._is_conditional:
            self.remove([key])
            raise self._unconditional()

    def _unconditional(self) -> UserError:
        return UserError(
            f"the server of {self.url} knows no conditional writes, by which processes keep out of each other's way;"
            " ingest to a path on this machine and copy the store"
        )

    def _sought(self, key: str, ask: Callable[[], T], doing: Doing = "read") -> T | None:
        try:
            return self._asked(key, ask, doing)
        except FileNotFoundError:
            return None

    def _asked(self, key: str, ask: Callable[[], T], doing: Doing = "read") -> T:
        """Return the answer, asked for again where it was cut or the server had trouble.

        Raises:
            FileNotFoundError: There is no such object.
            UserError: The server refuses.
        """
        from obstore.exceptions import BaseError

        for attempt in range(TRIES):
            try:
                answer = ask()
                self._has_answered = True
                return answer
            except (BaseError, OSError) as error:
                if self._takes_role(error):
                    continue
                self._explain(key, error, doing, attempt + 1 == TRIES)
            time.sleep(SECONDS_BETWEEN * 2**attempt)
        raise AssertionError("the last attempt ends in an answer or an error")

    def _takes_role(self, error: Exception) -> bool:
        """Return whether one who was refused as a stranger is now known by the machine's own role."""
        is_stranger = self.access.credentials is None and self.access.is_anonymous(urlsplit(self.url).scheme)
        if not is_stranger or status_of(error) not in (401, 403) or not has_role():
            return False
        self.access = replace(self.access, credentials="environment")
        self._client = client_of(self.url, self.access)
        return True

    def _explain(self, key: str, error: Exception, doing: Doing, is_last: bool) -> None:
        told = explained(self.url, key, error, self.access, doing)
        if isinstance(error, FileNotFoundError):
            self._has_answered = True
            if "no such bucket" in str(told):
                raise told from None
            raise error
        if is_last or not may_pass(error, self._has_answered):
            raise told from None


def _tag(found: Any) -> Mapping[str, Any]:
    return {name: found[name] for name in ("e_tag", "version") if found[name] is not None}
