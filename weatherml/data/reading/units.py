"""Units as files spell them, and what turns them into the vocabulary's."""

import re

import xarray as xr

from weatherml.errors import UserError
from weatherml.variables import find

STANDARD_GRAVITY = 9.80665
"""m s-2; geopotential = gravity times geopotential height (WMO)."""

_SYNONYMS = {
    "kelvin": "k", "degk": "k",
    "c": "degc", "°c": "degc", "celsius": "degc", "deg_c": "degc", "degree_celsius": "degc", "degrees_celsius": "degc",
    "mb": "hpa", "mbar": "hpa", "millibar": "hpa", "millibars": "hpa", "hectopascal": "hpa", "pascal": "pa",
    "metre": "m", "meter": "m", "metres": "m", "meters": "m", "gpm": "m", "gpdam": "dam", "millimetre": "mm",
    "kt": "knot", "kts": "knot", "knots": "knot",
    "(0 - 1)": "1", "(0-1)": "1", "0-1": "1", "fraction": "1", "dimensionless": "1", "~": "1", "numeric": "1",
    "percent": "%", "j kg-1": "m2 s-2", "n m-2": "pa",
}  # fmt: skip

_CONVERSIONS = {
    ("k", "degc"): (1.0, 273.15),
    ("pa", "hpa"): (100.0, 0.0),
    ("pa s-1", "hpa s-1"): (100.0, 0.0),
    ("m2 s-2", "m"): (STANDARD_GRAVITY, 0.0),
    ("m2 s-2", "dam"): (10 * STANDARD_GRAVITY, 0.0),
    ("kg kg-1", "g kg-1"): (1e-3, 0.0),
    ("kg kg-1", "1"): (1.0, 0.0),
    ("%", "1"): (100.0, 0.0),
    ("1", "%"): (0.01, 0.0),
    ("m s-1", "knot"): (1852 / 3600, 0.0),
    ("m s-1", "km h-1"): (1 / 3.6, 0.0),
    ("m", "mm"): (1e-3, 0.0),
    ("m", "kg m-2"): (1e-3, 0.0),
    ("kg m-2", "mm"): (1.0, 0.0),
}
"""(wanted, found): factor and offset of wanted = factor * found + offset."""


def convert(field: xr.DataArray, name: str, origin: str) -> xr.DataArray:
    """Convert a field from the units it states to those of the variable `name`, as float32.

    Args:
        field: Any shape; `units` among its attributes. Without them the values are taken as they are.
        name: Canonical variable name.
        origin: File, for the error message.

    Raises:
        UserError: The units stated are not ones of this quantity.
    """
    wanted, found = find(name).units, str(field.attrs.get("units", ""))
    if _is_same(wanted, found):
        return field.astype("float32")
    pair = (_plain(wanted), _plain(found))
    if pair not in _CONVERSIONS:
        raise UserError(f"{name} in {origin} has units {found!r}, which do not convert to {wanted!r}; correct the file")
    factor, offset = _CONVERSIONS[pair]
    # Packed files decode to float64; adding the offset there keeps 273.15 from being rounded twice.
    return (field.astype("float64") * factor + offset).astype("float32")


def is_pressure(units: object) -> bool:
    """Return whether units are those of pressure, as files spell them."""
    return _plain(str(units or "")) in ("pa", "hpa")


def in_hectopascals(units: str) -> float | None:
    """Return how many hPa one of these units is; None where they are not units of pressure."""
    return {"pa": 0.01, "hpa": 1.0}.get(_plain(units))


def _is_same(wanted: str, found: str) -> bool:
    """Return whether two spellings mean the same units; an empty or tabulated one is taken at its word."""
    plain = _plain(found)
    return plain in ("", "unknown", _plain(wanted)) or plain.startswith("(code table")


def _plain(units: str) -> str:
    """Return `m2 s-2` for `m**2 s**-2`, `m^2/s^2` and the like, in lower case."""
    text = units.strip().lower().replace("**", "").replace("^", "")
    text = re.sub(r"\s*/\s*([a-z]+)(\d*)", lambda match: f" {match[1]}-{match[2] or 1}", text)
    return _SYNONYMS.get(text, text).removeprefix("1 ")
