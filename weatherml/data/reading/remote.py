"""Zarr stores behind a URL, opened lazily by fsspec."""

import warnings

import xarray as xr
import zarr

from weatherml.data.store.manifest import Manifest
from weatherml.errors import UserError

_MOST_WORDS = 200
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, RuntimeError, zarr.errors.BaseZarrError)


def open_remote(url: str) -> xr.Dataset:
    """Open a zarr store as it is, lazily; leads stay numbers.

    Web servers must list folders, unless the metadata of the store are consolidated, as those of ingested ones are.

    Raises:
        UserError: There is none, it cannot be reached, is unfinished, or a package for such URLs is missing.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Failed to open Zarr store with consolidated metadata")
            dataset = xr.open_dataset(url, engine="zarr", chunks={}, decode_timedelta=False)
        _require_complete(url)
        return dataset
    except ImportError as error:
        raise UserError(f"{url} needs another package ({error}); pip install 'weatherml[remote]'") from None
    except UserError:
        raise
    except _UNREADABLE as error:
        reason = " ".join(str(error).split())[:_MOST_WORDS] or type(error).__name__
        raise UserError(f"cannot read {url} as a zarr store ({reason}); download files of other formats") from None


def _require_complete(url: str) -> None:
    """Require that a store that `ingest` has begun is whole: zarr would read missing files as missing values."""
    import fsspec

    try:
        with fsspec.open(f"{url.rstrip('/')}/{Manifest.NAME}") as file:
            manifest = Manifest.parse(file.read(), url)
    except FileNotFoundError:
        return
    if not manifest.is_complete:
        raise UserError(f"{url} is unfinished; run the ingest that wrote it again, where it lies")
