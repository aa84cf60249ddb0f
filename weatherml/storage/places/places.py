"""Which place is meant by a path."""

from pathlib import Path

from weatherml.locations import local_path
from weatherml.storage.places.local import LocalPlace
from weatherml.storage.places.place import Place

Root = str | Path | Place
"""A path, or the place that it means."""


def place_at(root: Root) -> Place:
    """Return the place that a path means.

    Raises:
        UserError: It is a URL.
    """
    return LocalPlace(local_path(root)) if isinstance(root, str | Path) else root
