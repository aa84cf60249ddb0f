"""Units that fields say they have, which thresholds are compared with as if they were the vocabulary's."""

import logging

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.process.logs import ONCE
from weatherml.variables import Variable, find
from weatherml.variables.slips import slip

_logger = logging.getLogger(__name__)

_SPELLINGS = {
    "K": ("kelvin", "degk"),
    "m": ("metre", "meter", "metres", "meters", "m of water equivalent"),
    "m s-1": ("m s**-1", "m s^-1", "m/s", "ms-1", "meter second-1", "meters per second", "metre per second"),
}
"""What files call the same, in lower case."""


def require_units(field: xr.DataArray) -> None:
    """Require that a field which states its units has those of its variable; of others nothing is known.

    Raises:
        UserError: It has others.
    """
    known = _known(str(field.name))
    if known is None:
        return
    wanted = known.units
    found = str(field.attrs.get("units", "")).strip()
    if found in ("", "unknown", "1", wanted) or found.lower() in _SPELLINGS.get(wanted, ()):
        return  # "1" is a share or an event by the name of what it is taken of
    raise UserError(
        f"{field.name} is in {found!r}, and thresholds are in {wanted!r}; convert it and say so in its attribute units,"
        " or open it by weatherml, which does"
    )


def require_values(name: str, values: np.ndarray) -> None:
    """Require values that such a variable has, of fields that say nothing of their units, or the wrong thing.

    Where no value is one, or the highest is more than twice what there is on Earth, and other units explain it, no
    threshold means anything; what lies less far beyond is told, once.

    Raises:
        UserError: They are in other units.
    """
    known, finite = _known(name), np.isfinite(values)
    if known is None or not finite.any():
        return
    low, high = (float(reduce(values, where=finite, initial=start)) for reduce, start in _ENDS)
    if known.minimum <= low and high <= known.maximum:
        return
    hint = slip(known, low, high)
    told = f"{name} has values from {low:g} to {high:g} {known.units}, and there are none beyond"
    told += f" {known.minimum:g} to {known.maximum:g}{hint}"
    if hint and (low > known.maximum or high < known.minimum or high > 2 * known.maximum):
        raise UserError(f"{told}: convert it and say so in its attribute units")
    _logger.warning(told, extra=ONCE)


_ENDS = ((np.min, np.inf), (np.max, -np.inf))


def _known(name: str) -> Variable | None:
    try:
        return find(name)
    except UserError:
        return None
