"""The page on archives: its configurations read archives that are cut as it says."""

import re

import numpy as np
import pytest
import yaml
from archive_layouts import like_arco, like_weatherbench
from docs_page import DOCS
from fake_data import analyses
from http_store import serving
from tiny_experiment import done

from weatherml.config import from_mapping
from weatherml.data.sources import ArchiveConfig
from weatherml.data.sources.archive import config, known

PAGE = (DOCS / "from_archives.md").read_text()
BLOCKS = [yaml.safe_load(b)["source"] for b in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]
LEVELS = (50, 500, 850, 1000)
FLAT = ("2m_temperature", "mean_sea_level_pressure", "surface_pressure", "total_column_water_vapour")
WINDS = ("u_component_of_wind", "v_component_of_wind")
EXPECTED = [
    (("geopotential", "temperature", "2m_temperature", "land_sea_mask"), 12),
    (("relative_humidity", "total_column_water_vapour", "10m_u_component_of_wind"), 5),
    (("2m_temperature", "mean_sea_level_pressure"), 28 - 1 - 4),
    (("geopotential", "2m_temperature"), 28),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    flat = dict.fromkeys([*FLAT, *(f"10m_{wind}" for wind in WINDS)], ())
    on_levels = dict.fromkeys(["geopotential", "temperature", "specific_humidity", *WINDS], LEVELS)
    truth = analyses(on_levels | flat, times=28, start="2001-01-01")
    truth["temperature"] += 280
    truth["specific_humidity"] = abs(truth["specific_humidity"]) / 1000
    truth["land_sea_mask"] = truth["2m_temperature"][0].drop_vars("time").drop_attrs()
    like_arco(truth, folder / "arco")
    like_weatherbench(truth, folder / "weatherbench2")
    with serving(folder) as counting:
        yield counting


@pytest.fixture
def near(server, monkeypatch):
    """Archives that lie at the server."""
    for name in known.ARCHIVES:
        archive = known.KnownArchive((f"{server.url}/{name.split('/')[0]}",))
        monkeypatch.setitem(config.ARCHIVES, name, archive)


def test_commands_of_the_page_do_what_it_says(near, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.yaml").write_text(yaml.safe_dump({"source": BLOCKS[0]}))
    commands = re.findall(r"^weatherml (.*)$", PAGE, re.MULTILINE)
    look, draw, make = [done(*command.split()) for command in commands]
    assert "total_column_water_vapour" in look and draw == "z500.png\n" and make == "runs/era5/data.zarr\n"
    assert (tmp_path / "z500.png").stat().st_size > 10_000


@pytest.mark.parametrize(("block", "expected"), list(zip(BLOCKS, EXPECTED, strict=True)))
def test_configurations_of_the_page_read_what_it_says(server, near, monkeypatch, tmp_path, block, expected):
    monkeypatch.setenv("ARCHIVE_KEY", "geheim")
    block = {**block, "url": block["url"].replace("https://archive.example/era5.zarr", f"{server.url}/weatherbench2")}
    source = from_mapping(ArchiveConfig, block).source(tmp_path)
    found = source.read(source.times(), source.variables())
    assert set(expected[0]) <= set(found.data_vars)
    assert found.sizes["time"] == expected[1]
    assert all(np.isfinite(field).all() for field in found.data_vars.values())


def test_the_keys_of_the_page_are_those_of_the_source():
    told = {key for row in re.findall(r"^\| (`.*?) \| .*$", PAGE, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)}
    common = {"derive", "accumulated", "regrid", "periods", "exclude", "every", "name"}
    assert told - {*known.ARCHIVES} == set(ArchiveConfig.model_fields) - common


def test_the_address_of_the_page_is_that_of_the_archive():
    assert re.findall(r"`(gs://gcp\S+)`", PAGE) == [*known.ARCHIVES["arco"].urls]


def test_the_names_of_the_page_are_those_of_archives():
    assert all(f"`{name}`" in PAGE for name in known.ARCHIVES)
