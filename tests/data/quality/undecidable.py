"""What no check can tell of fields, because nothing in them knows it."""

import numpy as np

from weatherml.grid import LatLonGrid

_LONGITUDE = {"longitude shifted by 180 degrees", "longitude shifted by about 10 degrees", "mirrored east to west"}
_ROTATES = {"vorticity"}
_KNOWS_THE_HOUR = {"2m_temperature", "cosine_of_solar_zenith_angle", "toa_incident_solar_radiation_6hr"}
"""What follows the sun so closely that half a day shows; tides of pressure come twice a day."""


def cannot_tell(error, dataset, names, is_earth=True):
    """Return why a mistake cannot be told from what a dataset holds, or nothing.

    Args:
        error: A `PlantedError`.
        dataset: Good data.
        names: Variables in which the mistake is.
        is_earth: Whether the climate is that of the Earth; nothing is known of where things lie on another planet.
    """
    if error.name in _LONGITUDE and set(names) == set(dataset.data_vars) <= _ROTATES:
        return "a vorticity knows no longitude"
    if error.name == "times off by 12 h" and not _sees_the_sun(dataset, is_earth):
        return "nothing here knows the hour"
    if error.family == "wind" and not LatLonGrid.from_dataset(dataset).is_global:
        return "a wind over a region for a day may blow from anywhere"
    if error.name == "two times exchanged" and _step(dataset) > np.timedelta64(2, "D"):
        return "the weather of one time is forgotten at the next"
    return "" if is_earth or error.family != "place" else _of_another_planet(error, dataset, names)


def _of_another_planet(error, dataset, names):
    """Return why a mistake of place does not show on a planet without known climate."""
    if len(names) == len(dataset.data_vars) and "shifted" in error.name:
        return "nothing is known of another planet's places"
    if len(dataset.data_vars) == 1 or "geopotential" not in dataset:
        return "nothing is known of another planet's places"
    return ""


def _sees_the_sun(dataset, is_earth):
    is_subdaily = dataset.sizes.get("time", 0) > 1 and _step(dataset) <= np.timedelta64(12, "h")
    return is_earth and is_subdaily and bool(_KNOWS_THE_HOUR & set(dataset.data_vars))


def _step(dataset):
    return np.median(np.diff(dataset["time"].values))
