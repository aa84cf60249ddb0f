"""Stations: bilinear interpolation against brute force, round the globe and over the poles."""

import dask
import numpy as np
import pytest
import xarray as xr
from fake_data import forecasts

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.products.selection import Region, select_region
from weatherml.products.stations import Stations, at_stations

GRIDS = {
    "poles": LatLonGrid.regular(7, 12),
    "no poles": LatLonGrid.regular(6, 9, poles=False),
    "gaussian": LatLonGrid.gaussian(8, 10),
    "no south pole": LatLonGrid(LatLonGrid.regular(7, 8).latitude[:-1], LatLonGrid.regular(7, 8).longitude),
}
FIELDS = {"geopotential": (500, 850), "10m_u_component_of_wind": ()}


def places(n, seed=0):
    rng = np.random.default_rng(seed)
    latitude = [90, -90, 89.9, -89.9, 0, *rng.uniform(-90, 90, n - 5)]
    longitude = [-180, 360, 359.9, -0.1, 0, *rng.uniform(-180, 360, n - 5)]
    return Stations(tuple(f"S{i}" for i in range(n)), tuple(latitude), tuple(longitude))


def brute_force(values, grid, latitude, longitude, turn):
    """Interpolate one field by looking for the cell on a globe on which everything is written out."""
    rows = [(lat, row, 0) for row, lat in enumerate(grid.latitude)]
    rows += [(180 - grid.latitude[0], 0, 180), (-180 - grid.latitude[-1], grid.n_lat - 1, 180)]
    result = 0.0
    north = min((r for r in rows if r[0] >= latitude), key=lambda r: (r[0], r[2]))
    south = max((r for r in rows if r[0] <= latitude), key=lambda r: (r[0], -r[2]))
    for (_, row, shift), other in ((north, south), (south, north)):
        share = 0.5 if north[0] == south[0] else abs(latitude - other[0]) / (north[0] - south[0])
        east = (longitude + shift) % 360
        columns = [(lon + turn_, col) for col, lon in enumerate(grid.longitude) for turn_ in (-360, 0, 360)]
        right, left = min(c for c in columns if c[0] >= east), max(c for c in columns if c[0] <= east)
        part = 0.5 if right[0] == left[0] else (east - left[0]) / (right[0] - left[0])
        value = (1 - part) * values[row, left[1]] + part * values[row, right[1]]
        result += share * value * (turn if shift else 1)
    return result


@pytest.mark.parametrize("name", GRIDS)
def test_interpolation_is_that_of_brute_force_on_the_whole_globe(name):
    grid, stations = GRIDS[name], places(60)
    forecast = forecasts(FIELDS, n_init=1, n_lead=2, n_members=3, grid=grid)
    found = at_stations(forecast, stations)
    for variable, turn in (("geopotential", 1), ("10m_u_component_of_wind", -1)):
        field = forecast[variable].isel(init_time=0, lead_time=1, number=2)
        for values, at in zip(
            np.atleast_3d(field.values.T).T,
            np.atleast_2d(found[variable].isel(init_time=0, lead_time=1, number=2).values),
            strict=True,
        ):
            points = zip(stations.latitude, stations.longitude, strict=True)
            expected = [brute_force(values, grid, *point, turn) for point in points]
            np.testing.assert_allclose(at, expected, atol=2e-6)


def test_a_place_on_a_grid_point_has_its_value():
    grid = GRIDS["gaussian"]
    forecast = forecasts(FIELDS, n_members=2, grid=grid)
    stations = Stations(("a", "b"), (grid.latitude[0], grid.latitude[5]), (grid.longitude[9] - 360, grid.longitude[3]))
    found = at_stations(forecast, stations)["geopotential"]
    assert found.dims == ("init_time", "lead_time", "number", "level", "station")
    np.testing.assert_array_equal(found[..., 0], forecast["geopotential"][..., 0, 9])
    np.testing.assert_array_equal(found[..., 1], forecast["geopotential"][..., 5, 3])


def test_a_neighbour_that_is_missing_matters_only_where_it_counts():
    forecast = forecasts({"sea_surface_temperature": ()}, grid=GRIDS["poles"])
    forecast["sea_surface_temperature"][..., 2, 4] = np.nan  # 30 N, 120 E
    found = at_stations(forecast, Stations(("beside", "on the row south"), (25.0, 0.0), (110.0, 110.0)))
    assert found["sea_surface_temperature"].isnull().all(("init_time", "lead_time")).values.tolist() == [True, False]


def test_wind_blows_over_the_pole_in_one_direction():
    """A uniform wind along 0 and 180 degrees east has opposite components on either side of the pole."""
    grid = GRIDS["no poles"]
    forecast = forecasts({"v_component_of_wind": (500,), "geopotential": (500,)}, n_init=1, n_lead=1, grid=grid)
    across = -10 * np.cos(np.radians(np.asarray(grid.longitude)))
    forecast["v_component_of_wind"][...] = across.astype(np.float32)
    found = at_stations(forecast, Stations(("at the pole", "beside it"), (90.0, 89.0), (0.0, 0.0)))
    np.testing.assert_allclose(found["v_component_of_wind"].values.ravel(), -10, rtol=0.07)  # nine columns are coarse


POLAR = Stations(("A", "B", "C"), (90.0, 85.0, -89.0), (0.0, 60.0, 120.0))
"""Beyond the last row of a Gaussian grid, above whose columns they lie."""


@pytest.fixture(scope="module")
def uniform_winds():
    """Return members whose wind blows over the poles as one, each at its own speed, and does not turn nearby."""
    grid = LatLonGrid.gaussian(8, 12)
    forecast = forecasts(
        {"10m_u_component_of_wind": (), "geopotential": (500,)}, n_init=1, n_lead=2, n_members=5, grid=grid
    )
    side = np.where((np.asarray(grid.longitude) - 1) % 360 < 180, 1, -1)  # no station's columns are in between
    speeds = np.array([-10, -3, 1, 4, 20])
    forecast["10m_u_component_of_wind"][...] = (speeds[:, None, None] * side).astype(np.float32)
    return forecast


def statistics_of(members, quantiles=(0.1, 0.25, 0.5, 0.75, 0.9), thresholds=(2.0,)):
    """Return what an ensemble's statistics are called and are, by brute force."""
    attributes = {name: field.attrs for name, field in members.data_vars.items()}
    over = {
        "mean": members.mean("number"),
        "spread": members.std("number", ddof=1),
        "minimum": members.min("number"),
        "maximum": members.max("number"),
        "quantile": members.quantile(quantiles, "number"),
        "count": members.notnull().sum("number").astype(np.int32),
    }
    fields = {
        f"{name}_{s}": field[name].assign_attrs(attributes[name]) for s, field in over.items() for name in members
    }
    wind = members["10m_u_component_of_wind"]
    limits = xr.DataArray(list(thresholds), dims="10m_u_component_of_wind_threshold")
    return xr.Dataset({**fields, "10m_u_component_of_wind_exceedance": (wind > limits).mean("number")})


def test_statistics_beyond_the_last_row_are_those_of_the_members_there(uniform_winds):
    found, expected = (
        at_stations(statistics_of(uniform_winds), POLAR).load(),
        statistics_of(at_stations(uniform_winds, POLAR).load()),
    )
    winds = [name for name in found.data_vars if name.startswith("10m") and not name.endswith("_exceedance")]
    assert len(winds) == 6
    for name in winds:
        np.testing.assert_allclose(found[name].transpose(*expected[name].dims), expected[name], atol=2e-6, err_msg=name)
    assert sorted(found["10m_u_component_of_wind_minimum"].values[0, 0]) == [-20, -10, -10]


def test_what_lies_across_a_pole_and_was_not_kept_is_missing_and_said(uniform_winds):
    kept = statistics_of(uniform_winds, quantiles=(0.1, 0.5, 0.75)).drop_vars("10m_u_component_of_wind_maximum")
    stations = Stations((*POLAR.names, "Oslo"), (*POLAR.latitude, 59.9), (*POLAR.longitude, 10.7))
    found = at_stations(kept, stations).load()
    minimum, share = (found[f"10m_u_component_of_wind_{name}"] for name in ("minimum", "exceedance"))
    quantile = found["10m_u_component_of_wind_quantile"]
    for field in (minimum, share):
        assert field.isnull().all([d for d in field.dims if d != "station"]).values.tolist() == [True] * 3 + [False]
    assert quantile.isel(station=0).isnull().all(("init_time", "lead_time")).values.tolist() == [True, False, True]
    assert quantile.isel(station=3).notnull().all()
    where = "missing at A, B, C, between the last row and a pole: what lies across it follows from "
    assert minimum.attrs["comment"] == f"{where}10m_u_component_of_wind_maximum"
    assert quantile.attrs["comment"] == f"{where}quantiles that were not kept: 0.9, 0.25"
    assert share.attrs["comment"] == f"{where}shares below the thresholds"
    assert not any("comment" in field.attrs for name, field in found.items() if name.startswith("geopotential"))
    assert found["geopotential_minimum"].notnull().all()


def test_a_place_has_as_many_members_as_the_grid_point_with_the_fewest():
    members = forecasts({"2m_temperature": ()}, n_init=1, n_lead=1, n_members=4, grid=GRIDS["poles"])
    members["2m_temperature"][..., 1:, 2, 4] = np.nan  # 30 N, 120 E
    count = members.notnull().sum("number").astype(np.int32).rename({"2m_temperature": "2m_temperature_count"})
    found = at_stations(count, Stations(("beside", "on the row south"), (25.0, 0.0), (110.0, 110.0)))
    assert found["2m_temperature_count"].dtype == np.int32
    assert found["2m_temperature_count"].values.ravel().tolist() == [1, 4]


def test_nothing_is_read_before_it_is_asked_for():
    forecast = forecasts(FIELDS, n_members=2).chunk({"lead_time": 1})
    with dask.config.set(scheduler=lambda *_, **__: pytest.fail("read")):
        assert at_stations(forecast, places(6))["geopotential"].shape == (4, 3, 2, 2, 6)


def test_metadata_say_that_these_are_stations():
    found = at_stations(forecasts(FIELDS), Stations(("Oslo",), (59.9,), (10.75,)))
    assert found.attrs["featureType"] == "timeSeries"
    assert found["station"].attrs["cf_role"] == "timeseries_id"
    assert found["latitude"].attrs["units"] == "degrees_north"
    assert found["geopotential"].attrs["units"] == "m2 s-2"
    assert found["valid_time"].dims == ("init_time", "lead_time")


def test_places_outside_a_region_are_refused_and_those_on_its_edge_are_not():
    region = select_region(forecasts(FIELDS), Region.parse("60,-60,0,30"))
    xr.testing.assert_allclose(
        at_stations(region, Stations(("corner",), (60.0,), (300.0,)))["geopotential"].isel(station=0, drop=True),
        region["geopotential"].isel(latitude=0, longitude=0, drop=True),
    )
    for latitude, longitude in ((61.0, 0.0), (30.0, 31.0), (-1.0, 0.0)):
        with pytest.raises(UserError, match=r"station out at latitude .* lies outside the forecast, whose"):
            at_stations(region, Stations(("out",), (latitude,), (longitude,)))


def test_a_file_of_stations_is_read_with_its_columns_in_any_order(tmp_path):
    file = tmp_path / "stations.csv"
    file.write_text("longitude,height,name,latitude\n10.75, 94, Oslo, 59.9\n-43.2,5,Rio de Janeiro,-22.9\n")
    assert Stations.read(file) == Stations(("Oslo", "Rio de Janeiro"), (59.9, -22.9), (10.75, -43.2))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,lat,lon\nOslo,59.9,10.7\n", "have no column 'latitude'; the first line must be name,latitude,longitude"),
        ("name,latitude,longitude\nOslo,north,10.7\n", "line 2: latitude 'north' and longitude '10.7' must be degrees"),
        ("name,latitude,longitude\nOslo,59.9\n", "line 2: latitude '59.9' and longitude None must be degrees"),
        ("name,latitude,longitude\n", "stations are empty"),
        ("name,latitude,longitude\n ,59.9,10.7\n", "line 2: the place has no name; give it one"),
        ("name,latitude,longitude\nOslo,159.9,10.7\n", "station Oslo lies at latitude 159.9"),
        ("name,latitude,longitude\nA,1,2\nA,3,4\n", "stations are named twice: A"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_line(tmp_path, content, message):
    (tmp_path / "stations.csv").write_text(content)
    with pytest.raises(UserError, match=message):
        Stations.read(tmp_path / "stations.csv")


def test_a_file_that_is_missing_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"cannot read stations .*No such file"):
        Stations.read(tmp_path / "stations.csv")
