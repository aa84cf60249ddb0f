"""Energy of rising air against an integration in small steps written out for one column, and shear by hand."""

import numpy as np
import pytest
import xarray as xr
from earthkit.meteo.thermo.array import virtual_temperature

from weatherml.errors import UserError
from weatherml.extremes.hazards.convection import Definition, bulk_shear, convection, craven_brooks
from weatherml.extremes.hazards.convection.energy import cape_and_cin
from weatherml.extremes.hazards.convection.indices import CAPE, CIN
from weatherml.extremes.hazards.convection.parcels import lift, start_of
from weatherml.extremes.hazards.convection.profiles import ON_LEVELS, Profiles
from weatherml.extremes.hazards.registry import find

FINE = np.arange(100, 1001, 5)
GRAVITY = 9.80665
GAS, HEAT, LATENT, RATIO, KAPPA = 287.0597, 1004.79, 2500800.0, 0.621981, 0.285691


def saturation(temperature, pressure):
    vapour = 611.21 * np.exp(17.502 * (temperature - 273.16) / (temperature - 32.19))
    return RATIO * vapour / (pressure - (1 - RATIO) * vapour)


def columns(levels, warmth=300.0, moisture=0.7, n_lon=2):
    """A moist layer below 850 hPa with a lid, and a lapse rate of 7.5 K km-1 above to 200 hPa."""
    pressure = 100.0 * np.asarray(levels)
    height = 8000 * np.log(1e5 / pressure)
    temperature = warmth - 0.0075 * height + 1.5 * (pressure < 85000)
    temperature = np.maximum(temperature, 205.0)
    humidity = np.where(pressure >= 85000, moisture, 0.35) * saturation(temperature, pressure)
    wind = np.linspace(30, 3, len(pressure))
    fields = {
        "temperature": temperature,
        "specific_humidity": humidity,
        "geopotential": GRAVITY * height,
        "u_component_of_wind": wind,
        "v_component_of_wind": -0.5 * wind,
    }
    coords = {"level": np.asarray(levels, np.int32), "latitude": [40.0], "longitude": 10.0 * np.arange(n_lon)}
    shape = (len(pressure), 1, n_lon)
    wide = {name: np.broadcast_to(own[:, None, None], shape).astype(np.float32) for name, own in fields.items()}
    return xr.Dataset({name: (tuple(coords), own) for name, own in wide.items()}, coords)


def by_hand(temperature, humidity, start=None, n_steps=40_000):
    """Cape, cin of the air at the ground (or `start`: its temperature and humidity), in steps of a few Pa."""
    log = np.linspace(np.log(1e5), np.log(1e4), n_steps)
    pressure = np.exp(log)
    around, vapour = (np.interp(log, np.log(100.0 * FINE), own) for own in (temperature, humidity))
    own, moisture = (around[0], vapour[0]) if start is None else start
    parcel, energy, before, best, free = own, 0.0, 0.0, 0.0, False
    for i in range(n_steps - 1):
        is_moist = saturation(parcel, pressure[i]) <= moisture
        held = min(saturation(parcel, pressure[i]), moisture)
        excess = parcel * (1 + 0.607766 * held) - around[i] * (1 + 0.607766 * vapour[i])
        area = GAS * excess * (log[i] - log[i + 1])
        free = free or (is_moist and excess > 0)
        energy, before = energy + area * free, before + area * (not free)
        best = energy if free and excess > 0 else best
        ratio = held / (1 - held)
        moist = (GAS * parcel + LATENT * ratio) / (HEAT + LATENT**2 * ratio * RATIO / (GAS * parcel**2))
        parcel += (moist if is_moist else KAPPA * parcel) * (log[i + 1] - log[i])
    return best, min(before, 0.0)


@pytest.fixture(scope="module")
def fine():
    return columns(FINE)


@pytest.fixture(scope="module")
def expected(fine):
    own = [fine[name].values[:, 0, 0].astype(float) for name in ("temperature", "specific_humidity")]
    return by_hand(*own)


@pytest.mark.parametrize("parcel", ["surface", "mixed_layer"])
@pytest.mark.parametrize("warmth", [295.0, 300.0, 306.0])
def test_levels_far_apart_bend_no_parcel(parcel, warmth):
    """Twelve levels against the same surroundings, straight between these, at 5 hPa: the parcel alone is bent."""
    coarse = columns([100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000], warmth)
    own = Definition(parcel=parcel)
    profiles = Profiles.of(coarse["level"].values, [coarse[name].values[:, 0].T for name in ON_LEVELS[:2]], [])
    start, (_, warm) = start_of(profiles, own), profiles.finely()
    log = np.log(profiles.pressure[:, 0])
    fine = np.linspace(log[0], log[-1], 2000)[:, None].repeat(2, axis=1)
    around = virtual_temperature(profiles.temperature, profiles.humidity)
    straight = np.interp(-fine[:, 0], -log, around[:, 0])[:, None].repeat(2, axis=1)
    expected = cape_and_cin(np.exp(fine), straight, start, lift(start, np.exp(fine)))
    found = convection(coarse, own)
    assert expected[0][0] > 100 and len(warm) < 30
    np.testing.assert_allclose(found[CAPE][0], expected[0], atol=6)
    np.testing.assert_allclose(found["convective_inhibition"][0], expected[1], atol=2)


def test_energy_of_air_at_the_ground_is_that_of_small_steps(fine, expected):
    found = convection(fine, Definition(parcel="surface"))
    assert found["convective_available_potential_energy"].dtype == np.float32
    assert expected[0] > 800 and expected[1] < -5
    np.testing.assert_allclose(found["convective_available_potential_energy"], expected[0], rtol=0.005)
    np.testing.assert_allclose(found["convective_inhibition"], expected[1], rtol=0.02, atol=0.5)


def test_mixed_air_is_the_mean_of_its_layer(fine):
    pressure = 100.0 * FINE
    low = pressure >= 90000
    temperature, humidity = (fine[name].values[:, 0, 0].astype(float) for name in ("temperature", "specific_humidity"))
    ratio = humidity / (1 - humidity)
    potential, ratio = (
        np.trapezoid(own[low], pressure[low]) / 1e4 for own in (temperature * (1e5 / pressure) ** KAPPA, ratio)
    )
    expected = by_hand(temperature, humidity, (potential, ratio / (1 + ratio)))
    found = convection(fine)
    np.testing.assert_allclose(found["convective_available_potential_energy"], expected[0], rtol=0.005)
    np.testing.assert_allclose(found["convective_inhibition"], expected[1], rtol=0.02, atol=0.5)


def test_the_most_unstable_air_has_the_most_energy_even_above_cold_ground(fine):
    chilled = fine.copy(deep=True)
    chilled["temperature"][-8:] -= 12.0
    chilled["specific_humidity"][-8:] *= 0.3
    kinds = {own: convection(chilled, Definition(parcel=own)) for own in ("surface", "mixed_layer", "most_unstable")}
    energy = {name: own["convective_available_potential_energy"][0, 0].item() for name, own in kinds.items()}
    assert energy["surface"] == 0 and np.isnan(kinds["surface"]["convective_inhibition"]).all()
    assert energy["most_unstable"] > 300 > energy["mixed_layer"]
    top = fine.isel(level=slice(0, -8))
    alone = convection(top, Definition(parcel="surface"))["convective_available_potential_energy"]
    assert energy["most_unstable"] == pytest.approx(alone[0, 0].item(), rel=1e-4)


def test_levels_below_the_ground_are_the_ground(fine):
    """The ground at 930 hPa: whatever the levels below it hold changes nothing."""
    at = fine.sel(level=930, drop=True)
    vapour = at["specific_humidity"] * 93000 / (RATIO + (1 - RATIO) * at["specific_humidity"])
    log = np.log(vapour / 611.21)
    ground = {
        "surface_pressure": xr.full_like(at["temperature"], 93000.0),
        "2m_temperature": at["temperature"],
        "2m_dewpoint_temperature": (17.502 * 273.16 - 32.19 * log) / (17.502 - log),
    }
    high = fine.assign(ground)
    other = high.copy(deep=True)
    other["temperature"][-10:] += 30.0
    definition = Definition(parcel="surface")
    found, same = convection(high, definition), convection(other, definition)
    above = convection(fine.sel(level=slice(None, 930)), definition)
    for name in found:
        np.testing.assert_allclose(found[name], above[name], rtol=2e-3)
        np.testing.assert_array_equal(found[name], same[name])


def test_shear_is_the_change_of_wind_to_six_kilometres(fine):
    height = fine["geopotential"].values[:, 0, 0] / GRAVITY
    up = np.interp(6000, height[::-1], fine["u_component_of_wind"].values[::-1, 0, 0])
    expected = np.hypot(1, 0.5) * (up - 3)
    np.testing.assert_allclose(bulk_shear(fine), expected, rtol=1e-5)
    still = {f"10m_{part}_component_of_wind": 0 * fine["temperature"][-1] for part in "uv"}
    ground = fine.assign(surface_pressure=0 * fine["temperature"][-1] + 95000.0, **still)
    up = np.interp(6000 + 8000 * np.log(100 / 95), height[::-1], fine["u_component_of_wind"].values[::-1, 0, 0])
    np.testing.assert_allclose(bulk_shear(ground), np.hypot(1, 0.5) * up, rtol=1e-3)


def test_the_product_of_energy_and_shear_says_where_storms_are_severe(fine):
    product = craven_brooks(fine)
    energy = convection(fine)["convective_available_potential_energy"]
    np.testing.assert_allclose(product, energy * bulk_shear(fine))
    hazard = find("severe_convection")
    assert hazard.event(fine, hazard.define({"severe": 1000}), None).all()
    assert not hazard.event(fine, hazard.define({"severe": 1e6}), None).any()


def test_fields_of_any_dims_are_taken_lazily(fine):
    several = xr.concat([columns(FINE, warmth) for warmth in (300, 290)], "number").expand_dims(time=3)
    lazy = convection(several.chunk(number=1, level=20))["convective_available_potential_energy"]
    assert lazy.chunks is not None and lazy.dims == ("time", "number", "latitude", "longitude")
    one = convection(columns(FINE, 290))["convective_available_potential_energy"]
    np.testing.assert_allclose(lazy[1, 1].compute(), one, rtol=1e-5)
    assert (lazy.sel(number=1) < lazy.sel(number=0)).all()


def test_of_few_levels_energy_is_nearly_that_of_many(fine):
    few = columns([100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000])
    many, found = (convection(own)["convective_available_potential_energy"][0, 0].item() for own in (fine, few))
    assert found == pytest.approx(many, rel=0.1)


def test_what_lacks_is_named(fine):
    with pytest.raises(UserError, match="convection needs specific_humidity on levels"):
        convection(fine.drop_vars("specific_humidity"))
    with pytest.raises(UserError, match=r"the fields have no 2m_temperature, 2m_dewpoint_temperature; read these"):
        convection(fine.assign(surface_pressure=0 * fine["temperature"][0] + 1e5))
    with pytest.raises(UserError, match=r"the levels end at .* below 6000 m above the ground"):
        bulk_shear(fine.sel(level=slice(600, None)))
    with pytest.raises(UserError, match="mixed_depth must be above zero, got 0"):
        Definition(mixed_depth=0)


@pytest.fixture(scope="module")
def coarse():
    return columns([100, 200, 300, 500, 700, 850, 925, 1000])


def test_levels_may_fall(coarse):
    falling = coarse.isel(level=slice(None, None, -1))
    xr.testing.assert_identical(convection(falling), convection(coarse))
    xr.testing.assert_identical(bulk_shear(falling), bulk_shear(coarse))


def test_energy_is_missing_where_the_ground_is_and_not_where_levels_below_it_are(coarse):
    ground = {"surface_pressure": 9.2e4, "2m_temperature": 298.0, "2m_dewpoint_temperature": 294.0}
    at = coarse.isel(level=0, drop=True)["temperature"]
    given = coarse.assign({name: xr.full_like(at, own) for name, own in ground.items()})
    expected = convection(given)
    assert (expected[CAPE] > 100).all()
    lacking = given.assign({name: given[name].where(given["level"] < 921) for name in ON_LEVELS})
    xr.testing.assert_identical(convection(lacking), expected)
    for name in ground:
        lacking = given.assign({name: given[name].where(given["longitude"] > 0)})
        assert convection(lacking)[CAPE].isnull().values.tolist() == [[True, False]]
    with pytest.raises(UserError, match=r"surface_pressure is in Pa, .* 920 .. 920; it looks like hPa"):
        convection(given.assign(surface_pressure=given["surface_pressure"] / 100))


def at_ground(fields, pressure):
    own = xr.full_like(fields["temperature"].isel(level=0, drop=True), 302.0)
    ground = {"2m_temperature": own, "2m_dewpoint_temperature": own - 6}
    return fields.assign(ground | {"surface_pressure": own.copy(data=np.array([pressure], np.float32))})


def test_the_energy_of_a_place_hangs_on_none_beside_it():
    fields = at_ground(columns([100, 200, 300, 500, 700, 850, 1000], n_lon=3), [7.6e4, 1.01e5, 9e4])
    together = convection(fields)
    assert together[CIN].notnull().any()
    for place in range(3):
        xr.testing.assert_identical(convection(fields.isel(longitude=[place])), together.isel(longitude=[place]))


def test_an_infinite_pressure_at_the_ground_loses_its_place_alone():
    fields = at_ground(columns([100, 200, 300, 500, 700, 850, 1000], n_lon=3), [1e5, np.inf, 9e4])
    assert convection(fields)[CAPE].isnull().values.tolist() == [[False, True, False]]


def test_it_is_not_known_whether_air_that_is_missing_is_severe(fine):
    fields = fine.copy(deep=True)
    fields["temperature"][:, :, 0] = np.nan
    found = find("severe_convection").make(fields, Definition(severe=0)).event
    assert found.isnull().values.ravel().tolist() == [True, *[False] * (found.size - 1)]
    assert (found.values.ravel()[1:] == 1).all()
