"""Open files keep little in memory: what a library keeps for each of their variables grows with the number of files."""

import threading

import numpy as np
import pytest
import xarray as xr
from xarray.backends.file_manager import FILE_CACHE
from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK

from weatherml.data.reading.file_index.entry import FileEntry
from weatherml.data.reading.formats.local import open_netcdf
from weatherml.data.sources.files import FilesConfig

LITTLE = 2**17


@pytest.fixture
def path(tmp_path):
    fields = xr.Dataset({"t": (("time", "latitude", "longitude"), np.zeros((3, 4, 8), np.float32))})
    fields.to_netcdf(tmp_path / "fields.nc")
    return tmp_path / "fields.nc"


def test_a_file_is_opened_while_nobody_else_is_in_the_library(path):
    """HDF5 is not safe in threads: an opening beside a reading failed as if the file were damaged."""
    opened = []
    opening = threading.Thread(target=lambda: opened.append(open_netcdf(path)))
    with NETCDF4_PYTHON_LOCK:
        opening.start()
        opening.join(0.3)
        assert not opened
    opening.join()
    assert opened[0]["t"].shape == (3, 4, 8)


def test_an_open_file_keeps_little_of_each_variable(tmp_path):
    values = np.zeros((2, 3, 4, 8), np.float32)
    fields = xr.Dataset({name: (("time", "level", "latitude", "longitude"), values) for name in ("t", "q")})
    fields.to_netcdf(tmp_path / "fields.nc", encoding={"t": {"zlib": True, "chunksizes": (1, 3, 4, 8)}})
    opened = open_netcdf(tmp_path / "fields.nc")
    np.testing.assert_array_equal(opened["t"].values, values)
    (file,) = (file for file in FILE_CACHE._cache.values() if file.filepath() == str(tmp_path / "fields.nc"))
    assert file["t"].chunking() == [1, 3, 4, 8]
    assert file["t"].get_var_chunk_cache()[0] <= LITTLE
    opened.close()


def test_no_file_is_opened_while_another_is_read(path, monkeypatch):
    fields = xr.open_dataset(path).load()
    times = np.datetime64("2020-01-01", "ns") + np.arange(3) * np.timedelta64(6, "h")
    grid = {"latitude": [60.0, 20, -20, -60], "longitude": np.arange(8) * 45.0}
    for day, name in enumerate(("a.nc", "b.nc")):
        own = fields.assign_coords(time=times + np.timedelta64(day, "D"), **grid)
        own.assign(t2m=own["t"].assign_attrs(units="K")).drop_vars("t").to_netcdf(path.with_name(name))
    source = FilesConfig(paths=(str(path.with_name("[ab].nc")),)).source(path.parent)
    first, second = np.split(source.times(), 2)
    opened, original = [], FileEntry.open
    monkeypatch.setattr(
        FileEntry, "open", lambda entry, file, *more: (opened.append(file.path.name), original(entry, file, *more))[1]
    )
    source.read(first, ["2m_temperature"]).load()
    readers = [threading.Thread(target=lambda t=t: source.read(t, ["2m_temperature"]).load()) for t in (first, second)]
    with NETCDF4_PYTHON_LOCK:  # in which the first waits
        for reader in readers:
            reader.start()
            reader.join(0.3)
        assert opened == ["a.nc"]
    for reader in readers:
        reader.join()
    assert opened == ["a.nc", "b.nc"]
