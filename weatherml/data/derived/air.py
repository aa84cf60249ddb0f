"""Wind, humidity, and the vapour that the wind carries."""

from collections.abc import Callable

import numpy as np
import xarray as xr

from weatherml.data.derived.column import Layer

RIVERS = Layer(300, 1000)
"""Where atmospheric rivers lie; as GraphCast and WeatherBench 2 integrate."""


def speed(eastward: xr.DataArray, northward: xr.DataArray) -> xr.DataArray:
    """Return the length of a horizontal vector, in its units."""
    result: xr.DataArray = xr.apply_ufunc(np.hypot, eastward, northward, dask="allowed")
    return result


def relative_humidity(temperature: xr.DataArray, specific_humidity: xr.DataArray) -> xr.DataArray:
    """Return relative humidity in %, over water above 0.01 C, over ice below -23 C, of both between (IFS).

    Args:
        temperature: K, with `level` in hPa.
        specific_humidity: kg kg-1.
    """
    from earthkit.meteo.thermo.array import relative_humidity_from_specific_humidity

    return _at_pressure(relative_humidity_from_specific_humidity, temperature, specific_humidity)


def specific_humidity(temperature: xr.DataArray, relative: xr.DataArray) -> xr.DataArray:
    """Return specific humidity in kg kg-1 from temperature in K and relative humidity in %, as the IFS relates them."""
    from earthkit.meteo.thermo.array import specific_humidity_from_relative_humidity

    return _at_pressure(specific_humidity_from_relative_humidity, temperature, relative)


def vapour_flux(specific_humidity: xr.DataArray, wind: xr.DataArray) -> xr.DataArray:
    """Return the vapour that wind in m s-1 carries between 300 and 1000 hPa, kg m-1 s-1: trapezoids over the levels."""
    mass = xr.DataArray(RIVERS.mass(wind["level"].values.tolist()), {"level": wind["level"]}, "level")
    used = mass["level"].values[mass.values > 0]
    carried = specific_humidity.sel(level=used) * wind.sel(level=used)
    return (carried * mass.sel(level=used)).sum("level", skipna=False)


def vapour_transport(specific_humidity: xr.DataArray, eastward: xr.DataArray, northward: xr.DataArray) -> xr.DataArray:
    """Return the length of the vapour flux in kg m-1 s-1, from humidity in kg kg-1 and wind in m s-1 on levels."""
    return speed(vapour_flux(specific_humidity, eastward), vapour_flux(specific_humidity, northward))


def _at_pressure(
    function: Callable[..., np.ndarray], temperature: xr.DataArray, humidity: xr.DataArray
) -> xr.DataArray:
    pressure = (100 * temperature["level"]).astype(np.float32)
    result: xr.DataArray = xr.apply_ufunc(
        function, temperature, humidity, pressure, dask="parallelized", output_dtypes=[np.float32]
    )
    return result
