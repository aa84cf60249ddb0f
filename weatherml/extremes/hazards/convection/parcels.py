"""Parcels of air that rise: where they start, and how warm they are at each level."""

from dataclasses import dataclass

import numpy as np

from weatherml.extremes.hazards.convection.definition import Definition
from weatherml.extremes.hazards.convection.profiles import Profiles


@dataclass(frozen=True, eq=False)
class Start:
    """Air before it rises, each `[point]`.

    Attributes:
        pressure: Pa.
        temperature: K.
        humidity: Specific, kg kg-1.
    """

    pressure: np.ndarray
    temperature: np.ndarray
    humidity: np.ndarray


def start_of(profiles: Profiles, definition: Definition) -> Start:
    """Return the air that the definition has rise."""
    if definition.parcel == "surface":
        return Start(profiles.pressure[0], profiles.temperature[0], profiles.humidity[0])
    if definition.parcel == "mixed_layer":
        return _mixed(profiles, np.float32(100 * definition.mixed_depth))
    return _most_unstable(profiles, np.float32(100 * definition.search_depth))


@dataclass(frozen=True, eq=False)
class Ascent:
    """A parcel that rises dry to where it condenses, and then moist, what condenses falling out (pseudoadiabatic).

    Attributes:
        condensation_pressure: Lifting condensation level, Pa `[point]`.
        condensation_warmth: Virtual temperature of the parcel there, K `[point]`.
        warmth: Virtual temperature of the parcel at each level, K `[level, point]`; at levels below its start as if it
            came from there.
    """

    condensation_pressure: np.ndarray
    condensation_warmth: np.ndarray
    warmth: np.ndarray


def lift(start: Start, pressure: np.ndarray) -> Ascent:
    """Lift parcels through levels of falling pressure in Pa, `[level, point]`.

    Condensation after Bolton (1980, doi:10.1175/1520-0493(1980)108<1046:TCOEPT>2.0.CO;2). Moist, the equation of the
    pseudoadiabat (American Meteorological Society, Glossary) with saturation over water, in one Runge-Kutta step of
    fourth order from level to level.
    """
    from earthkit.meteo.constants import kappa
    from earthkit.meteo.thermo.array import dewpoint_from_specific_humidity, lcl, virtual_temperature

    dewpoint = dewpoint_from_specific_humidity(start.humidity, start.pressure)
    temperature, level = lcl(start.temperature, np.minimum(dewpoint, start.temperature), start.pressure, "bolton")
    level = np.minimum(level, start.pressure)
    dry = virtual_temperature(start.temperature * (pressure / start.pressure) ** np.float32(kappa), start.humidity)
    warmth = np.empty_like(pressure, np.float32)
    moist, height = temperature.astype(np.float32), np.log(level)
    for number, own in enumerate(pressure):
        is_moist = own < level
        step = np.where(is_moist, np.log(own) - height, 0)
        moist, height = _step(moist, height, step), height + step
        saturated = virtual_temperature(moist, saturation_humidity(moist, own))
        warmth[number] = np.where(is_moist, saturated, dry[number])
    return Ascent(level, virtual_temperature(temperature, start.humidity), warmth)


def saturation_humidity(temperature: np.ndarray, pressure: np.ndarray) -> np.ndarray:
    """Return specific humidity of air that is saturated over water, from K and Pa."""
    from earthkit.meteo.thermo.array import saturation_vapour_pressure, specific_humidity_from_vapour_pressure

    vapour = np.minimum(saturation_vapour_pressure(temperature, phase="water"), pressure / 2)
    saturated: np.ndarray = specific_humidity_from_vapour_pressure(vapour, pressure)
    return saturated


def _step(temperature: np.ndarray, height: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Carry temperature along the pseudoadiabat over a step in the logarithm of pressure."""
    first = _slope(temperature, height)
    second = _slope(temperature + step / 2 * first, height + step / 2)
    third = _slope(temperature + step / 2 * second, height + step / 2)
    fourth = _slope(temperature + step * third, height + step)
    return np.asarray(temperature + step / 6 * (first + 2 * (second + third) + fourth), np.float32)


def _slope(temperature: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Return the change of temperature with the logarithm of pressure, K."""
    from earthkit.meteo.constants import Lv, Rd, c_pd, epsilon

    humidity = saturation_humidity(temperature, np.exp(height))
    mixing = humidity / (1 - humidity)
    carried = np.float32(Lv) * mixing
    heat = np.float32(c_pd) + np.float32(Lv * epsilon / Rd) * carried / temperature**2
    return np.asarray((np.float32(Rd) * temperature + carried) / heat)


def _mixed(profiles: Profiles, depth: np.float32) -> Start:
    """Return the mean potential temperature and mixing ratio of the lowest layer, at the ground."""
    from earthkit.meteo.constants import kappa

    ground = profiles.pressure[0]
    exner = (profiles.pressure / ground) ** np.float32(kappa)
    mixing = profiles.humidity / (1 - profiles.humidity)
    warmth, mixing = (
        _layer_mean(own, profiles.pressure, ground - depth) for own in (profiles.temperature / exner, mixing)
    )
    return Start(ground, warmth, mixing / (1 + mixing))


def _layer_mean(values: np.ndarray, pressure: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Return the mean over pressure from the lowest level up to a pressure, linear between levels, `[point]`."""
    total, depth = np.zeros_like(top), pressure[0] - top
    for below in range(len(pressure) - 1):
        gap = pressure[below] - pressure[below + 1]
        share = np.clip((pressure[below] - top) / np.where(gap > 0, gap, 1), 0, 1)
        at_end = values[below] + share * (values[below + 1] - values[below])
        total += share * gap * (values[below] + at_end) / 2
    mean: np.ndarray = total / depth
    return mean


def _most_unstable(profiles: Profiles, depth: np.float32) -> Start:
    from earthkit.meteo.thermo.array import ept_from_specific_humidity

    warmth = ept_from_specific_humidity(profiles.temperature, profiles.humidity, profiles.pressure, method="bolton39")
    low = profiles.pressure >= profiles.pressure[0] - depth
    best = np.where(low, warmth, -np.inf).argmax(axis=0)[None]
    columns = (profiles.pressure, profiles.temperature, profiles.humidity)
    return Start(*(np.take_along_axis(own, best, 0)[0] for own in columns))
