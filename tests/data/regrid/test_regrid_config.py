"""Target grids as configurations name them."""

import numpy as np
import pytest

from weatherml.config import apply_overrides, from_mapping, load_yaml
from weatherml.data.regrid import RegridConfig
from weatherml.data.sources import FilesConfig
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid


@pytest.mark.parametrize(
    ("name", "grid"),
    [
        ("1.5deg", LatLonGrid.regular(121, 240)),
        ("0.25 degrees", LatLonGrid.regular(721, 1440)),
        ("181x360", LatLonGrid.regular(181, 360)),
        ("32x64", LatLonGrid.regular(32, 64, poles=False)),
        ("720 x 1440", LatLonGrid.regular(720, 1440, poles=False)),
        ("Gaussian 32x64", LatLonGrid.gaussian(32, 64)),
        ("30deg without south pole", LatLonGrid(tuple(90.0 - 30 * np.arange(6)), tuple(30.0 * np.arange(12)))),
    ],
)
def test_a_grid_has_a_name(name, grid):
    assert RegridConfig(grid=name).target() == grid


def test_a_name_alone_is_a_configuration():
    class Holder(RegridConfig):
        inner: RegridConfig

    assert from_mapping(Holder, {"grid": "1deg", "inner": "1.5deg"}).inner == RegridConfig(grid="1.5deg")


@pytest.mark.parametrize("name", ["1.5", "0deg", "7deg", "0x4", "1x4", "gaussian", "hexagons 4x5"])
def test_what_is_no_grid_is_refused(name):
    with pytest.raises(UserError, match=r"grid '.*121x240"):
        RegridConfig(grid=name)


@pytest.mark.parametrize("name", ["99999999x99999999", "4x40000", "gaussian 20000x40000", "0.001deg"])
def test_a_grid_finer_than_any_analysis_is_refused_before_it_is_computed(name):
    with pytest.raises(UserError, match=r"grid '.*' is finer than 0\.01 degrees.* 721x1440"):
        RegridConfig(grid=name)


@pytest.mark.parametrize(
    "keys", [{}, {"rows": (1.0, 0.0)}, {"grid": "1deg", "columns": (1.0,)}, {"grid": "1deg", "rows": (1.0, 0.0)}]
)
def test_a_grid_is_named_in_one_way(keys):
    with pytest.raises(UserError, match=r"a name .*or rows and columns, not both"):
        RegridConfig(**keys)


@pytest.mark.parametrize("value", ["5", "0x0", "[121, 240]"])
def test_what_yaml_reads_as_a_number_is_told_how_a_grid_is_written(value):
    with pytest.raises(UserError, match=r"regrid: .* says no grid; write 1\.5deg, 121x240"):
        from_mapping(FilesConfig, apply_overrides({"paths": ["a.nc"]}, [f"regrid={value}"]))


def test_rows_and_columns_make_a_grid():
    assert RegridConfig(rows=(10.0, 5.0), columns=(0.0, 3.0)).target() == LatLonGrid((10.0, 5.0), (0.0, 3.0))


@pytest.mark.parametrize(
    ("region", "columns"),
    [
        ((30, -60, 0, 60), (0, 30, 60, 300, 330)),
        ((30, 300, 0, 60), (0, 30, 60, 300, 330)),
        ((30, 150, 0, -150), (150, 180, 210)),
    ],
)
def test_a_region_may_lie_over_greenwich_or_the_date_line(region, columns):
    grid = RegridConfig(grid="30deg", region=tuple(map(float, region))).target()
    assert grid == LatLonGrid((30.0, 0.0), tuple(map(float, columns)))


def test_a_region_without_points_is_refused():
    with pytest.raises(UserError, match=r"region \[10.0, 5.0, 5.0, 7.0\] holds no point"):
        RegridConfig(grid="30deg", region=(10.0, 5.0, 5.0, 7.0))


@pytest.mark.parametrize(
    ("keys", "shape"),
    [
        ("{grid: 1deg, region: [60, -20, 30, 40]}", (31, 61)),
        ("{rows: [60, 45.5, 30], columns: [0, 10, 20, 30]}", (3, 4)),
        ("5deg", (37, 72)),
    ],
)
def test_every_key_can_be_given_as_a_file_gives_it(tmp_path, keys, shape):
    (tmp_path / "c.yaml").write_text(f"paths: [a.nc]\nregrid: {keys}\n")
    assert load_yaml(FilesConfig, tmp_path / "c.yaml").regrid.target().shape == shape
    assert load_yaml(FilesConfig, tmp_path / "c.yaml", [f"regrid={keys}"]).regrid.target().shape == shape
