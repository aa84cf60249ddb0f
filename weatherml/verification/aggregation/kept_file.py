"""Files of sums, read back."""

from collections.abc import Collection
from pathlib import Path

import xarray as xr

from weatherml.errors import UserError
from weatherml.storage.files import read_netcdf


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
    dataset = read_netcdf(path, what, remedy)
    if not set(needed) <= set(dataset.data_vars):
        raise UserError(f"{path} holds no {what}; {remedy}")
    return dataset
