"""Laws of regridding, and agreement with brute force and with xarray-regrid."""

import importlib.util
import itertools

import dask.array
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from weatherml.data.regrid import RegridConfig, regrid
from weatherml.data.regrid.regridder import Regridder
from weatherml.data.regrid.weights import METHODS
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid

GRIDS = {
    "poles": LatLonGrid.regular(13, 24),
    "no poles": LatLonGrid.regular(10, 15, poles=False),
    "gaussian": LatLonGrid.gaussian(8, 16),
    "not whole degrees": LatLonGrid.regular(7, 11),
    "turned": LatLonGrid.from_coordinates(np.linspace(90, -90, 9), 7 + 45 * np.arange(8)),
    "one pole": LatLonGrid.from_coordinates(90 - 12 * np.arange(15), 9 * np.arange(40)),
}
grids = st.sampled_from(sorted(GRIDS)).map(GRIDS.get)
methods = st.sampled_from(sorted(METHODS))


def noise(grid, seed, leading=(3,)):
    return np.random.default_rng(seed).standard_normal((*leading, *grid.shape), np.float32) + 5


def integral(fields, grid):
    return (fields.astype(np.float64) * grid.cell_areas()[:, None]).sum(axis=(-2, -1))


def brute_force(field, source, target):
    """Mean over the rectangles that cells have in common, one pair of cells after the other."""

    def rectangles(grid):
        edges, half = np.sin(np.radians(grid.latitude_edges())), 180 / grid.n_lon
        columns = [(c - half, c + half) for c in grid.longitude]
        return [(south, north, *column) for north, south in itertools.pairwise(edges) for column in columns]

    def common(a, b):
        height = min(a[1], b[1]) - max(a[0], b[0])
        return max(height, 0) * sum(max(min(a[3], b[3] + t) - max(a[2], b[2] + t), 0) for t in (-360, 0, 360))

    cells = rectangles(source)
    areas = np.array([[common(a, b) for b in cells] for a in rectangles(target)])
    return (areas @ field.ravel() / areas.sum(axis=1)).reshape(target.shape)


@given(grids, grids, st.integers(0, 99))
@settings(max_examples=25)
def test_conservative_regridding_keeps_the_area_integral(source, target, seed):
    fields = noise(source, seed)
    np.testing.assert_allclose(integral(Regridder(source, target)(fields), target), integral(fields, source), rtol=1e-6)


@pytest.mark.parametrize(
    "target",
    ["720x1440", "181x360", "121x240", "32x64", "gaussian 32x64", "0.25deg without south pole"],
)
def test_a_quarter_degree_field_keeps_its_integral_to_a_millionth(target):
    source, target = LatLonGrid.named("0.25deg"), LatLonGrid.named(target)
    field = 2.0e5 + 1e3 * noise(source, 1, ())
    np.testing.assert_allclose(integral(Regridder(source, target)(field), target), integral(field, source), rtol=1e-7)


@given(grids, grids, methods, st.floats(-1e6, 1e6, width=32))
@settings(max_examples=25)
def test_a_constant_stays_what_it_is(source, target, method, value):
    fields = np.full(source.shape, value, np.float32)
    np.testing.assert_array_equal(Regridder(source, target, method)(fields), np.float32(value))


@given(grids, methods, st.integers(0, 99))
@settings(max_examples=15)
def test_the_same_grid_gives_the_same_values(grid, method, seed):
    fields = noise(grid, seed)
    np.testing.assert_array_equal(Regridder(grid, grid, method)(fields), fields)
    made = METHODS[method](grid, grid)
    np.testing.assert_allclose(made.rows @ fields[0] @ made.columns.T, fields[0], rtol=1e-6)


@pytest.mark.parametrize(("source", "target"), list(itertools.permutations(["poles", "gaussian", "turned"], 2)))
def test_conservative_means_are_those_over_common_rectangles(source, target):
    source, target = GRIDS[source], GRIDS[target]
    field = noise(source, 2, ())
    np.testing.assert_allclose(Regridder(source, target)(field), brute_force(field, source, target), rtol=1e-6)


def test_conservative_means_agree_with_xarray_regrid():
    """Whole cells into cells, since it splits cells by latitude, not by area, and does not go round the globe."""
    if importlib.util.find_spec("xarray_regrid") is None:
        pytest.skip("needs xarray-regrid (extra dev); brute force is compared in any case")
    from xarray_regrid.methods.conservative import conservative_regrid

    source, target = LatLonGrid.named("36x72"), LatLonGrid.named("12x24")
    ours = field_on(source, noise(source, 3))
    theirs = conservative_regrid(ours, field_on(target, noise(target, 0))[["latitude", "longitude"]], "latitude")
    theirs = theirs.transpose("time", "latitude", "longitude")
    inner = {"longitude": slice(1, None)}
    xr.testing.assert_allclose(regrid(ours, target).isel(inner), theirs.isel(inner), rtol=1e-5)


@given(grids, grids, st.floats(-3, 3), st.floats(-3, 3))
@settings(max_examples=25)
def test_bilinear_regridding_is_exact_for_linear_fields(source, target, slope, offset):
    """Linear in latitude everywhere within the outermost rows, in longitude away from where the circle closes."""
    inside = np.abs(target.latitude) <= min(source.latitude[0], -source.latitude[-1])
    column = (np.array(target.longitude) >= source.longitude[0]) & (np.array(target.longitude) <= source.longitude[-1])

    def linear(grid):
        return offset + np.add.outer(slope * np.array(grid.latitude), np.array(grid.longitude)).astype(np.float32)

    found = Regridder(source, target, "bilinear")(linear(source))
    np.testing.assert_allclose(found[np.ix_(inside, column)], linear(target)[np.ix_(inside, column)], atol=2e-4)


def test_bilinear_regridding_goes_round_the_globe():
    source, target = (
        LatLonGrid.regular(5, 4),
        LatLonGrid.from_coordinates(np.linspace(90, -90, 5), 45 + 90 * np.arange(4)),
    )
    field = np.tile(np.array([1, 2, 4, 8], np.float32), (5, 1))
    np.testing.assert_array_equal(Regridder(source, target, "bilinear")(field)[2], [1.5, 3, 6, 4.5])


def test_a_mask_is_missing_area():
    """What is left keeps its integral over the area that is left."""
    source, target = GRIDS["poles"], GRIDS["gaussian"]
    field = noise(source, 4, ())
    masked = np.where(np.random.default_rng(0).random(source.shape) < 0.4, np.nan, field)
    part = Regridder(source, target)(np.isfinite(masked).astype(np.float32))
    found = Regridder(source, target, min_valid_fraction=0)(masked)
    assert np.array_equal(np.isfinite(found), part > 0)
    np.testing.assert_allclose(
        integral(np.nan_to_num(found) * part, target), integral(np.nan_to_num(masked), source), rtol=1e-6
    )


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, 2), (0.6, np.nan)])
def test_a_cell_is_missing_where_too_little_of_it_is_left(threshold, expected):
    source, target = LatLonGrid.named("2x8"), LatLonGrid.from_coordinates(np.array([45, -45]), 22.5 + 90 * np.arange(4))
    field = np.full(source.shape, 2, np.float32)
    field[0, 0] = np.nan  # half of the first cell
    found = Regridder(source, target, min_valid_fraction=threshold)(field)
    np.testing.assert_array_equal(found, [[expected, 2, 2, 2], [2, 2, 2, 2]])


def test_the_order_of_dimensions_and_the_attributes_stay():
    field = field_on(GRIDS["poles"], noise(GRIDS["poles"], 5)).assign(number=7)
    turned = field.transpose("longitude", "time", "latitude")
    found = regrid(turned, "gaussian 8x16")
    assert found["t2m"].dims == ("longitude", "time", "latitude")
    assert found["t2m"].attrs == {"units": "K", "regridding": "conservative, from 13 x 24"} and found["number"] == 7
    xr.testing.assert_identical(found["t2m"].transpose("time", "latitude", ...), regrid(field, "gaussian 8x16")["t2m"])


def test_lazy_fields_stay_lazy_and_are_read_piece_by_piece():
    field = field_on(GRIDS["poles"], noise(GRIDS["poles"], 6, (5,)))
    lazy = field.chunk(time=2, latitude=5)
    found = regrid(lazy, GRIDS["gaussian"])
    assert found.chunks["time"] == (2, 2, 1) and isinstance(found["t2m"].data, dask.array.Array)
    xr.testing.assert_identical(found.compute(), regrid(field, GRIDS["gaussian"]))


def test_kinds_are_taken_from_the_nearest_point():
    """Between soils of types 1 and 3 there is no soil of type 2."""
    grid = GRIDS["poles"]
    soils = field_on(grid, np.random.default_rng(0).choice([1, 3], (1, *grid.shape))).rename(t2m="soil_type")
    assert set(np.unique(regrid(soils, "gaussian 8x16")["soil_type"])) == {1, 3}


# A region over the date line, one over Greenwich, one that ends at a pole, one all round the globe.
REGIONS = [((60, 30), (150, 210)), ((60, 30), (-30, 40)), ((90, 40), (0, 90)), ((60, 30), (0, 360))]


@pytest.mark.parametrize(("rows", "columns"), REGIONS)
@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_region_gives_what_the_globe_gives_inside(rows, columns, method):
    globe = field_on(LatLonGrid.named("2deg"), noise(LatLonGrid.named("2deg"), 7))
    east = (globe["longitude"] - columns[0]) % 360 <= columns[1] - columns[0]
    region = globe.sel(latitude=slice(*rows)).isel(longitude=np.flatnonzero(east))
    inner = (min(rows[0] - 5, 86) if rows[0] < 90 else 90, columns[0] + 5, rows[1] + 5, columns[1] - 5)
    inner = inner if columns != (0, 360) else (55, 0, 35, 360)
    target = RegridConfig(grid="121x240", region=inner).target()
    whole = regrid(globe, "121x240", method).sel(latitude=list(target.latitude), longitude=list(target.longitude))
    xr.testing.assert_allclose(regrid(region, target, method)["t2m"], whole["t2m"], rtol=1e-6)


def test_a_region_that_does_not_cover_the_grid_is_refused():
    region = field_on(LatLonGrid.named("2deg"), noise(LatLonGrid.named("2deg"), 7)).sel(latitude=slice(60, 30))
    with pytest.raises(
        UserError, match=r"the data cover only 61 .. 29 N.*not all of 90 .. -90 N.*name a region inside"
    ):
        regrid(region, "121x240")
    with pytest.raises(UserError, match=r"the data cover only .* 149 .. 211 E"):
        target = RegridConfig(grid="121x240", region=(50, 100, 40, 160)).target()
        regrid(region.sel(longitude=slice(150, 210)), target)


def test_an_unknown_method_is_refused():
    with pytest.raises(UserError, match="did you mean 'conservative'"):
        regrid(field_on(GRIDS["poles"], noise(GRIDS["poles"], 5)), "9x16", "conservativ")


@pytest.mark.parametrize("grid", [None, {"grid": "9x16"}, 1.5], ids=repr)
def test_what_is_no_grid_is_refused(grid):
    with pytest.raises(UserError, match=r"^grid must be str, got (None|dict|1.5); pass a name, .* a LatLonGrid$"):
        regrid(field_on(GRIDS["poles"], noise(GRIDS["poles"], 5)), grid)


def test_a_path_in_the_place_of_a_dataset_is_refused():
    with pytest.raises(UserError, match=r"^dataset must be Dataset or DataArray, got 'data.zarr'; open it with"):
        regrid("data.zarr", "9x16")


def field_on(grid, values):
    coords = {"time": np.arange(len(values)), "latitude": list(grid.latitude), "longitude": list(grid.longitude)}
    return xr.Dataset({"t2m": (tuple(coords), values, {"units": "K"})}, coords)
