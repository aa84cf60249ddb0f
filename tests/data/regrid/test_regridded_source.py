"""A source on another grid is a source."""

import numpy as np
from fake_data import FakeSource, analyses

from weatherml.data.reading.file_index.reader import FieldReader
from weatherml.data.regrid import RegridConfig, RegriddedSource, regrid
from weatherml.data.source import Source
from weatherml.data.sources import FilesConfig
from weatherml.data.store import layout
from weatherml.data.store.ingest import IngestOptions, ingest
from weatherml.data.store.opening import digest, open_store
from weatherml.grid import LatLonGrid
from weatherml.state import with_metadata

FINE = analyses(grid=LatLonGrid.regular(13, 24), times=5)


def test_a_regridded_source_is_ingested_like_any_other(tmp_path):
    source = RegriddedSource(FakeSource(FINE), RegridConfig(grid="gaussian 8x16"))
    assert isinstance(source, Source) and source.grid == LatLonGrid.gaussian(8, 16)
    ingest(source, tmp_path / "store")
    store, expected = open_store(tmp_path / "store"), regrid(FINE, "gaussian 8x16")
    for name in expected.data_vars:
        np.testing.assert_array_equal(store[name].values, expected[name].values)
    assert LatLonGrid.from_dataset(store) == LatLonGrid.gaussian(8, 16)


def test_the_digest_tells_grids_and_methods_apart():
    configs = [RegridConfig(grid="9x16"), RegridConfig(grid="13x24"), RegridConfig(grid="9x16", method="bilinear")]
    assert len({RegriddedSource(FakeSource(FINE), config).digest() for config in configs}) == 3


def test_every_kind_of_source_is_regridded_by_its_configuration(tmp_path):
    with_metadata(FINE).to_netcdf(tmp_path / "fine.nc")
    config = FilesConfig(paths=(str(tmp_path / "fine.nc"),))
    coarse = config.model_copy(update={"regrid": RegridConfig(grid="30deg")})
    source = coarse.source(tmp_path)
    found = source.read(source.times()[:2], ["geopotential"])["geopotential"]
    assert found.chunks is not None, "files are regridded when values are asked for"
    expected = regrid(FINE, "30deg")["geopotential"][:2]
    np.testing.assert_array_equal(found.values, expected.values)
    assert config.origin_json() == coarse.origin_json() and config.source(tmp_path).grid.shape == (13, 24)


def test_a_regridded_variable_whose_levels_are_read_apart_is_read_once(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "_MAX_CHUNK_BYTES", 100)  # a level a chunk, as large fields have
    monkeypatch.setattr(layout, "_CHUNK_BYTES", 100)
    fields, n_times = analyses({"geopotential": (300, 500, 700, 850)}, grid=LatLonGrid.regular(13, 24), times=12), 12
    fields.to_netcdf(tmp_path / "fine.nc", encoding={"geopotential": {"chunksizes": (12, 4, 13, 24)}})
    config = FilesConfig(paths=(str(tmp_path / "fine.nc"),), every="6h", regrid=RegridConfig(grid="30deg"))
    read, numbers = FieldReader.read, []
    noted = lambda reader, own, *region: (numbers.append(own.size), read(reader, own, *region))[1]  # noqa: E731
    monkeypatch.setattr(FieldReader, "read", noted)
    memory = n_times * 7 * 12 * 4 * 5 * 2  # two levels at all times, as often as they lie in memory
    ingest(config.source(tmp_path), tmp_path / "apart", shard_length=4, options=IngestOptions(memory=memory))
    assert sum(numbers) == (n_times + 1) * 4  # the first time for the plan
    ingest(config.source(tmp_path), tmp_path / "together", shard_length=4)
    assert digest(tmp_path / "apart") == digest(tmp_path / "together")
