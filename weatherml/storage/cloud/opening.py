"""URLs opened as zarr stores: by obstore, or by fsspec where obstore lacks the scheme or is not there."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from zarr.abc.store import Store
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import FsspecStore, LocalStore, ObjectStore

from weatherml.errors import UserError
from weatherml.storage.cloud.access import Access, service_of
from weatherml.storage.cloud.store import RemoteStore, WebStore
from weatherml.storage.locations import shown

_WEB = ("http", "https")
_KNOWN_TO_OBSTORE = (*_WEB, "s3", "gs", "az")
_RETRIES = 5
_SECONDS_OF_RETRIES = 180.0
_SECONDS_OF_SILENCE = 60.0
_SECONDS_TO_CONNECT = 15.0


def open_url(url: str, access: Access | None = None) -> Store:
    """Return what lies behind a URL as a zarr store that is only read; nothing is asked yet.

    Args:
        url: `https://`, `s3://`, `gs://`, `az://container/...`, `file://`, or what else fsspec reads.
        access: Credentials; those of the environment where there are any when None.

    Raises:
        UserError: The URL holds a password or a query, or a package for such URLs is missing.
    """
    access, parts = access or Access(), require_plain(url)
    if parts.scheme == "file":
        return LocalStore(Path(unquote(parts.path)), read_only=True)
    return RemoteStore(_fetching(url.rstrip("/"), service_of(parts.scheme), access), url.rstrip("/"), access)


def require_plain(url: str) -> SplitResult:
    """Return the parts of a URL.

    Raises:
        UserError: It holds a password or a query, names no bucket, or of files another machine.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # what is none may begin a password with a slash in it
    except ValueError:  # whose words hold parts of it
        raise UserError(f"{shown(url)} is no URL, or one with a password; {_INSTEAD}") from None
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise UserError(
            f"{shown(url)}: a URL with a password or a query is not read, it would be kept with the run; {_INSTEAD}"
        )
    if parts.scheme == "file" and parts.netloc not in ("", "localhost"):
        raise UserError(
            f"{url} names a file of the machine {parts.netloc!r}; write a path on this one with three slashes,"
            f" file:///{parts.netloc}{parts.path}"
        )
    if parts.scheme == "file" and not parts.path.strip("/"):
        raise UserError(f"{url} names no folder; write a path, such as file:///data/era5.zarr")
    if not parts.netloc and service_of(parts.scheme) in _OF_BUCKETS:
        raise UserError(f"{url} names no bucket; write it before the place, such as {parts.scheme}://BUCKET/era5.zarr")
    return parts


_OF_BUCKETS = ("s3", "gs", "az")
_INSTEAD = "pass the plain address, and keys by source.header or the environment"


def read_key(store: Store, key: str) -> bytes | None:
    """Return what lies under a key of a store; None where there is nothing.

    Raises:
        UserError: It cannot be had.
    """
    found = sync(store.get(key, default_buffer_prototype()))
    return None if found is None else found.to_bytes()


def _fetching(url: str, service: str, access: Access) -> Store:
    try:
        if service in _KNOWN_TO_OBSTORE:
            return _of_obstore(url, service, access)
    except ImportError:
        pass  # fsspec may read it
    try:
        return FsspecStore.from_url(url, storage_options=_fsspec_options(service, access), read_only=True)
    except ImportError as error:
        raise UserError(f"{url} needs another package ({error}); pip install 'weatherml[remote]'") from None
    except (ValueError, OSError) as error:
        raise UserError(f"{url} cannot be opened ({' '.join(str(error).split())}); check the address") from None


def _of_obstore(url: str, service: str, access: Access) -> Store:
    store = client_of(url, access)
    return WebStore(store, read_only=True) if service in _WEB else ObjectStore(store, read_only=True)


def client_of(url: str, access: Access) -> Any:
    """Return what obstore asks a server by; nothing is asked yet.

    Raises:
        UserError: The URL is none.
        ImportError: There is no obstore.
    """
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    try:
        return from_url(
            url,
            client_options={
                "allow_http": True,
                "timeout": timedelta(days=1),  # of a whole transfer, however large; silence ends it sooner
                "read_timeout": timedelta(seconds=_SECONDS_OF_SILENCE),
                "connect_timeout": timedelta(seconds=_SECONDS_TO_CONNECT),
                "default_headers": access.headers(),
            },
            retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_SECONDS_OF_RETRIES)},
            **access.options(service_of(urlsplit(url).scheme)),
        )
    except (BaseError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        reason = " ".join(str(error).partition("Debug source")[0].split())
        what = "set AZURE_STORAGE_ACCOUNT_NAME" if "Account must be specified" in reason else "check the address"
        raise UserError(f"{url} cannot be opened ({reason}); {what}") from None


def _fsspec_options(service: str, access: Access) -> dict[str, Any]:
    if service in _WEB:
        return {"headers": access.headers()} if access.header else {}
    anonymous: dict[str, dict[str, Any]] = {"gs": {"token": "anon"}, "s3": {"anon": True}, "az": {"anon": True}}
    return anonymous.get(service, {}) if access.is_anonymous(service) else {}
