"""Units, and stand-ins for what is missing, that explain values which no such quantity has."""

import numpy as np

from weatherml.variables import Variable

_SLIPS = {
    "K": ((5 / 9, 459.67 * 5 / 9, "degrees Fahrenheit"), (1.0, 273.15, "degrees Celsius")),
    "Pa": ((3386.389, 0.0, "inches of mercury"), (133.3224, 0.0, "mm of mercury"), (100.0, 0.0, "hPa")),
    "kg kg-1": ((1e-3, 0.0, "g/kg"),),
    "m": ((0.0254, 0.0, "inches"), (1e-3, 0.0, "mm")),
    "m s-1": ((1 / 3.6, 0.0, "km/h"), (0.44704, 0.0, "miles per hour"), (1852 / 3600, 0.0, "knots")),
    "1": ((1e-2, 0.0, "%"),),
}
"""units: factor, offset and name of what fields are wrongly given in; of several that explain them, the last."""

_STAND_INS = (
    -9999,
    -999,
    -99999,
    9999,
    -32767,
    -32768,
    -999.9,
    -9999.9,
    9.96921e36,
    1e20,
    -1e20,
    1e30,
    -1e30,
    -2147483648,
)
"""What stands for a missing value where a file's attribute says so."""


def slip(variable: Variable, low: float, high: float) -> str:
    """Say in which units values from `low` to `high` are that no such quantity has, as a clause that `; ` begins;
    empty where none is known that explains them."""
    for value in _STAND_INS:
        if any(np.isclose(end, value, rtol=1e-6, atol=0) for end in (low, high)):
            return f"; {value:g} looks like a missing value of which no attribute _FillValue tells: name it there"
    hint = ""
    for factor, offset, name in _SLIPS.get(variable.units, ()):
        is_explained = variable.minimum <= factor * low + offset and factor * high + offset <= variable.maximum
        hint = f"; it looks like {name}" if is_explained else hint
    return hint
