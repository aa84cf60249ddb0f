"""Rows that are not where their latitudes say."""

import numpy as np
import pytest
import xarray as xr

from weatherml.data.quality.gathering import gather
from weatherml.data.quality.rules.place.poles import pole_row, row_seam
from weatherml.data.quality.rules.values.missing import find_filled_masks
from weatherml.data.reading.opening import open_files
from weatherml.data.regrid import regrid
from weatherml.grid import LatLonGrid

WITH_POLES, WITHOUT = LatLonGrid.regular(37, 72), LatLonGrid.gaussian(32, 64)


def smooth(grid, seed, n_times=3):
    """Scalars that vary slowly over the globe: a few plane waves in space."""
    rng = np.random.default_rng(seed)
    lat, lon = np.meshgrid(np.radians(grid.latitude), np.radians(grid.longitude), indexing="ij")
    place = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    waves = rng.normal(size=(n_times, 6, 3)) * 3
    phases = rng.uniform(0, 2 * np.pi, (n_times, 6, 1, 1))
    return np.cos(np.einsum("twi,iyx->twyx", waves, place) + phases).sum(1) + 4 * np.sin(lat)


def dataset(grid, seed=0):
    """Temperature, and the wind of one rotation about an axis that wanders, which blows over the poles."""
    lat, lon = np.meshgrid(np.radians(grid.latitude), np.radians(grid.longitude), indexing="ij")
    fields = {"2m_temperature": 270 + 5 * smooth(grid, seed)}
    turn = np.array([0.3, 1.7, 4.0])[:, None, None] + 1.4 * np.sin(lat)
    gusts = 2 * smooth(grid, seed + 1) * np.cos(lat)
    fields["10m_u_component_of_wind"] = 9 * np.sin(lat) * np.cos(lon - turn) + gusts + 3 * np.cos(lat)
    fields["10m_v_component_of_wind"] = -9 * np.sin(lon - turn) + gusts
    coords = {
        "time": np.datetime64("2001-01-01", "ns") + np.arange(3) * np.timedelta64(6, "h"),
        "latitude": np.asarray(grid.latitude),
        "longitude": np.asarray(grid.longitude),
    }
    dims = ("time", "latitude", "longitude")
    return xr.Dataset({name: (dims, field.astype(np.float32)) for name, field in fields.items()}, coords)


def found(dataset):
    evidence = gather(dataset)
    return [*pole_row(evidence), *row_seam(evidence)]


@pytest.mark.parametrize("grid", [WITH_POLES, WITHOUT, LatLonGrid.regular(36, 72, poles=False)])
def test_rows_in_their_places_have_no_findings(grid):
    assert found(dataset(grid)) == []


def test_a_field_aloft_whose_level_is_not_told_is_judged_as_others():
    rolled = dataset(WITH_POLES)[["2m_temperature"]].rename({"2m_temperature": "vorticity"}).roll(latitude=1)
    assert {(f.rule, f.subject) for f in found(rolled)} == {("pole-row", "vorticity")}


@pytest.mark.parametrize("by", [1, -1])
@pytest.mark.parametrize("name", list(dataset(WITHOUT)))
def test_a_pole_beside_its_place_is_found(name, by):
    findings = found(dataset(WITH_POLES)[[name]].roll(latitude=by))
    (pole,) = [f for f in findings if f.rule == "pole-row"]
    assert f"one {'wind' if 'wind' in name else 'value'} all along latitude {85 * by}" in pole.message
    assert f"ds.roll(latitude={-by})" in pole.message and pole.severity == "error"


def test_a_pole_repeated_is_found():
    rows = [0, *range(36)]
    repeated = dataset(WITH_POLES).isel(latitude=rows).assign_coords(latitude=list(WITH_POLES.latitude))
    assert {f.rule for f in found(repeated[["2m_temperature"]])} == {"pole-row"}


@pytest.mark.parametrize("by", [1, -1])
@pytest.mark.parametrize("name", ["2m_temperature", "10m_v_component_of_wind"])
def test_rows_of_two_poles_side_by_side_are_found_on_grids_without_poles(name, by):
    (seam,) = found(dataset(WITHOUT)[[name]].roll(latitude=by))
    assert seam.rule == "row-seam" and seam.confidence == "likely"


@pytest.mark.parametrize("dim", ["latitude", "longitude"])
def test_halves_put_together_wrongly_are_found(dim):
    whole = dataset(WITH_POLES)
    order = np.arange(whole.sizes[dim])
    order[8:30] = order[8:30][::-1]
    mixed = whole.isel({dim: order}).assign_coords({dim: whole[dim]})
    assert {(f.subject, f.rule) for f in found(mixed)} == {(name, "row-seam") for name in whole}


def test_rain_may_have_one_value_along_a_row():
    dry = dataset(WITH_POLES)["2m_temperature"].rename("total_precipitation_6hr").copy()
    dry[:, 1] = 0
    assert found(dry.to_dataset()) == []


def test_what_is_said_of_all_levels_is_said_once():
    one = dataset(WITH_POLES)["2m_temperature"].rename("temperature")
    levels = xr.concat([one, one + 3 * one], "level").transpose("time", "level", ...)
    findings = found(levels.assign_coords(level=np.array([500, 850], np.int32)).to_dataset().roll(latitude=1))
    assert [f.subject for f in findings if f.rule == "pole-row"] == ["temperature"]


def test_a_region_has_no_poles():
    part = dataset(WITH_POLES).sel(latitude=slice(50, 10), longitude=slice(0, 100)).copy(deep=True)
    part["2m_temperature"][:, 2] = 280
    assert [f for f in found(part) if f.rule == "pole-row"] == []


@pytest.mark.parametrize(("degrees", "step"), [(2.5, 1.5), (2.5, 1.0), (5.0, 1.5), (5.0, 3.0), (5.0, 1.40625)])
@pytest.mark.parametrize("n_times", [1, 4])
def test_steps_of_a_coarser_grid_are_no_seams(shared, degrees, step, n_times):
    """What is brought to a finer grid as a run may ask for keeps the edges of its cells."""
    days = open_files(shared("reanalysis/erainterim_t2m_dailymax_2p5deg_2012.nc")).isel(time=slice(0, n_times)).load()
    if degrees > 2.5:
        days = regrid(days, LatLonGrid.regular(36, 72, poles=False)).load()
    has_poles = step != 3.0
    finer = LatLonGrid.regular(round(180 / step) + has_poles, round(360 / step), poles=has_poles)
    (note,) = found(regrid(days, finer).load())
    assert note.severity == "note" and "coarser grid" in note.message


def test_blocks_that_were_exchanged_are_found_at_their_three_seams(shared):
    days = open_files(shared("reanalysis/erainterim_t2m_dailymax_2p5deg_2012.nc")).isel(time=slice(0, 24)).load()
    order = np.r_[0:36, 108:144, 36:72, 72:108]
    findings = found(days.isel(longitude=order).assign_coords(longitude=days["longitude"]))
    assert [f.severity for f in findings] == ["error"] * 3


REAL = [
    "era5_t2m_0p25deg_20221001.grib",
    "era5_vo850_2025-2026_djf_2.5x2.5.zarr",
    "era_tz_850_500_1deg_20070101.nc",
    "erainterim_v_37levels_1p5deg_20050123_old_cds_layout.nc",
    "erainterim_u_37levels_1p5deg_20050123_old_cds_layout.nc",
]


@pytest.mark.parametrize("name", REAL)
def test_in_real_files_a_row_off_is_found_and_nothing_else(shared, name):
    whole = open_files(shared(f"reanalysis/{name}"))
    whole = (whole.isel(time=slice(0, 2)) if "time" in whole.dims else whole).load()
    assert found(whole) == []
    assert "pole-row" in {f.rule for f in found(whole.roll(latitude=1))}


def test_coasts_and_short_rows_are_no_seams(shared):
    """West Africa's coast runs along a meridian through the tropics; a few columns differ as they please."""
    days = open_files(shared("reanalysis/erainterim_t2m_dailymax_2p5deg_2012.nc")).isel(time=slice(60, 66)).load()
    assert found(days.isel(time=[3])) == found(days.sel(latitude=slice(20, -20))) == []
    column = open_files(shared(f"reanalysis/{REAL[3]}")).sel(level=[500, 700]).load()
    assert found(column.isel(latitude=slice(0, 15), longitude=slice(126, 160))) == []
    assert found(regrid(column, LatLonGrid.gaussian(64, 128)).load()) == []


def test_a_filled_mask_has_no_seams_and_is_a_note():
    """Its coasts are straight: land of one value between two meridians."""
    fields = dataset(WITH_POLES)[["2m_temperature"]].rename({"2m_temperature": "sea_surface_temperature"})
    filled = fields.where((fields.longitude < 20) | (fields.longitude > 130), 273.16)
    assert found(filled) == []
    (note,) = find_filled_masks(gather(filled))
    assert note.severity == "note" and "is 273.16 at all times" in note.message
    assert [*find_filled_masks(gather(fields))] == []
