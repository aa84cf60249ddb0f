"""The page on files: its configurations read files that lie as it says."""

import json
import re
import shlex
from glob import glob
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import source_layouts as layouts
import xarray as xr
import yaml
from docs_page import DOCS
from made_references import reference
from tiny_experiment import done

from weatherml.config import from_mapping
from weatherml.data.reading.file_index import cache
from weatherml.data.reading.opening import open_files
from weatherml.data.sources import FilesConfig
from weatherml.data.store.opening import open_store
from weatherml.errors import UserError

PAGE = (DOCS / "from_files.md").read_text()
BLOCKS = [yaml.safe_load(b)["source"] for b in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]
TRUTH = layouts.truth(n_times=4, n_lat=5, n_lon=8)
EVERY_SIX_HOURS = TRUTH["time"].values


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Files that lie as the page says."""
    folder = tmp_path_factory.mktemp("page")
    raw, hours = layouts.raw(TRUTH), EVERY_SIX_HOURS[0] + np.arange(24) * np.timedelta64(1, "h")
    for name in ("levels", "surface", "rain"):
        (folder / "era5" / name).mkdir(parents=True)
    for i in range(2):
        raw[["z", "t"]].isel(time=slice(2 * i, 2 * i + 2)).to_netcdf(folder / f"era5/levels/{i}.nc")
    layouts.write_grib(raw[["t2m"]], folder / "era5/surface/all.grib")
    ground = raw["t2m"].isel(time=0, drop=True).assign_attrs(units="m**2 s**-2")
    ground.to_dataset(name="z").to_netcdf(folder / "era5/orography.nc")
    rain = xr.ones_like(TRUTH["2m_temperature"]).reindex(time=hours, fill_value=1).assign_attrs(units="m")
    rain.to_dataset(name="tp").to_netcdf(folder / "era5/rain/day.nc")
    raw[["t2m"]].isel(time=slice(3)).to_netcdf(folder / "era5/fields.nc", format="NETCDF3_64BIT")
    told = reference(TRUTH.isel(time=slice(3)), "fields.nc", (folder / "era5/fields.nc").read_bytes())
    (folder / "era5/levels.json").write_text(json.dumps(told))
    return folder


def test_commands_of_the_page_do_what_it_says(archive, monkeypatch):
    monkeypatch.chdir(archive)
    (archive / "my.yaml").write_text(yaml.safe_dump({"source": BLOCKS[0]}))
    blocks = re.findall(r"^```bash\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for command in "".join(blocks).splitlines():
        words = [sorted(glob(word)) or [word] for word in shlex.split(command)[1:]]  # as a shell has them
        done(*chain.from_iterable(words))
    assert Path("t2m.png").stat().st_size > 10_000
    assert set(open_store("runs/mine/data.zarr").data_vars) == EXPECTED[0][0]


EXPECTED = [
    ({"geopotential", "temperature", "2m_temperature"}, 4),
    ({"geopotential", "temperature", "geopotential_at_surface"}, 4),
    ({"geopotential", "temperature", "total_precipitation"}, 4),
    ({"geopotential", "temperature", "total_precipitation_6hr"}, 3),
    ({"2m_temperature"}, 3),
]


@pytest.mark.parametrize(("block", "expected"), list(zip(BLOCKS, EXPECTED, strict=True)))
def test_configurations_of_the_page_read_what_it_says(archive, monkeypatch, tmp_path, block, expected):
    monkeypatch.chdir(archive)
    source = from_mapping(FilesConfig, block).source(tmp_path)
    found = source.read(source.times(), source.variables()).load()
    assert (set(found.data_vars), found.sizes["time"]) == expected
    assert all(np.isfinite(field).all() for field in found.data_vars.values())
    assert (tmp_path / cache.NAME).exists()


def test_sums_are_made_of_the_hours_between_the_fields(archive, monkeypatch, tmp_path):
    monkeypatch.chdir(archive)
    source = from_mapping(FilesConfig, BLOCKS[3]).source(tmp_path)
    found = source.read(source.times(), ["total_precipitation_6hr"])["total_precipitation_6hr"]
    np.testing.assert_allclose(found.values, 6)


def test_a_note_says_that_hours_of_rain_are_left_out(archive, monkeypatch, tmp_path):
    monkeypatch.chdir(archive)
    source = from_mapping(FilesConfig, BLOCKS[2]).source(tmp_path)
    notes = source.read(source.times(), ["total_precipitation"]).attrs["weatherml_source_layout"]
    assert any("total_precipitation" in note and "4 of 19 times are read" in note for note in notes)


def test_the_keys_of_the_page_are_those_of_the_source():
    told = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    own = set(FilesConfig.model_fields) - set(FilesConfig.__mro__[1].model_fields)
    assert told == own


def test_a_ground_called_as_the_air_is_refused_with_the_way_to_name_it(archive):
    both = [str(archive / "era5/levels/*.nc"), str(archive / "era5/orography.nc")]
    with pytest.raises(UserError, match=r"none in .*orography\.nc; .* in a configuration .* by rename for its path"):
        open_files(both)
