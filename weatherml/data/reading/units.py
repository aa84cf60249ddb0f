"""Units as files spell them, and what turns them into the vocabulary's."""

import re

import xarray as xr

from weatherml.column import GRAVITY
from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.variables import find

_SYNONYMS = {
    "kelvin": "k", "degk": "k",
    "c": "degc", "°c": "degc", "celsius": "degc", "deg_c": "degc", "degree_celsius": "degc", "degrees_celsius": "degc",
    "mb": "hpa", "mbar": "hpa", "millibar": "hpa", "millibars": "hpa", "hectopascal": "hpa", "pascal": "pa",
    "metre": "m", "meter": "m", "metres": "m", "meters": "m", "gpm": "m", "gpdam": "dam", "millimetre": "mm",
    "kt": "knot", "kts": "knot", "knots": "knot",
    "f": "degf", "°f": "degf", "fahrenheit": "degf", "deg_f": "degf", "degree_fahrenheit": "degf",
    "degrees_fahrenheit": "degf", "degrees fahrenheit": "degf", "degrees celsius": "degc",
    "in hg": "inhg", "in_hg": "inhg", "inches of mercury": "inhg", "mm hg": "mmhg", "mm_hg": "mmhg", "torr": "mmhg",
    "mi h-1": "mph", "miles h-1": "mph", "mile h-1": "mph", "kmh": "km h-1", "kph": "km h-1", "km hr-1": "km h-1",
    "inch": "in", "inches": "in", "foot": "ft", "feet": "ft", "kilopascal": "kpa", "centimetre": "cm",
    "(0 - 1)": "1", "(0-1)": "1", "0-1": "1", "fraction": "1", "dimensionless": "1", "~": "1", "numeric": "1",
    "percent": "%", "j kg-1": "m2 s-2", "n m-2": "pa",
}  # fmt: skip

_CONVERSIONS = {
    ("k", "degc"): (1.0, 273.15),
    ("k", "degf"): (5 / 9, 459.67 * 5 / 9),
    ("pa", "inhg"): (3386.389, 0.0),
    ("pa", "mmhg"): (133.3224, 0.0),
    ("pa", "kpa"): (1000.0, 0.0),
    ("m s-1", "mph"): (1609.344 / 3600, 0.0),
    ("m", "in"): (0.0254, 0.0),
    ("m", "cm"): (0.01, 0.0),
    ("m2 s-2", "ft"): (0.3048 * GRAVITY, 0.0),
    ("pa", "hpa"): (100.0, 0.0),
    ("pa s-1", "hpa s-1"): (100.0, 0.0),
    ("m2 s-2", "m"): (GRAVITY, 0.0),
    ("m2 s-2", "dam"): (10 * GRAVITY, 0.0),
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
_WRITTEN = {unit.lower(): unit for unit in ("degC", "degF", "hPa", "kPa", "inHg", "mmHg", "hPa s-1")}


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
    if is_same(wanted, found):
        return field.astype("float32")
    by = conversion(wanted, found)
    if by is None:
        known = listed([wanted, *(_WRITTEN.get(two, two) for one, two in _CONVERSIONS if one == _plain(wanted))])
        raise UserError(
            f"{name} in {origin} has units {found!r}, which do not convert to {wanted!r}; correct its attribute units"
            f" (known here: {known})"
        )
    factor, offset = by
    # Packed files decode to float64; adding the offset there keeps 273.15 from being rounded twice.
    return (field.astype("float64") * factor + offset).astype("float32")


_NO_NUMBERS = {
    "c": "complex numbers, of which half would be lost; keep the part that is meant, such as ds[{name!r}].real",
    **dict.fromkeys("SUO", "text; write it as numbers, such as ds[{name!r}].astype('float32')"),
    **dict.fromkeys("mM", "times; write them as numbers, such as ds[{name!r}] / np.timedelta64(1, 's')"),
}


def no_numbers(field: xr.DataArray, name: str) -> str:
    """Return what a field of some name holds that are no real numbers, and the remedy; empty where it holds those."""
    return _NO_NUMBERS.get(field.dtype.kind, "").format(name=name)


def conversion(wanted: str, found: str) -> tuple[float, float] | None:
    """Return factor and offset of wanted = factor * found + offset; None where units are not of one quantity."""
    return _CONVERSIONS.get((_plain(wanted), _plain(found)))


def is_pressure(units: object) -> bool:
    """Return whether units are those of pressure, as files spell them."""
    return _plain(str(units or "")) in ("pa", "hpa")


def in_hectopascals(units: str) -> float | None:
    """Return how many hPa one of these units is; None where they are not units of pressure."""
    return {"pa": 0.01, "hpa": 1.0}.get(_plain(units))


def is_same(wanted: str, found: str) -> bool:
    """Return whether two spellings mean the same units; an empty or tabulated one is taken at its word."""
    plain = _plain(found)
    return plain in ("", "unknown", _plain(wanted)) or plain.startswith("(code table")


def _plain(units: str) -> str:
    """Return `m2 s-2` for `m**2 s**-2`, `m^2/s^2` and the like, in lower case."""
    text = units.strip().lower().replace("**", "").replace("^", "")
    text = re.sub(r"\s*/\s*([a-z]+)(\d*)", lambda match: f" {match[1]}-{match[2] or 1}", text)
    return _SYNONYMS.get(text, text).removeprefix("1 ")
