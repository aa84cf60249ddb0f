"""Storms followed by Pangu's criteria: planted ones, wherever they go, and each criterion by itself."""

import numpy as np
import pytest
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.tracks import each, make
from weatherml.extremes.tracks.detection.surroundings import Surroundings
from weatherml.extremes.tracks.following import Following, follow
from weatherml.extremes.tracks.vorticity import relative_vorticity
from weatherml.grid import LatLonGrid
from weatherml.sphere import EARTH_RADIUS
from weatherml.sphere.great_circles import destination, distance
from weatherml.state import with_metadata

SIX = np.timedelta64(6, "h")
START = np.datetime64("2099-09-01", "ns")
GRIDS = {
    "5 degrees": LatLonGrid.regular(37, 72),
    "2.5 degrees": LatLonGrid.regular(73, 144),
    "2 degrees without poles": LatLonGrid.regular(90, 180, poles=False),
    "Gaussian": LatLonGrid.gaussian(64, 128),
}
PATHS = {
    "over the date line": (15, 170, 80),
    "over Greenwich, south": (-20, 8, 260),
    "over the pole": (82, 40, 0),
    "over the south pole": (-84, 300, 175),
    "along the equator": (3, 100, 90),
}


def way(latitude, longitude, direction, speed=12.0, n=6):
    """Places `[time]` of a storm along a great circle with a speed in m s-1, six hours apart."""
    return destination(latitude, longitude, direction, speed * 21.6 * np.arange(n))


def bump(grid, place, radius):
    away = distance(*place, np.asarray(grid.latitude)[:, None], np.asarray(grid.longitude))
    return np.exp(-((away / radius) ** 2))


def fields(grid, ways, vorticity=2e-4, warmth=500.0, wind=20.0, land=0.0, depth=3000.0):
    """Analyses with storms that have all that is asked for, and a pressure that is lowest at 60 degrees elsewhere."""
    n, radius = len(ways[0][0]), max(350.0, 1.2 * 111 * grid.resolution)
    north = np.radians(grid.latitude)[:, None]
    coords = {"time": START + np.arange(n) * SIX, "latitude": np.array(grid.latitude)}
    coords["longitude"] = np.array(grid.longitude)
    shape, spots = (n, *grid.shape), np.zeros((n, *grid.shape))
    for latitude, longitude in ways:
        spots += np.stack([bump(grid, place, radius) for place in zip(latitude, longitude, strict=True)])
    turn = np.sign(ways[0][0])[:, None, None]
    layers = {
        "mean_sea_level_pressure": np.full(shape, 101300 + 900 * np.cos(6 * north) * np.cos(north) ** 2)
        - depth * spots,
        "vorticity": turn * vorticity * spots,
        "geopotential_200": 100_000 + warmth * spots,
        "geopotential_850": np.zeros(shape),
        "10m_wind_speed": wind * spots,
    }
    data = {name: (tuple(coords), own.astype(np.float32)) for name, own in layers.items()}
    levels = {"level": [200, 850]}
    heights = np.stack([data.pop(f"geopotential_{level}")[1] for level in (200, 850)], axis=1)
    lifted = {"geopotential": (("time", "level", "latitude", "longitude"), heights)}
    lifted["vorticity"] = (
        ("time", "level", "latitude", "longitude"),
        np.stack([np.full(shape, np.nan, np.float32), data.pop("vorticity")[1]], 1),
    )
    mask = {"land_sea_mask": (("latitude", "longitude"), np.full(grid.shape, land, np.float32))}
    return with_metadata(xr.Dataset(data | lifted | mask, coords | levels))


def starts(*ways):
    """Best tracks of those storms."""
    n = len(ways[0][0])
    ids = np.repeat(np.arange(len(ways)), n)
    latitude, longitude = (np.concatenate(own) for own in zip(*ways, strict=True))
    time = np.tile(START + np.arange(n) * SIX, len(ways))
    names = np.array([f"STORM{own}" for own in ids])
    return make({"track_id": ids, "time": time, "latitude": latitude, "longitude": longitude, "name": names})


def as_forecast(analyses, n_members=1):
    """The same as a forecast from the first time, its members alike."""
    own = analyses.isel(time=slice(1, None))
    leads = own["time"].values - START
    run = own.assign_coords(time=leads).rename(time="lead_time").expand_dims(init_time=[START])
    changing = [name for name in run.data_vars if "lead_time" in run[name].dims]
    many = run[changing].expand_dims(number=np.arange(n_members), axis=2)
    return many.assign(land_sea_mask=analyses["land_sea_mask"])


def off(tracks, place):
    """Km between each record and where the storm was put."""
    return distance(tracks["latitude"], tracks["longitude"], place[0], place[1])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("grid", GRIDS)
def test_a_planted_storm_is_followed_to_the_end_within_a_cell(grid, path):
    own = way(*PATHS[path])
    tracks = follow(fields(GRIDS[grid], [own]), starts(own))
    assert tracks.sizes["record"] == len(own[0])
    assert off(tracks, own).max() < 111.2 * GRIDS[grid].resolution
    assert set(tracks["name"].values) == {"STORM0"}


def test_two_storms_that_pass_each_other_keep_their_names():
    """Ten degrees apart at first, five where they pass; both go on."""
    one, other = way(15, 170, 90, 8), way(20, 178, 270, 8)
    tracks = dict(each(follow(fields(GRIDS["2.5 degrees"], [one, other]), starts(one, other))))
    for (_, own), place in zip(tracks.items(), (one, other), strict=True):
        assert off(own, place).max() < 278


def test_of_two_that_become_one_only_one_goes_on():
    one, other = way(15, 175, 90, 6), way(15, 186.65, 270, 6)
    tracks = dict(each(follow(fields(GRIDS["2.5 degrees"], [one, other]), starts(one, other))))
    sizes = sorted(own.sizes["record"] for own in tracks.values())
    assert sizes[-1] == 6
    assert sizes[0] < 6


def test_the_storm_that_is_closest_has_its_eye_and_another_ends():
    """Both could go on, were the closest eye given to the one that reaches no other, 800 km away."""
    eyes = [(np.full(2, 15.0), np.full(2, east)) for east in (170.0, 162.5)]
    begun = starts(*[(np.full(1, 15.0), np.full(1, east)) for east in (170.0, 177.5)])
    tracks = follow(as_forecast(fields(GRIDS["2.5 degrees"], eyes)), begun, Following(search_radius=900.0))
    assert tracks["name"].values.tolist() == ["STORM0"]
    np.testing.assert_allclose(tracks["longitude"], 170, atol=1)


def test_a_wrinkle_beside_the_way_does_not_take_the_storms_place():
    """A shallow minimum with vorticity, which comes nearer to the first place than the storm is by then."""
    own = way(15, 170, 80, speed=19.5)
    analyses = fields(GRIDS["2.5 degrees"], [own])
    spot = bump(GRIDS["2.5 degrees"], (12.5, 167.5), 250).astype(np.float32)
    later = xr.DataArray(np.arange(6) > 0, dims="time") * xr.DataArray(spot, dims=("latitude", "longitude"))
    analyses["mean_sea_level_pressure"] = analyses["mean_sea_level_pressure"] - 1500 * later
    analyses["vorticity"] = analyses["vorticity"].fillna(0) + 1e-4 * later
    tracks = follow(analyses, starts(own))
    assert off(tracks, own).max() < 278


def test_each_member_is_followed_from_the_initial_time_by_name():
    own = way(15, 170, 80)
    analyses = fields(GRIDS["2.5 degrees"], [own])
    tracks = follow(as_forecast(analyses, n_members=3), starts(own))
    assert tracks["number"].values.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    assert (tracks["init_time"] == START).all()
    assert off(tracks.isel(record=slice(5)), [place[1:] for place in own]).max() < 278
    assert tracks["mean_sea_level_pressure"].attrs["units"] == "Pa"


@pytest.mark.parametrize(
    ("changes", "latitude", "rules", "n_found"),
    [
        ({"vorticity": 4e-5}, 15, Following(), 0),
        ({"vorticity": 4e-5}, 15, Following(vorticity=2e-5), 6),
        ({"vorticity": -2e-4}, 15, Following(), 0),
        ({"warmth": -500.0}, 15, Following(), 6),
        ({"warmth": -500.0}, 45, Following(), 0),
        ({"warmth": -500.0}, 45, Following(extratropical=None), 6),
        ({"wind": 5.0, "land": 0.0}, 15, Following(), 6),
        ({"wind": 5.0, "land": 1.0}, 15, Following(), 0),
        ({"wind": 5.0, "land": 1.0}, 15, Following(least_wind=None), 6),
        ({"depth": -3000.0}, 15, Following(), 0),
    ],
)
def test_each_criterion_ends_a_storm_that_fails_it(changes, latitude, rules, n_found):
    own = way(latitude, 170, 80)
    tracks = follow(fields(GRIDS["2.5 degrees"], [own], **changes), starts(own), rules)
    assert tracks.sizes["record"] == n_found


def test_a_storm_that_goes_further_than_it_can_is_lost():
    """800 km in six hours are too far, and in twelve they are not."""
    own = way(15, 170, 80, speed=800 / 21.6)
    analyses = fields(GRIDS["2.5 degrees"], [own])
    assert follow(analyses, starts(own)).sizes["record"] == 1
    slowly = way(15, 170, 80, speed=400 / 21.6)
    twelve = fields(GRIDS["2.5 degrees"], [slowly]).isel(time=slice(None, None, 2))
    assert follow(twelve, starts(slowly)).sizes["record"] == 3


def test_a_hole_in_the_data_ends_a_storm_unless_a_gap_is_allowed():
    """As storms that are linked: 18 hours of no data between steps of six."""
    own = way(15, 170, 80, speed=6.0, n=10)
    analyses = fields(GRIDS["2.5 degrees"], [own]).isel(time=[0, 1, 2, 3, 6, 7, 8, 9])
    assert follow(analyses, starts(own)).sizes["record"] == 4
    assert follow(analyses, starts(own), Following(maximum_gap=18)).sizes["record"] == 8
    late = as_forecast(analyses.isel(time=[0, 4, 5, 6, 7]))
    assert follow(late, starts(own)).sizes["record"] == 0  # 36 hours to its first lead
    assert follow(late, starts(own), Following(maximum_gap=36)).sizes["record"] == 4


def test_what_is_missing_is_said_with_what_does_without_it():
    own = way(15, 170, 80)
    analyses = fields(GRIDS["5 degrees"], [own])
    for name, words in {
        "geopotential": r"no geopotential_200 - geopotential_850.*Following\(extratropical=None\)",
        "land_sea_mask": r"no land_sea_mask.*Following\(least_wind=None\)",
        "vorticity": "no vorticity at 850 hPa, nor u_component_of_wind_850",
    }.items():
        with pytest.raises(UserError, match=words):
            follow(analyses.drop_vars(name), starts(own))
    assert follow(analyses.drop_vars("10m_wind_speed"), starts(own), Following(least_wind=None)).sizes["record"] == 6


@pytest.mark.parametrize("grid", GRIDS)
def test_vorticity_of_solid_rotation_is_that_of_the_turn_at_poles_and_seams_too(grid):
    """The wind of a turn about an axis that leans: everywhere twice the turn times the sine of the distance from it."""
    own = GRIDS[grid]
    north, east = np.radians(own.latitude)[:, None], np.radians(own.longitude)
    lean, turn = np.radians(35), 1e-5
    u = turn * 1000 * EARTH_RADIUS * (np.cos(north) * np.cos(lean) + np.sin(lean) * np.cos(east) * np.sin(north))
    v = -turn * 1000 * EARTH_RADIUS * np.sin(lean) * np.sin(east) + 0 * north
    expected = 2 * turn * (np.sin(north) * np.cos(lean) - np.cos(north) * np.cos(east) * np.sin(lean))
    found = relative_vorticity(u, v, Surroundings(own))
    np.testing.assert_allclose(found, expected, atol=0.02 * 2 * turn)


def test_vorticity_of_a_region_over_greenwich_is_that_of_the_globe():
    globe, rng = GRIDS["5 degrees"], np.random.default_rng(0)
    rows, columns = slice(5, 15), np.r_[66:72, 0:9]
    u, v = rng.normal(size=(2, *globe.shape))
    part = LatLonGrid.from_coordinates(np.array(globe.latitude)[rows], np.sort(np.array(globe.longitude)[columns]))
    around = Surroundings(part)
    found = relative_vorticity(u[rows][:, columns], v[rows][:, columns], around)
    whole = relative_vorticity(u, v, Surroundings(globe))[rows][:, columns]
    np.testing.assert_allclose(found[1:-1, 1:-1], whole[1:-1, 1:-1])
    assert np.isfinite(found).all()


def test_storms_are_followed_by_the_pressure_alone_where_nothing_else_is_asked():
    own = way(15, 170, 80)
    analyses = fields(GRIDS["2.5 degrees"], [own])
    rules = Following(vorticity=None, extratropical=None, least_wind=None)
    alone = follow(analyses[["mean_sea_level_pressure"]], starts(own), rules)
    whole = follow(analyses, starts(own), rules)
    assert alone.sizes["record"] == 6 and "vorticity_850" not in alone and "vorticity_850" in whole
    np.testing.assert_array_equal(alone["longitude"], whole["longitude"])
    with pytest.raises(UserError, match=r"no vorticity at 850 hPa.*Following\(vorticity=None\)"):
        follow(analyses[["mean_sea_level_pressure"]], starts(own))
