"""Levels that hold what is of another level, or layers whose thickness and temperature disagree."""

import pytest
import xarray as xr
from test_wind_found import balanced, mirrored, moved, upside_down

from weatherml.data.quality.gathering import gather
from weatherml.data.quality.rules.registry import RULES
from weatherml.data.reading.opening import open_files

U, V, Z, T = "u_component_of_wind", "v_component_of_wind", "geopotential", "temperature"
RULE_IDS = ("levels-rolled", "levels-reversed", "levels-exchanged", "hydrostatic", "level-order")
LEVELS = [50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000]


def rolled(ds, by=1):
    return ds.roll(level=by)


def turned(ds):
    return ds.isel(level=slice(None, None, -1)).assign_coords(level=ds["level"])


def found(dataset):
    evidence = gather(dataset)
    return [(rule, finding.subject, finding.message) for rule in RULE_IDS for finding in RULES[rule](evidence)]


def rules_found(dataset):
    return {rule for rule, *_ in found(dataset)}


@pytest.fixture(scope="module")
def profile(shared):
    names = [f"erainterim_{name}_37levels_1p5deg_20050123_old_cds_layout.nc" for name in "tuv"]
    whole = xr.merge([open_files(shared(f"reanalysis/{name}")) for name in names])
    return whole.isel(latitude=slice(None, None, 2), longitude=slice(None, None, 2)).load()


@pytest.fixture(scope="module")
def layer(shared):
    return open_files(shared("reanalysis/era_tz_850_500_1deg_20070101.nc")).load()


@pytest.mark.parametrize("levels", [LEVELS, [250, 500, 850], [100, 200, 300], [50, 500, 1000], [500, 850]])
def test_levels_in_order_have_no_findings(profile, levels):
    assert found(profile.sel(level=levels)) == []


@pytest.mark.parametrize("name", [T, U, V])
@pytest.mark.parametrize("by", [1, -1, 3])
def test_rolled_levels_are_found_and_rolled_back(profile, name, by):
    whole = profile[[name]]
    message = next(text for rule, _, text in found(rolled(whole, by)) if rule == "levels-rolled")
    back = int(message.split("ds.roll(level=")[1].split(")")[0])
    assert rolled(whole, by).roll(level=back).identical(whole)


@pytest.mark.parametrize("name", [T, U, V])
@pytest.mark.parametrize("levels", [LEVELS, None])
def test_levels_in_reverse_are_found(profile, name, levels):
    part = profile[[name]] if levels is None else profile[[name]].sel(level=levels)
    assert rules_found(turned(part)) & {"levels-reversed", "level-order"}


def test_a_layer_is_as_warm_as_it_is_thick(layer):
    assert found(layer) == []


@pytest.mark.parametrize("plant", [upside_down(T), mirrored(T), moved([T], longitude=10), moved([Z], longitude=180)])
def test_geopotential_and_temperature_that_lie_apart_are_found(layer, plant):
    assert rules_found(plant(layer)) == {"hydrostatic"}


def test_a_layer_that_is_too_thick_for_its_temperature_is_found(layer):
    ((_, subject, message),) = [one for one in found(layer.assign({T: layer[T] - 15})) if one[0] == "hydrostatic"]
    assert subject == "geopotential_500, temperature_500" and "K warmer by its thickness" in message


def test_wind_of_another_level_than_its_geopotential_is_found():
    upper, lower = balanced(seed=1), balanced(seed=2)
    both = xr.concat([upper.isel(level=[0]), lower.isel(level=[1])], "level")
    assert "levels-exchanged" not in rules_found(both)
    exchanged = both.assign({name: turned(both[[name]])[name] for name in (U, V)})
    assert "levels-exchanged" in rules_found(exchanged)


def test_levels_over_a_region_may_be_unlike(shared):
    name = "erainterim_u_37levels_1p5deg_20050123_old_cds_layout.nc"
    region = open_files(shared(f"reanalysis/{name}")).isel(latitude=slice(54, 93), longitude=slice(146, 185)).load()
    assert found(region) == []
