"""An index is believed as long as nothing has changed of what it keeps, however little changed, and wherever."""

import os
import shutil

import numpy as np
import pytest
import source_layouts as layouts
import zarr

from weatherml.data.reading.file_index import FileToRead, IndexedFiles, fingerprint
from weatherml.data.reading.file_index.entry import FileEntry
from weatherml.errors import UserError

TRUTH = layouts.truth(n_times=5, n_lat=4, n_lon=6)
RAW = layouts.raw(TRUTH)[["t2m"]]
MASK = (RAW["t2m"] > 290).astype(np.float32).assign_attrs(units="1")
ONE_MASK = MASK.isel(time=0, drop=True)
MASKS = (ONE_MASK.expand_dims(time=RAW["time"]).assign_attrs(units="1")).transpose(*MASK.dims)


def indexed(path, folder):
    return IndexedFiles([FileToRead(path, {})], folder=folder)


def put(store, name, change):
    """Change an array of a store where it lies."""
    array = zarr.open_group(store, mode="r+")[name]
    array[...] = change(array[...])


@pytest.fixture(params=[2, 3], ids=["zarr 2", "zarr 3"])
def store(request, tmp_path):
    def write(dataset):
        options = {"zarr_format": request.param, "consolidated": request.param == 2}
        dataset.to_zarr(tmp_path / "fields.zarr", encoding={"t2m": {"chunks": (1, 4, 6)}}, **options)
        return tmp_path / "fields.zarr"

    return write


def test_a_file_that_is_copied_over_another_of_its_size_and_time_is_looked_at_again(tmp_path):
    one, other = tmp_path / "one.nc", tmp_path / "other.nc"
    RAW.to_netcdf(one)
    RAW.assign_coords(time=RAW["time"] + np.timedelta64(1, "D")).to_netcdf(other)
    os.utime(other, ns=(one.stat().st_atime_ns, one.stat().st_mtime_ns))
    before = indexed(one, tmp_path / "run")
    old = one.stat()
    shutil.copyfile(other, one)
    os.utime(one, ns=(old.st_atime_ns, old.st_mtime_ns))
    assert (one.stat().st_size, one.stat().st_mtime_ns, one.stat().st_ino) == (old.st_size, old.st_mtime_ns, old.st_ino)
    with pytest.raises(UserError, match=r"one.nc has changed since it was looked at"):
        before.read(before.rows).load()
    found = indexed(one, tmp_path / "run").rows["2m_temperature"]["time"].values
    np.testing.assert_array_equal(found, TRUTH["time"].values + np.timedelta64(1, "D"))


def kept(indexed):
    """Return what the index says of a store without opening it."""
    (entry,) = indexed.entries
    (contents,) = entry.contents
    structure = contents.read_structure()
    digests = {name: field.digest for name, field in structure.fields.items()}
    return {"time": contents.times, "longitude": structure.coordinates["longitude"].tolist(), "lsm": digests}


@pytest.mark.parametrize("mask", [ONE_MASK, MASKS], ids=["a mask", "a mask at every time"])
@pytest.mark.parametrize(("name", "change"), {"time": 24, "longitude": 1, "lsm": 2}.items())
def test_what_the_index_keeps_of_a_store_may_change_where_it_lies(store, tmp_path, mask, name, change):
    path = store(RAW.assign(lsm=mask))
    before = indexed(path, tmp_path / "run")
    put(path, name, lambda values: values + change)
    with pytest.raises(UserError, match=r"fields.zarr has changed since it was looked at"):
        before.read(before.rows).load()
    after = indexed(path, tmp_path / "run")
    assert [key for key, value in kept(before).items() if value != kept(after)[key]] == [name]


def test_what_tells_a_store_from_others_are_its_coordinates_too(store):
    path = store(RAW.assign(lsm=ONE_MASK))
    found = []
    for name in ("time", "longitude", "lsm"):
        found.append(fingerprint(path, FileEntry.scan(FileToRead(path, {}))))
        put(path, name, lambda values: values[::-1])
    assert len(set(found)) == 3


def test_values_that_are_read_when_they_are_asked_for_may_change(store, tmp_path, monkeypatch):
    path = store(RAW.assign(lsm=ONE_MASK))
    indexed(path, tmp_path / "run")
    put(path, "t2m", lambda values: values + 1)
    monkeypatch.setattr(FileEntry, "scan", lambda *_: pytest.fail("the store was looked at again"))
    found = indexed(path, tmp_path / "run")
    np.testing.assert_array_equal(found.read(found.rows)["2m_temperature"].values, TRUTH["2m_temperature"].values + 1)


def test_copies_in_a_store_that_has_changed_are_compared_again(store, tmp_path):
    RAW.isel(time=[4]).to_netcdf(tmp_path / "again.nc")
    files = [FileToRead(path, {}) for path in (store(RAW), tmp_path / "again.nc")]
    for _ in range(2):
        assert IndexedFiles(files, folder=tmp_path / "run").rows["2m_temperature"].sizes["time"] == 5
    put(files[0].path, "t2m", lambda values: values + 1)
    with pytest.raises(UserError, match=r"2m_temperature at 2017-02-04.* differs by up to 1 K"):
        _ = IndexedFiles(files, folder=tmp_path / "run").rows
