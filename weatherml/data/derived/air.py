"""Wind and humidity."""

from collections.abc import Callable

import numpy as np
import xarray as xr


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


def _at_pressure(
    function: Callable[..., np.ndarray], temperature: xr.DataArray, humidity: xr.DataArray
) -> xr.DataArray:
    pressure = (100 * temperature["level"]).astype(np.float32)
    result: xr.DataArray = xr.apply_ufunc(
        function, temperature, humidity, pressure, dask="parallelized", output_dtypes=[np.float32]
    )
    return result
