"""The vapour that the wind carries through a column, as a vector."""

import numpy as np
import xarray as xr

from weatherml.column import speed, vapour_flux
from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.references import Reference

TRANSPORT = "integrated_vapor_transport"
EASTWARD, NORTHWARD = (f"vertical_integral_of_{way}ward_water_vapour_flux" for way in ("east", "north"))
ON_LEVELS = ("specific_humidity", "u_component_of_wind", "v_component_of_wind")


def transport(fields: xr.Dataset) -> xr.Dataset:
    """Return the transport of vapour and its components, kg m-1 s-1, as lazily as the fields are.

    Args:
        fields: Both components, as archives hold them; or humidity and wind on levels from 300 to 1000 hPa. Where there
            is a `surface_pressure`, only what lies above the ground counts.

    Raises:
        UserError: They have neither, or the levels do not suffice.
    """
    if not {EASTWARD, NORTHWARD} <= set(fields.data_vars):
        lacking = [name for name in ON_LEVELS if name not in fields.data_vars]
        if lacking:
            raise UserError(
                f"transport of vapour needs {' and '.join(lacking)}, and the fields have {listed(fields.data_vars)};"
                f" read {listed(ON_LEVELS)} on levels, or {EASTWARD} and {NORTHWARD}"
            )
        humidity, *wind = (fields[name] for name in ON_LEVELS)
        ground = fields.get("surface_pressure")
        parts = [vapour_flux(humidity, own, ground) for own in wind]
    else:
        parts = [fields[EASTWARD], fields[NORTHWARD]]
    named = zip((EASTWARD, NORTHWARD, TRANSPORT), (*parts, speed(*parts)), strict=True)
    units = {"units": "kg m-1 s-1"}
    return xr.Dataset({name: own.astype(np.float32).drop_attrs().assign_attrs(units) for name, own in named})


def transport_at(fields: xr.Dataset, time: np.datetime64) -> xr.Dataset:
    """Return the transport of one time, dims (latitude, longitude), in memory: that time alone is read."""
    return transport(fields.sel(time=time)).transpose("latitude", "longitude").compute()


def threshold_at(threshold: Reference | None, times: np.ndarray, percentile: float | None) -> xr.DataArray | None:
    """Return the climatological threshold, dims (time, latitude, longitude) or without time; None where none counts.

    Raises:
        UserError: The definition asks for one and there is none, or it is of something else.
    """
    if percentile is None:
        return None
    if threshold is None:
        raise UserError(
            f"rivers exceed the {percentile:g}th percentile of transport, and no threshold is given; pass that of a"
            " climatology, rivers.climatology(...), or a definition with percentile=None"
        )
    known = threshold.at(times)
    if TRANSPORT not in known:
        raise UserError(
            f"the threshold is of {listed(known.data_vars)}, not of {TRANSPORT}; take it from transport(...)"
        )
    return known[TRANSPORT]
