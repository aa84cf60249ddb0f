"""What no check can tell of fields, because nothing in them knows it."""

import numpy as np

from weatherml.grid import LatLonGrid

_EASTWARD = {"longitude shifted by 180 degrees", "longitude shifted by about 10 degrees", "mirrored east to west"}
_SHIFTED = {name for name in _EASTWARD if "shifted" in name}
_FLIPPED = "latitude flipped"
_KNOWS_THE_HOUR = {"2m_temperature", "cosine_of_solar_zenith_angle", "toa_incident_solar_radiation_6hr"}
"""What follows the sun so closely that half a day shows; tides of pressure come twice a day."""
_BALANCED = {"geopotential", "mean_sea_level_pressure", "u_component_of_wind", "v_component_of_wind"}
_BALANCED |= {f"10m_{name}" for name in _BALANCED if "wind" in name}
"""What belongs together by balance: one of them elsewhere is seen, all of them elsewhere are not."""
_ANYWHERE = "the same weather may be anywhere on this planet"


def cannot_tell(error, dataset, names, world="Earth"):
    """Return why a mistake cannot be told from what a dataset holds, or nothing.

    Args:
        error: A `PlantedError`.
        dataset: Good data.
        names: Variables in which the mistake is.
        world: "Earth"; "planet", of which no place is known; "made-up Earth", where temperature alone knows the land.
    """
    for reason in _REASONS:
        if told := reason(error, dataset, set(names), world):
            return told
    return ""


def _of_vorticity(error, dataset, names, world):
    if error.name in _EASTWARD and names == set(dataset.data_vars) <= {"vorticity"}:
        return "a vorticity knows no longitude"
    return ""


def _of_hours(error, dataset, names, world):
    sees_the_sun = world != "planet" and _is_subdaily(dataset) and _KNOWS_THE_HOUR & set(dataset.data_vars)
    return "nothing here knows the hour" if error.name == "times off by 12 h" and not sees_the_sun else ""


def _of_regions(error, dataset, names, world):
    is_global = LatLonGrid.from_dataset(dataset).is_global
    return "wind over a region may blow from anywhere for a day" if error.family == "wind" and not is_global else ""


def _of_long_steps(error, dataset, names, world):
    if error.name == "two times exchanged" and _step(dataset) > np.timedelta64(2, "D"):
        return "the weather of one time is forgotten at the next"
    return ""


def _of_few_times(error, dataset, names, world):
    if error.name == "version changes in the middle" and dataset.sizes["time"] < 40:
        return "weather differs from one week to the next as much as versions do"
    return ""


_ALOFT = {"geopotential", "temperature", "vorticity", "u_component_of_wind", "v_component_of_wind"}
_FEW_TIMES = 8


def _of_all_at_once(error, dataset, names, world):
    """Moved together, fields of the free atmosphere are in balance as before; what stands still needs many times."""
    is_short = dataset.sizes.get("time", 1) <= _FEW_TIMES
    if error.name in _SHIFTED and names == set(dataset.data_vars) <= _ALOFT and is_short:
        return "weather aloft may be at any longitude"
    return ""


def _of_dice(error, dataset, names, world):
    """Made-up rain has no memory of a day."""
    is_rain = all("precipitation" in name for name in names)
    if error.name == "two times exchanged" and world == "made-up Earth" and is_rain:
        return "made-up rain is as unlike an hour later as a month later"
    return ""


def _of_other_worlds(error, dataset, names, world):
    if world == "Earth" or error.family != "place" or (world == "made-up Earth" and "2m_temperature" in names):
        return ""
    if error.name == "rows off by one" and 90 not in np.abs(dataset["latitude"].values):
        return "no row of this grid is a pole"
    related = _BALANCED & set(dataset.data_vars)
    is_seen_by_others = names & related and related - names
    # Where all of them are turned about, they still balance, but for the sign of the Earth's rotation.
    is_seen_by_rotation = len(related & names) > 1 and error.name in (_FLIPPED, "mirrored east to west")
    if is_seen_by_others or is_seen_by_rotation or error.name == "rows off by one":
        return ""
    return "" if world == "made-up Earth" and error.name == _FLIPPED and _knows_the_pole(names) else _ANYWHERE


def _knows_the_pole(names):
    return "mean_sea_level_pressure" in names


_REASONS = (
    _of_vorticity,
    _of_hours,
    _of_regions,
    _of_long_steps,
    _of_few_times,
    _of_all_at_once,
    _of_dice,
    _of_other_worlds,
)


def _is_subdaily(dataset):
    return dataset.sizes.get("time", 0) > 1 and _step(dataset) <= np.timedelta64(12, "h")


def _step(dataset):
    return np.median(np.diff(dataset["time"].values))
