"""Which place is meant by a path or a URL."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from weatherml.errors import UserError
from weatherml.storage.cloud import Access
from weatherml.storage.cloud.access import service_of
from weatherml.storage.cloud.opening import require_plain
from weatherml.storage.locations import as_url, is_url
from weatherml.storage.places.bucket import Bucket
from weatherml.storage.places.local import LocalPlace
from weatherml.storage.places.place import Place

Root = str | Path | Place
"""A path, a URL, or the place that it means."""

_BUCKETS = ("s3", "gs", "az")


def is_bucket(root: str | Path) -> bool:
    """Return whether a URL means a bucket."""
    return is_url(root) and service_of(urlsplit(as_url(root)).scheme) in _BUCKETS


def place_at(root: Root, access: Access | None = None) -> Place:
    """Return the place that a path or a URL means.

    Args:
        root: A path, `s3://bucket/prefix`, `gs://...`, `az://container/...` or `file:///...`.
        access: Credentials for a bucket; those of the environment when None.

    Raises:
        UserError: The URL means no place where a store may be.
    """
    if not isinstance(root, str | Path):
        return root
    if not is_url(root):
        return LocalPlace(Path(root))
    url = as_url(root)
    parts = require_plain(url)
    if parts.scheme == "file":
        return LocalPlace(Path(unquote(parts.path)))
    if not is_bucket(url):
        raise UserError(
            f"{url} is a URL of no bucket (s3://, gs://, az://), and no place for a store; pass a path, or read what is"
            " there by open_files"
        )
    return Bucket(url, access)
