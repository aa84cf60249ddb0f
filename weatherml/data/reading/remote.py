"""Zarr stores behind a URL, opened lazily by fsspec."""

import warnings
from contextlib import suppress

import xarray as xr
import zarr

from weatherml.data.store.workspace import BEGUN
from weatherml.errors import UserError

_MOST_WORDS = 200
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, RuntimeError, zarr.errors.BaseZarrError)


def open_remote(url: str) -> xr.Dataset:
    """Open a zarr store as it is, lazily; leads stay numbers.

    Web servers must list folders, unless the metadata of the store are consolidated, as those of ingested ones are.

    Raises:
        UserError: There is none, `ingest` has not finished it, it cannot be reached, or a package for such URLs is
            missing.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Failed to open Zarr store with consolidated metadata")
            dataset = xr.open_dataset(url, engine="zarr", chunks={}, decode_timedelta=False)
        return dataset
    except ImportError as error:
        raise UserError(f"{url} needs another package ({error}); pip install 'weatherml[remote]'") from None
    except UserError:
        raise
    except _UNREADABLE as error:
        _require_none_begun(url)
        reason = " ".join(str(error).split())[:_MOST_WORDS] or type(error).__name__
        raise UserError(f"cannot read {url} as a zarr store ({reason}); download files of other formats") from None


def _require_none_begun(url: str) -> None:
    """Say so where there is no store because `ingest` has not finished it."""
    import fsspec

    with suppress(FileNotFoundError), fsspec.open(f"{url.rstrip('/')}/{BEGUN}"):
        raise UserError(f"{url} is unfinished; run the ingest that wrote it again, where it lies")
