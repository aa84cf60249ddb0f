"""The page on regridding: its Python runs, its configuration is read, and its tables are what the code does."""

import re

import pytest
import yaml
from docs_page import DOCS, run_python

from weatherml.config import from_mapping
from weatherml.data.derived import DERIVATIONS
from weatherml.data.sources import FilesConfig
from weatherml.grid import LatLonGrid

PAGE = (DOCS / "regridding.md").read_text()


def rows(first):
    """Return the rows of the table whose first heading is `first`, each a list of cells."""
    table = PAGE.split(f"\n| {first} |")[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_rain_is_kept_as_the_page_says():
    kept = run_python("regridding.md", None)["kept"]
    assert kept["conservative"] == pytest.approx(1, abs=1e-7)
    assert f"here {100 * (kept['bilinear'] - 1):.0f} % too much rain" in PAGE


def test_the_configuration_of_the_page_is_read():
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    config = from_mapping(FilesConfig, yaml.safe_load(block)["source"])
    assert config.derive == ("relative_humidity", "total_precipitation_6hr", "10m_wind_speed")
    assert config.regrid.target() == LatLonGrid.regular(121, 240)


def test_grids_have_the_sizes_of_the_page():
    found = {name.strip("`"): tuple(map(int, size.split(" x "))) for name, size, _ in rows("grid")}
    assert {name: LatLonGrid.named(name).shape for name in found} == found and len(found) == 7


def test_the_page_lists_every_derivation():
    listed = {name.strip("`"): (inputs, how) for name, inputs, how in rows("variable")}
    first = {name: ways[0] for name, ways in DERIVATIONS.items()}
    assert listed == {name: (", ".join(f"`{i}`" for i in way.inputs), way.how) for name, way in first.items()}
