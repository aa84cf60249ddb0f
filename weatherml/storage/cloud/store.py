"""A zarr store behind a URL whose failures are one line, and whose cut transfers are done again."""

import asyncio
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from typing import Any, Self
from urllib.parse import unquote

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.storage import ObjectStore, WrapperStore

from weatherml.errors import UserError
from weatherml.storage.cloud.access import Access, remedy

_MOST_WORDS = 160
_TRIES = 6
"""How often a key is asked for: obstore asks again for seconds, and not for transfers that were cut."""
_SECONDS_BETWEEN = 1.0
"""After the first time; twice as long after each other."""
_STATUS = re.compile(r"status code: (\d{3})")
_CUT = ("kind: Interrupted", "kind: Body", "body error", "Cannot write to closing", "ContentLength", "payload")
_UNREACHABLE = ("kind: Connect", "error sending request", "Cannot connect", "Name or service", "dns error")
_STATUS_OF = {"PermissionDeniedError": 403, "UnauthenticatedError": 401, "PermissionError": 403}
_LATER = "run the same again later, what is done stays"
_SLOW = ("kind: Timeout", "timed out", "TimeoutError")


class RefusedError(UserError):
    """A key may not be read, or is not there in a bucket that may not be listed."""


class RemoteStore(WrapperStore[Store]):
    """A store that is read through the network.

    Args:
        store: What fetches.
        url: Named in messages.
        access: How it is read, for what to do where that is refused.
    """

    def __init__(self, store: Store, url: str, access: Access) -> None:
        super().__init__(store)
        self.url, self.access = url, access
        self._has_answered = False

    def _with_store(self, store: Store) -> Self:
        return type(self)(store, self.url, self.access)

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Return what lies under a key; None where there is nothing.

        Raises:
            UserError: It cannot be had.
        """
        for attempt in range(_TRIES):
            try:
                found = await self._store.get(key, prototype, byte_range)
                self._has_answered = True
                return found
            except UserError:
                raise
            except Exception as error:
                if attempt + 1 == _TRIES or not self._may_pass(error):
                    raise self._explained(key, error) from None
            await asyncio.sleep(_SECONDS_BETWEEN * 2**attempt)
        return None

    def get_ranges(self, *args: Any, **options: Any) -> Any:
        """Return ranges of a key, each by `get`, as zarr 3.4 and later ask for the chunks of a shard."""
        return Store.get_ranges(self, *args, **options)  # type: ignore[attr-defined]

    async def exists(self, key: str) -> bool:
        """Return whether there is something under a key.

        Raises:
            UserError: That cannot be known.
        """
        try:
            return await self._store.exists(key)
        except Exception as error:
            raise self._explained(key, error) from None

    def _may_pass(self, error: Exception) -> bool:
        """Return whether it may be otherwise in a while: what was cut, and failures of a server that has answered."""
        status = _status(error)
        if status is not None:
            return self._has_answered and status not in (401, 403)
        return _says(error, _CUT) or (self._has_answered and _says(error, (*_SLOW, *_UNREACHABLE)))

    def _explained(self, key: str, error: Exception) -> UserError:
        """Say in one line why a key cannot be read; no word of the request, whose headers may be secret."""
        place, status = f"{self.url}/{key}", _status(error)
        if status in (401, 403):
            scheme = self.url.partition(":")[0]
            return RefusedError(f"{place} may not be read ({status}); {remedy(scheme, self.access)}")
        if status is not None:
            return UserError(f"{place} answers {status} again and again; {_LATER}")
        if _says(error, _SLOW):
            return UserError(f"{place} does not answer; check the address and the network; {_LATER}")
        if _says(error, _UNREACHABLE):
            return UserError(f"{self.url} cannot be reached; check the address and the network")
        if _says(error, _CUT):
            return UserError(f"{place} was cut off {_TRIES} times; check the network; {_LATER}")
        reason = " ".join(str(error).partition("Debug source")[0].split())[:_MOST_WORDS]
        return UserError(f"{place} cannot be read ({reason or type(error).__name__}); check the address")


class WebStore(ObjectStore[Any]):
    """A web server as a store; a folder holds what the page links to that the server gives for it."""

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:  # type: ignore[override]
        """Yield the names in a folder; none where the server tells none."""
        page = await self.get(prefix.strip("/"), default_buffer_prototype())
        for name in _links(page.to_bytes().decode(errors="replace")) if page is not None else ():
            yield name


def _status(error: Exception) -> int | None:
    """Return what a server answered."""
    own = getattr(error, "status", None)  # of aiohttp
    found = _STATUS.search(str(error))
    if isinstance(own, int) or found is not None:
        return int(found[1]) if found is not None else own
    return _STATUS_OF.get(type(error).__name__)


def _says(error: Exception, words: tuple[str, ...]) -> bool:
    return any(word in f"{type(error).__name__} {error}" for word in words)


def _links(page: str) -> list[str]:
    parser = _Links()
    parser.feed(page)
    return list(dict.fromkeys(parser.names))


class _Links(HTMLParser):
    """Collects the names that a page links to in its own folder."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the target of a link."""
        target = unquote(dict(attrs).get("href") or "") if tag == "a" else ""
        name = target.rstrip("/")
        if name and not re.search(r"[/?#:]|^\.\.?$", name):
            self.names.append(name)
