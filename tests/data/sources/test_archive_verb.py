"""The verb `ingest` makes a store of an archive behind a URL, in this process and in workers of dask."""

import xarray as xr
import yaml
from http_store import serving
from tiny_experiment import CONFIG, done, refused

from weatherml.data.store.opening import open_store


def test_a_store_is_made_of_an_archive_by_this_process_and_by_workers(tiny_run, tmp_path):
    with serving(tiny_run.folder) as server:
        keys = {"name": "archive", "url": f"{server.url}/data.zarr", "periods": [["2000-01-01", "2000-01-14"]]}
        config = {**CONFIG, "source": {**keys, "channels": CONFIG["channels"], "exclude": ["2000-01-04"]}}
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        done("ingest", tmp_path / "config.yaml", "-o", tmp_path / "alone")
        done("ingest", tmp_path / "config.yaml", "-o", tmp_path / "workers", "--workers", "1")
        server.fault = lambda path, n: 403
        told = refused("ingest", tmp_path / "config.yaml", "-o", tmp_path / "refused")
    alone, workers = (open_store(tmp_path / folder / "data.zarr").load() for folder in ("alone", "workers"))
    held = open_store(tiny_run.store)[["geopotential", "temperature", "u_component_of_wind"]]
    kept = held["time"].dt.floor("1D").isin(alone["time"].dt.floor("1D"))
    assert alone.sizes["time"] == 13 * 4
    xr.testing.assert_equal(alone, held.sel(time=kept).load())
    xr.testing.assert_identical(alone, workers)
    assert "may not be read (403)" in told and told.count("\n") == 1
