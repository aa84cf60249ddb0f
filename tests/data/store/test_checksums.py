"""Chunks end in checksums, which every reader compares; stores that were made without go on without."""

import json

import numpy as np
import pytest
import tensorstore
import xarray as xr
import zarr
from fake_data import FakeSource, analyses, contents

from weatherml.data.store.ingest import IngestOptions, ingest
from weatherml.data.store.making import plan
from weatherml.data.store.mending import mend
from weatherml.data.store.opening import open_store

GROW = IngestOptions(grow=True)
WITHOUT, WITH = ["bytes", "blosc"], ["bytes", "blosc", "crc32c"]


def dataset(n_times=29, wind=False, seed=0):
    fields = analyses(times=40, seed=seed)
    fields["geopotential_at_surface"] = fields["2m_temperature"][0].drop_vars("time") * 100
    if wind:
        fields["10m_u_component_of_wind"] = fields["2m_temperature"] * 2
    return fields.isel(time=slice(n_times))


@pytest.fixture
def earlier(tmp_path, monkeypatch):
    """Return what makes a store as it was made before chunks had checksums."""

    def make(source, folder):
        with monkeypatch.context() as before:
            before.setattr(plan, "has_checksums", lambda place, name: False)
            ingest(source, folder, shard_length=6)
        return contents(folder)

    return make


def codecs(folder, name):
    told = json.loads((folder / name / "zarr.json").read_text())["codecs"]
    return [codec["name"] for codec in (told[0]["configuration"]["codecs"] if len(told) == 1 else told)]


def test_other_programs_find_what_was_damaged_in_place(tmp_path):
    ingest(FakeSource(dataset()), tmp_path / "store.zarr", shard_length=4)
    file = tmp_path / "store.zarr/geopotential/c.1.0.0.0"
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 4
    file.write_bytes(content)
    array = zarr.open_array(file.parent, mode="r")
    assert np.isfinite(array[:4]).all()
    with pytest.raises(ValueError, match="checksum"):
        array[4:8]
    with pytest.raises(ValueError, match="checksum"):
        xr.open_zarr(tmp_path / "store.zarr", chunks=None)["geopotential"][4:8].load()
    other = tensorstore.open({"driver": "zarr3", "kvstore": f"file://{file.parent}/"}).result()
    assert np.isfinite(other[:4].read().result()).all()
    with pytest.raises(ValueError, match="Digest mismatch"):
        other[4:8].read().result()


def test_a_store_without_grows_and_is_refreshed_without_and_its_new_arrays_have_them(tmp_path, earlier):
    store = tmp_path / "store.zarr"
    earlier(FakeSource(dataset()), store)
    ingest(FakeSource(dataset(40)), store, options=GROW)
    assert contents(store) == earlier(FakeSource(dataset(40)), tmp_path / "whole.zarr")
    ingest(FakeSource(dataset(40, wind=True)), store, options=GROW)
    better = dataset(40, wind=True).copy(deep=True)
    better["geopotential"][16:] += 1
    ingest(FakeSource(better), store, options=IngestOptions(refresh=("2001-01-05", "2001-01-31")))
    assert codecs(store, "geopotential") == codecs(store, "geopotential_at_surface") == WITHOUT
    assert codecs(store, "10m_u_component_of_wind") == WITH
    xr.testing.assert_equal(open_store(store).load(), better.transpose("time", ...))


FILES = ["geopotential/c.2.0.0.0", "geopotential_at_surface/c.0.0", "2m_temperature/zarr.json", "zarr.json"]


@pytest.mark.parametrize("lost", FILES)
@pytest.mark.parametrize("is_old", [True, False], ids=["without", "with"])
def test_a_store_is_mended_to_the_bytes_that_it_had(tmp_path, earlier, lost, is_old):
    store, source = tmp_path / "store.zarr", FakeSource(dataset())
    earlier(source, store) if is_old else ingest(source, store, shard_length=6)
    before = contents(store)
    assert codecs(store, "geopotential") == codecs(store, "geopotential_at_surface") == (WITHOUT if is_old else WITH)
    if not lost.endswith("zarr.json"):
        (store / lost).unlink()
        assert mend(store, [source], 2**20) == 1 and contents(store) == before
    (store / lost).unlink()
    ingest(source, store)
    assert contents(store) == before


class BrokenSource(FakeSource):
    """Stops answering after the third day."""

    def read(self, times, variables):
        if len(times) and times[-1] > np.datetime64("2001-01-04"):
            raise ZeroDivisionError
        return super().read(times, variables)


def test_a_store_that_was_begun_without_is_completed_without(tmp_path, earlier):
    whole = earlier(FakeSource(dataset()), tmp_path / "whole.zarr")
    with pytest.raises(ZeroDivisionError):
        earlier(BrokenSource(dataset()), tmp_path / "store.zarr")
    assert list(tmp_path.glob("store.zarr/*/c.0.*"))
    ingest(FakeSource(dataset()), tmp_path / "store.zarr", shard_length=6)
    assert contents(tmp_path / "store.zarr") == whole
