"""Times that are out of order are found by how much fields change, whatever else the fields do."""

import numpy as np
import pytest
from red_weather import red_weather, reordered

from weatherml.data.derived import DERIVATIONS
from weatherml.data.derived.derivation import Request
from weatherml.data.quality.gathering import gather
from weatherml.data.quality.rules.time import continuity
from weatherml.data.quality.rules.time.cadence import exchanged, time_step
from weatherml.data.reading.opening import open_files
from weatherml.grid import LatLonGrid

WEATHER = red_weather({"temperature": (500, 850), "10m_u_component_of_wind": (), "sea_surface_temperature": ()}, 120)
NAMES = tuple(map(str, WEATHER.data_vars))


def swapped(n, one, other, count=1):
    index = np.arange(n)
    index[one : one + count], index[other : other + count] = (
        index[other : other + count],
        index[one : one + count].copy(),
    )
    return index


def found(dataset, rule=exchanged):
    return [finding for finding in rule(gather(dataset)) if finding.severity != "note"]


def undecided(dataset):
    return [finding.subject for finding in exchanged(gather(dataset)) if finding.rule == "undecidable"]


def test_nothing_is_said_of_weather():
    assert found(WEATHER) == []


@pytest.mark.parametrize("name", NAMES)
def test_two_times_that_are_exchanged_are_named(name):
    (finding,) = found(reordered(WEATHER[[name]], swapped(120, 30, 90)))
    assert (finding.severity, finding.subject, finding.rule) == ("error", name, "exchanged")
    assert "2001-01-08T12 and 2001-01-23T12 look exchanged" in finding.message


@pytest.mark.parametrize("name", NAMES)
def test_blocks_that_are_exchanged_are_found_by_their_borders(name):
    (finding,) = found(reordered(WEATHER[[name]], swapped(120, 20, 70, 30)))
    assert "2001-01-06T00, 2001-01-13T12, 2001-01-18T12 and at 1 more" in finding.message


def test_neighbours_that_are_exchanged_are_named():
    smooth = red_weather({"mean_sea_level_pressure": ()}, 120, persistence=0.97)
    (finding,) = found(reordered(smooth, swapped(120, 60, 61)))
    assert "2001-01-16T00 and 2001-01-16T06 are exchanged" in finding.message


def test_days_that_are_exchanged_are_found_where_the_hours_hide_it():
    """From hour to hour sunlight changes by all of it, and from one day to the same hour of the next hardly."""
    name = "cosine_of_solar_zenith_angle"
    times = np.datetime64("2001-06-10", "ns") + np.arange(120) * np.timedelta64(6, "h")
    light = (
        DERIVATIONS[name][-1].derive(None, Request(times, LatLonGrid.regular(19, 36), "hourly")).to_dataset(name=name)
    )
    assert found(light) == []
    (finding,) = found(reordered(light.load(), swapped(120, 30, 90)))
    assert "2001-06-17T12 and 2001-07-02T12 look exchanged" in finding.message


def test_a_bump_of_several_times_is_weather():
    """Where a storm crosses a small region, changes rise and fall again over some times."""
    dataset = red_weather({"mean_sea_level_pressure": ()}, 120)
    values = dataset["mean_sea_level_pressure"].values
    pushes = np.exp(-(((np.arange(120) - 60) / 2.0) ** 2)).cumsum()
    values[:] += 4000 * pushes[:, None, None] * np.random.default_rng(1).standard_normal(values.shape[1:])
    assert found(dataset) == []


def test_times_that_are_missing_are_no_jump():
    assert found(WEATHER.isel(time=np.r_[0:50, 80:120])) == []


def test_a_field_that_was_lost_is_not_out_of_turn():
    lost = WEATHER.copy(deep=True)
    lost["10m_u_component_of_wind"].values[50:54] = 0
    assert found(lost) == []


def test_few_times_or_white_noise_have_no_order():
    few = WEATHER.isel(time=slice(0, 12))
    assert found(reordered(few, swapped(12, 3, 8))) == []
    assert undecided(few) == ["times exchanged"] and undecided(WEATHER) == []
    assert found(red_weather({"temperature": (500,)}, 120, persistence=0)) == []


REAL = {
    "era5_msl_2025-2026_djf_2.5x2.5.zarr": "mean_sea_level_pressure",
    "erainterim_t2m_dailymax_2p5deg_2015.nc": "2m_temperature",
    "erainterim_sst_daily_2p5deg_2015.nc": "sea_surface_temperature",
}


@pytest.mark.parametrize("name", REAL)
def test_real_times_are_in_order_until_they_are_exchanged(shared, name):
    dataset = open_files(shared(f"reanalysis/{name}")).load()
    assert found(dataset) == []
    (finding,) = found(reordered(dataset, swapped(dataset.sizes["time"], 40, 120)))
    assert finding.subject == REAL[name] and "look exchanged" in finding.message


@pytest.mark.parametrize("seed", range(3))
def test_a_day_of_much_rain_is_in_its_place(seed):
    """Every fifth day forgets the one before: the day is unlike both of its neighbours, as all days are."""
    rain = red_weather({"total_precipitation_24hr": ()}, times=200, step="120h", persistence=0.05, seed=seed)
    rain["total_precipitation_24hr"].values[90] *= 4
    assert [f for f in exchanged(gather(rain)) if f.severity != "note"] == []


def test_waves_that_die_away_are_no_exchanged_times():
    """As a model begins that starts from rest: its changes are large at every other time, a bit less each."""
    series = np.tile([0.01, -0.01], 15)
    swinging, exchanged = series.copy(), series.copy()
    swinging[1:11] = [0.18, -0.26, 0.18, -0.16, 0.12, -0.14, 0.14, -0.05, 0.07, -0.06]
    exchanged[[4, 6, 20, 22, 24]] = 0.3
    assert not continuity._swapped(swinging, False, 0.011).any()
    np.testing.assert_array_equal(np.flatnonzero(continuity._swapped(exchanged, False, 0.011)), [4, 20, 22])


def test_what_stray_values_hide_is_said_to_be_hidden_by_them():
    """There are fields enough: what an impossible value spoils is named, and what to do."""
    stray = WEATHER[["temperature"]].copy(deep=True)
    stray["temperature"].values[7, :, 3, 4] = 1e6
    (note,) = time_step(gather(stray))
    assert "beside the impossible values in temperature_500, temperature_850 the weather" in note.message


def beginning(step=6, n_times=120):
    """Waves that travel at 40 km/h and grow from next to nothing, as where a simulation begins, every `step` hours."""
    dataset = red_weather({"temperature": (500, 850)}, n_times)
    eastward = np.radians(dataset["longitude"].values) - (40 * step * np.arange(n_times) / 6371)[:, None]
    growth = np.exp((np.arange(n_times) - n_times) / (n_times / 8))[:, None, None, None]
    dataset["temperature"].values[:] = 260 + 10 * growth * np.cos(8 * eastward)[:, None, None, :]
    return dataset


@pytest.mark.parametrize("scale", [1, 0.02])
def test_where_a_simulation_begins_nothing_is_too_slow_or_out_of_turn(scale):
    """Most times hold hardly any of the weather of the last; or none of them holds weather, which is said."""
    dataset = 260 + scale * (beginning() - 260)
    small = reordered(dataset, swapped(120, 8, 9))
    assert found(dataset, time_step) == [] and found(small) == []
    notes = [finding.message for finding in time_step(gather(dataset))]
    assert any("hardly any weather in temperature_500, temperature_850" in note for note in notes) == (scale < 1)


def test_hourly_weather_that_is_taken_as_six_hourly_is_too_slow_even_where_it_grows():
    (finding,) = found(beginning(step=1), time_step)
    assert finding.rule == "time-step"
