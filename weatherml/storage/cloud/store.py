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
from weatherml.storage.cloud.access import Access
from weatherml.storage.cloud.failures import SECONDS_BETWEEN, TRIES, explained, may_pass


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

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave keys behind: who opens it again takes them from the environment of that process."""
        from weatherml.storage.cloud.opening import open_url

        return open_url, (self.url, self.access)

    def _with_store(self, store: Store) -> Self:
        return type(self)(store, self.url, self.access)

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Return what lies under a key; None where there is nothing.

        Raises:
            UserError: It cannot be had.
        """
        for attempt in range(TRIES):
            try:
                found = await self._store.get(key, prototype, byte_range)
                self._has_answered = True
                return found
            except UserError:
                raise
            except Exception as error:
                if attempt + 1 == TRIES or not may_pass(error, self._has_answered):
                    raise explained(self.url, key, error, self.access) from None
            await asyncio.sleep(SECONDS_BETWEEN * 2**attempt)
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
            raise explained(self.url, key, error, self.access) from None


class WebStore(ObjectStore[Any]):
    """A web server as a store; a folder holds what the page links to that the server gives for it."""

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:  # type: ignore[override]
        """Yield the names in a folder; none where the server tells none."""
        page = await self.get(prefix.strip("/"), default_buffer_prototype())
        for name in _links(page.to_bytes().decode(errors="replace")) if page is not None else ():
            yield name


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
