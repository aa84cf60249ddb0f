"""Where a field lies that has no pressure level: which variable it is there, and which it cannot be."""

import numpy as np
import xarray as xr

from weatherml.state import LEADING
from weatherml.variables import find

_AT_HEIGHT = {
    ("temperature", 2.0): "2m_temperature",
    ("u_component_of_wind", 10.0): "10m_u_component_of_wind",
    ("v_component_of_wind", 10.0): "10m_v_component_of_wind",
    ("u_component_of_wind", 100.0): "100m_u_component_of_wind",
    ("v_component_of_wind", 100.0): "100m_v_component_of_wind",
    ("2m_dewpoint_temperature", 2.0): "2m_dewpoint_temperature",
}
"""What a variable is called at a height above the ground in metres."""

_PRESSURE = ("isobaricInhPa", "isobaricInPa")
_VERTICAL = frozenset(
    "hybrid model_level model_level_number sigma height heightAboveGround heightAboveSea depth depthBelowLand"
    " depthBelowLandLayer potential_vorticity theta tropopause".split()
)
_VERTICAL_STANDARD_NAMES = ("height", "depth", "altitude", "model_level_number", "air_potential_temperature")


def height_of(field: xr.DataArray) -> float | str | None:
    """Return the height in metres of a field that has one, what else it lies on, or None on pressure or unknown levels.

    Args:
        field: Its coordinates have canonical names; other dimensions of one value are scalar coordinates by now.
    """
    kind, strange = str(field.attrs.get("GRIB_typeOfLevel", "")), strange_dims(field)
    if strange:
        return strange[0]
    if "level" in field.coords:
        return None
    if kind and kind not in (*_PRESSURE, "heightAboveGround"):
        return kind
    vertical = (c for name, c in field.coords.items() if not c.dims and _is_vertical(str(name), c))
    return next(map(_metres, vertical), None)


def at_height(variable: str, height: float | str | None) -> str | None:
    """Return what a variable of pressure levels is called at a height; None where the vocabulary has no such thing."""
    if height is None or find(variable).vertical != "pressure":
        return variable
    return _AT_HEIGHT.get((variable, height)) if isinstance(height, float) else None


def names_of(variable: str) -> set[str]:
    """Return what a variable may be called once it is known where it lies."""
    surface = {"geopotential_at_surface"} if variable == "geopotential" else set()
    return {variable, *surface, *(name for (own, _), name in _AT_HEIGHT.items() if own == variable)}


def strange_dims(field: xr.DataArray) -> list[str]:
    """Return the dimensions of a field that no canonical one has."""
    return sorted(str(d) for d in field.dims if d not in (*LEADING, "level", "latitude", "longitude"))


def _is_vertical(name: str, coordinate: xr.DataArray) -> bool:
    attrs = coordinate.attrs
    standard = str(attrs.get("standard_name", ""))
    is_told = attrs.get("axis") == "Z" or "positive" in attrs or standard in _VERTICAL_STANDARD_NAMES
    return name in _VERTICAL or is_told or standard.startswith(("atmosphere_hybrid", "atmosphere_sigma"))


def _metres(coordinate: xr.DataArray) -> float | str:
    name, units = str(coordinate.name), str(coordinate.attrs.get("units", "m"))
    is_height = "height" in name.lower() or coordinate.attrs.get("standard_name") == "height"
    return float(np.round(coordinate.item(), 3)) if is_height and units in ("m", "metre", "meter", "metres") else name
