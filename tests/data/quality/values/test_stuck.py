"""Fields that were lost or copied are found by their values, and those that may stay or be zero are left alone."""

import numpy as np
import pytest
from red_weather import red_weather, reordered

from weatherml.data.quality.gathering import gather
from weatherml.data.quality.rules.values import stuck
from weatherml.data.quality.rules.values.unchanging import unchanging
from weatherml.grid import LatLonGrid

WIND, SST, RAIN = "10m_u_component_of_wind", "sea_surface_temperature", "total_precipitation_6hr"
RULES = (stuck.constant, stuck.lost, stuck.frozen, stuck.repeated)
GERMANY = LatLonGrid(tuple(55 - 0.5 * np.arange(15)), tuple(6 + 0.5 * np.arange(18)))


def found(dataset):
    evidence = gather(dataset)
    return [finding for rule in RULES for finding in rule(evidence)]


def rules(dataset):
    return {finding.rule for finding in found(dataset)}


def places(n, to, source, count):
    index = np.arange(n)
    index[to : to + count] = np.arange(source, source + count)
    return index


def frozen_from(n, start, count):
    index = np.arange(n)
    index[start : start + count] = start
    return index


WEATHER = red_weather({"temperature": (500, 850), WIND: (), SST: (), RAIN: ()})
DAYS = red_weather({"2m_temperature": (), SST: ()}, times=40, step="24h")


def test_nothing_is_said_of_weather():
    assert found(WEATHER) == [] and found(DAYS) == []


@pytest.mark.parametrize("name", ["temperature", WIND, SST])
@pytest.mark.parametrize(
    ("index", "rule"),
    [(frozen_from(80, 30, 12), "frozen"), (places(80, 40, 32, 8), "repeated"), (places(80, 40, 10, 6), "repeated")],
    ids=["three days frozen", "eight copied to the next", "six copied from elsewhere"],
)
def test_copies_of_times_are_errors(name, index, rule):
    wrong = reordered(WEATHER[[name]], index)
    (finding,) = found(wrong)
    assert (finding.severity, finding.rule, finding.subject) == ("error", rule, name)


def test_a_single_repeat_is_found_where_fields_change_from_time_to_time():
    wrong = reordered(WEATHER[[WIND, SST]], frozen_from(80, 30, 2))
    (finding,) = found(wrong)
    assert finding.subject == WIND
    assert "2001-01-08T12 to 2001-01-08T18" in finding.message


def test_one_day_of_sea_surface_temperature_that_stays_is_a_warning():
    (finding,) = found(reordered(DAYS[[SST]], frozen_from(40, 20, 2)))
    assert (finding.severity, finding.rule) == ("warning", "frozen")


def test_sea_surface_temperature_may_stay_for_a_day():
    index = np.arange(80) // 4 * 4
    assert found(reordered(WEATHER[[SST]], index)) == []


def test_fields_that_hardly_change_are_frozen():
    wind = WEATHER[[WIND]].copy(deep=True)
    noise = np.random.default_rng(1).normal(0, 1e-3, wind[WIND].values[31:36].shape)
    wind[WIND].values[31:36] = wind[WIND].values[30] + noise
    (finding,) = found(wind)
    assert finding.rule == "frozen" and "from 2001-01-08T12 to 2001-01-09T18" in finding.message


@pytest.mark.parametrize("name", ["temperature", WIND, SST, RAIN])
def test_times_of_nothing_but_zero_are_errors(name):
    wrong = WEATHER[[name]].copy(deep=True)
    wrong[name].values[20:24] = 0
    (finding,) = found(wrong)
    assert (finding.severity, finding.rule) == ("error", "constant")
    assert "at 4 of 80 times, the first 2001-01-06T00, the last 2001-01-06T18" in finding.message


def test_a_level_of_one_value_is_named():
    wrong = WEATHER[["temperature"]].copy(deep=True)
    wrong["temperature"].values[:, 1] = 250
    (finding,) = found(wrong)
    assert finding.subject == "temperature_850" and "is 250 everywhere at all 80 times" in finding.message


@pytest.mark.parametrize("name", [WIND, SST])
def test_a_part_that_is_zero_at_some_times_is_an_error(name):
    wrong = WEATHER[[name]].copy(deep=True)
    wrong[name].values[20:24, :5, :6] = 0
    (finding,) = found(wrong)
    assert finding.rule == "lost" and "in 4% of the cells at 4 of 80 times" in finding.message


def test_a_part_that_is_always_zero_is_an_error():
    wrong = WEATHER[[WIND]].copy(deep=True)
    wrong[WIND].values[:, :8] = 0
    assert rules(wrong) == {"lost"}


@pytest.mark.parametrize("name", ["temperature", WIND])
@pytest.mark.parametrize("value", [0, 250, "first"])
def test_a_tile_that_is_lost_at_all_times_is_an_error(name, value):
    """Whatever it reads as: no share of zeros stands out where none is without them."""
    wrong = WEATHER[[name]].copy(deep=True)
    tile = wrong[name].values[..., 3:6, 20:24]
    tile[:] = tile[:1] if value == "first" else value
    (finding,) = unchanging(gather(wrong))
    assert (finding.severity, finding.subject) == ("error", name)
    assert f"latitude {wrong['latitude'].values[3]:g}, longitude {wrong['longitude'].values[20]:g}" in finding.message


@pytest.mark.parametrize("name", [RAIN, SST])
def test_what_may_stay_as_it_is_may_do_so_at_all_times(name):
    """Deserts and ice: a part of the rain is always 0, of the sea at its freezing point."""
    still = WEATHER[[name]].copy(deep=True)
    still[name].values[:, 3:9, 10:20] = 0 if name == RAIN else 271.46
    assert list(unchanging(gather(still))) == []


def test_few_times_single_cells_and_values_that_come_late_are_no_lost_tile():
    still = WEATHER[[WIND]].copy(deep=True)
    still[WIND].values[:, 3, 4:30] = 0
    still[WIND].values[:-10, 8:12, 4:9] = np.nan
    assert list(unchanging(gather(still))) == []
    still[WIND].values[:, 3:6, 4:9] = 0
    assert list(unchanging(gather(still.isel(time=slice(0, 10))))) == []


def test_a_region_may_be_dry_for_days():
    region = red_weather({RAIN: ()}, grid=GERMANY)
    region[RAIN].values[10:30] = 0
    region[RAIN].values[40:44] = 0
    region[RAIN].values[40:44, 3, 4] = 1e-4
    assert found(region) == []


def test_wind_of_few_digits_is_zero_in_many_cells():
    coarse = red_weather({WIND: ()}, grid=GERMANY)
    coarse[WIND].values[:] = (coarse[WIND].values / 10).round(1)
    assert found(coarse) == []


def test_a_single_time_of_one_value_is_an_error():
    assert rules(0 * WEATHER[[WIND]].isel(time=[0])) == {"constant"}


def test_land_that_is_nowhere_is_a_warning():
    land = WEATHER[[WIND]].isel(time=0, drop=True).rename({WIND: "land_sea_mask"})
    assert rules(land) == set() and rules(0 * land) == {"constant"}


def test_one_coarse_cell_may_change_hardly():
    """Of a few cells within 2.5 degrees the change of one mean is kept: it is small now and then."""
    grid = LatLonGrid(tuple(50 - 0.25 * np.arange(5)), tuple(10 + 0.25 * np.arange(5)))
    wind = red_weather({WIND: ()}, times=60, grid=grid)
    wind[WIND].values[30] += wind[WIND].values[29].mean() - wind[WIND].values[30].mean()
    assert found(wind) == []


def test_a_part_in_other_units_is_not_frozen():
    late = WEATHER[["temperature"]]
    scaled = late.assign(temperature=late["temperature"] * np.where(np.arange(80) < 50, 1, 0.01)[:, None, None, None])
    assert found(scaled) == []
    (finding,) = found(reordered(scaled, frozen_from(80, 60, 6)))
    assert finding.rule == "frozen"


@pytest.mark.parametrize("latitude", [(90.0,), (-90.0,)])
def test_the_row_of_a_pole_alone_is_one_point(latitude):
    """Its columns have one value, which may be zero, or that of another time."""
    pole = red_weather({"2m_temperature": (), WIND: ()}, grid=LatLonGrid(latitude, tuple(10.0 * np.arange(36))))
    pole = pole.map(
        lambda field: field.isel(longitude=0, drop=True).broadcast_like(field).transpose(*field.dims).copy()
    )
    pole[WIND].values[5] = 0
    assert found(reordered(pole, frozen_from(80, 30, 2))) == []
    elsewhere = pole.assign_coords(latitude=[80.0])
    assert rules(elsewhere) == {"constant"}
