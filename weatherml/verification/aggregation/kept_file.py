"""Files of sums, read back."""

from collections.abc import Collection
from pathlib import Path

import xarray as xr

from weatherml.errors import UserError


def read_sums(path: str | Path, needed: Collection[str], what: str, remedy: str) -> xr.Dataset:
    """Read a file of sums into memory.

    Args:
        path: The file.
        needed: Variables that all such files have.
        what: Such a file holds, such as "sums of statistics".
        remedy: How one is made.

    Raises:
        UserError: It is no such file.
    """
    try:
        with xr.open_dataset(path, decode_timedelta=True) as opened:
            dataset = opened.load()
    except (OSError, ValueError) as error:
        raise UserError(f"{path} holds no {what}: {error}; {remedy}") from None
    if not set(needed) <= set(dataset.data_vars):
        raise UserError(f"{path} holds no {what}; {remedy}")
    return dataset
