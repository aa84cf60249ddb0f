"""What the Climate Data Store holds of ERA5: which data set serves a variable, and under which name."""

from datetime import date

from weatherml.data.derived.derivations import DERIVATIONS, inputs_of
from weatherml.errors import UserError
from weatherml.registry import nearest
from weatherml.variables import LEVEL_SETS, VARIABLES, find

PRESSURE = "reanalysis-era5-pressure-levels"
SINGLE = "reanalysis-era5-single-levels"
FIRST_DAY = date(1940, 1, 1)
"""Of both data sets."""
RESOLUTION = 0.25
"""Of the grid on which the service keeps them, degrees."""

_NAMES = {
    "geopotential_at_surface": "geopotential",
    "maximum_2m_temperature": "maximum_2m_temperature_since_previous_post_processing",
    "minimum_2m_temperature": "minimum_2m_temperature_since_previous_post_processing",
}
"""The service's name of a variable, where it is not the vocabulary's, which follows ERA5."""
_GRIB_NAMES = {"geopotential_at_surface": "z"}
_SERVED = {
    "relative_humidity",
    "specific_humidity",
    "total_precipitation",
    "toa_incident_solar_radiation",
    "vertical_integral_of_eastward_water_vapour_flux",
    "vertical_integral_of_northward_water_vapour_flux",
}
"""What could be derived, too, but need not be."""


def dataset_of(variable: str, level: int | None = None) -> str:
    """Return the data set that serves a variable, by its canonical name, on a pressure level in hPa or None.

    Raises:
        UserError: None does, or not on this level.
    """
    if variable in DERIVATIONS and variable not in _SERVED:
        made_of = " and ".join(inputs_of([variable], ())) or "no other"
        raise UserError(
            f"the Climate Data Store has no {variable}, which is made of {made_of}: name that in source.channels, and"
            f" source.derive=[{variable}]"
        )
    if find(variable).vertical == "surface":
        return SINGLE
    if level not in LEVEL_SETS["era5"]:
        near = nearest(str(level), map(str, LEVEL_SETS["era5"]))
        raise UserError(f"{PRESSURE} has no {variable} on {level} hPa{near}")
    return PRESSURE


def service_name(variable: str) -> str:
    """Return what the service calls a variable, by its canonical name."""
    return _NAMES.get(variable, variable)


def grib_name(variable: str) -> str:
    """Return the GRIB shortName of a variable, by its canonical name."""
    return _GRIB_NAMES.get(variable, VARIABLES[variable].ecmwf_name)
