"""A source on another grid is a source."""

import numpy as np
from fake_data import FakeSource, analyses

from weatherml.data.regrid import RegridConfig, RegriddedSource, regrid
from weatherml.data.source import Source
from weatherml.data.sources import FilesConfig
from weatherml.data.store.ingest import ingest
from weatherml.data.store.opening import open_store
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
