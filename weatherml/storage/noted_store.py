"""A zarr store in a folder that knows what was written to it, so that the disk can be made to hold it."""

from pathlib import Path
from typing import Self

from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

from weatherml.storage.flush import flush_all


class NotedStore(LocalStore):
    """A store whose `flush` has the disk hold all that was written since the last call."""

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self._written: set[str] = set()

    def with_read_only(self, read_only: bool = False) -> Self:
        """Return another view of the store, which notes in the same place."""
        view: Self = super().with_read_only(read_only)
        view._written = self._written
        return view

    async def set(self, key: str, value: Buffer) -> None:
        """Write and note."""
        self._written.add(key)
        await super().set(key, value)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Write and note."""
        self._written.add(key)
        await super().set_if_not_exists(key, value)

    async def delete(self, key: str) -> None:
        """Delete and note."""
        self._written.add(key)
        await super().delete(key)

    def set_sync(self, key: str, value: Buffer) -> None:
        """Write and note."""
        self._written.add(key)
        super().set_sync(key, value)

    def delete_sync(self, key: str) -> None:
        """Delete and note."""
        self._written.add(key)
        super().delete_sync(key)

    def flush(self) -> None:
        """Have the disk hold what was written, and the names of what was written or deleted.

        Raises:
            OSError: The disk refuses.
        """
        written = sorted(self._written)
        flush_all((self.root / key for key in written), self.root.parent)  # which has the store's name
        self._written.difference_update(written)
