"""NetCDF files without the memory that their library keeps for each variable of each open file."""

from pathlib import Path
from typing import Any, Literal

from xarray.backends import CachingFileManager, NetCDF4DataStore
from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK

_CACHE_BYTES = 2**16
"""Of decompressed chunks, a variable: of many open files together what is little beside a field. The NetCDF library
takes 64 MiB, which a file of many variables fills several times, and so does the next one; pieces are read whole, and
nobody asks for them again."""


def open_frugally(path: str | Path) -> NetCDF4DataStore:
    """Open a file as xarray does, which closes and opens it again as needed.

    Raises:
        OSError: It cannot be read.
    """
    # The libraries of NetCDF and HDF5 do one thing at a time, opening included.
    manager = CachingFileManager(_open, str(path), mode="r", lock=NETCDF4_PYTHON_LOCK)
    return NetCDF4DataStore(manager, mode="r")  # type: ignore[no-untyped-call]


def _open(path: str, mode: Literal["r"]) -> Any:
    import netCDF4

    file = netCDF4.Dataset(path, mode=mode)
    if file.data_model.startswith("NETCDF4"):
        for variable in file.variables.values():
            if variable.chunking() != "contiguous":
                variable.set_var_chunk_cache(_CACHE_BYTES)
    return file
