"""Units that fields say they have, which thresholds are compared with as if they were the vocabulary's."""

import xarray as xr

from weatherml.errors import UserError
from weatherml.variables import find

_SPELLINGS = {
    "K": ("kelvin", "degk"),
    "m": ("metre", "meter", "metres", "meters", "m of water equivalent"),
}
"""What files call the same, in lower case."""


def require_units(field: xr.DataArray) -> None:
    """Require that a field which states its units has those of its variable; of others nothing is known.

    Raises:
        UserError: It has others.
    """
    try:
        wanted = find(str(field.name)).units
    except UserError:
        return
    found = str(field.attrs.get("units", "")).strip()
    if found in ("", "unknown", "1", wanted) or found.lower() in _SPELLINGS.get(wanted, ()):
        return  # "1" is a share or an event by the name of what it is taken of
    raise UserError(
        f"{field.name} is in {found!r}, and thresholds are in {wanted!r}; convert it and say so in its attribute units,"
        " or open it by weatherml, which does"
    )
