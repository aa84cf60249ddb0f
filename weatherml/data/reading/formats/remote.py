"""Zarr stores behind a URL, opened lazily."""

import json
from collections.abc import Iterable

import xarray as xr
import zarr
from zarr.abc.store import Store

from weatherml.data.reading.formats.decoding import in_words, open_decoded
from weatherml.data.store.guard import OwnStore
from weatherml.data.store.making.workspace import BEGUN
from weatherml.data.store.manifest import Manifest
from weatherml.data.store.opening import whole_store
from weatherml.errors import UserError
from weatherml.storage.cloud import Access, RefusedError, open_url, read_key
from weatherml.storage.places import is_bucket, place_at

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, RuntimeError, zarr.errors.BaseZarrError)


def open_remote(url: str, access: Access | None = None, is_chunked: bool = True) -> xr.Dataset:
    """Open a zarr store as it is, lazily; leads stay numbers.

    Web servers must list folders, unless the metadata of the store are consolidated, as those of ingested ones are.

    Args:
        url: Of the store.
        access: Credentials.
        is_chunked: Whether arrays are dask's, in the store's own chunks.

    Raises:
        UserError: There is none, `ingest` has not finished it, it cannot be reached, or a package for such URLs is
            missing.
    """
    store = open_url(url, access)
    zarr_format, is_consolidated = _format_of(store, url)
    own = _whole(url, access)
    try:
        options = {"zarr_format": zarr_format, "consolidated": is_consolidated}
        dataset = open_decoded(store, "zarr", url, {} if is_chunked else None, options, own)
    except UserError:
        raise
    except _UNREADABLE as error:
        told = f"{url} is damaged or no zarr store that is known here ({in_words(error)})"
        raise UserError(f"{told}; see what wrote it") from None
    if not dataset.data_vars:
        raise UserError(f"{url} has no metadata in one file and its server lists no folders; consolidate them there")
    return dataset


def in_own_chunks(dataset: xr.Dataset, names: Iterable[str], url: str) -> xr.Dataset:
    """Return a lazy dataset some of whose variables are dask's, in the chunks of the store that they are read from.

    An archive of a million times and hundreds of variables takes seconds for each.
    """
    chunked = {}
    for name in names:
        chunks = dataset[name].encoding.get("preferred_chunks", {})
        chunked[name] = dataset[name].chunk(chunks, token=f"{url} {name}")
    return dataset.assign(chunked)


def _whole(url: str, access: Access | None) -> OwnStore | None:
    """Return a store that `ingest` has written to a bucket, whole, as one on this machine; None of others."""
    if not is_bucket(url):
        return None
    try:
        place = place_at(url, access)
        is_own = Manifest.exists(place)
    except UserError:  # without obstore, or a bucket that tells of nothing that it has not
        return None
    return whole_store(place) if is_own else None


def _format_of(store: Store, url: str) -> tuple[int, bool]:
    """Return the zarr format of a store, and whether its metadata lie in one file."""
    refused = None
    for key, zarr_format in (("zarr.json", 3), (".zmetadata", 2), (".zgroup", 2)):
        try:
            content = read_key(store, key)
        except RefusedError as error:  # so does a bucket that may not be listed with what it has not
            refused = refused or error
            continue
        if content is not None:
            return zarr_format, _is_consolidated(key, content, url)
    if refused is not None:
        raise refused
    if read_key(store, BEGUN) is not None:
        raise UserError(f"{url} is unfinished; run the ingest that wrote it again, where it lies")
    raise UserError(f"there is no zarr store at {url}; check the address, and download files of other formats")


def _is_consolidated(key: str, content: bytes, url: str) -> bool:
    try:
        metadata = json.loads(content)
        return key == ".zmetadata" or "consolidated_metadata" in metadata
    except ValueError:
        raise UserError(f"{url}/{key} holds no metadata of zarr but {content[:20]!r}; check the address") from None
