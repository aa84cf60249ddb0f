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
    "m s-1": (
        *("m s**-1", "m s^-1", "m.s-1", "m/s", "ms-1", "meter second-1"),
        *(f"{metre}{per}second" for metre in ("metre", "meter", "metres", "meters") for per in ("/", " per ")),
    ),
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
    known, ends = _known(name), _ends(values)
    if known is None or not ends or _is_plausible(known, *ends):
        return
    low, high = ends
    hint = slip(known, low, high)
    told = f"{name} has values from {low:g} to {high:g} {known.units}, and there are none beyond"
    told += f" {known.minimum:g} to {known.maximum:g}{hint}"
    if _is_in_others(known, low, high):
        raise UserError(f"{told}: convert it and say so in its attribute units")
    _logger.warning(told, extra=ONCE)


def require_alike(
    name: str, values: np.ndarray, threshold: np.ndarray | np.float32, owner: str = "the threshold"
) -> None:
    """Require fields and what they are compared with to be in the same units, as far as values tell.

    They are in others where one of both is of values that there are, and the other of none, which other units explain.

    Args:
        name: Of the variable.
        values: Of the fields, any shape.
        threshold: Any shape.
        owner: What `threshold` is, such as `the climate`.

    Raises:
        UserError: They are in different units.
    """
    known = _known(name)
    told = {} if known is None else {"the fields": _ends(values), owner: _ends(threshold)}
    if known is None or not all(told.values()):
        return
    strange = {whose: ends for whose, ends in told.items() if _is_in_others(known, *ends)}
    if len(strange) != 1:
        return
    ((whose, (low, high)),) = strange.items()
    raise UserError(
        f"{name} of {whose} has values from {low:g} to {high:g}, and that of {(told.keys() - {whose}).pop()} is in"
        f" {known.units}{slip(known, low, high)}: convert it to {known.units}"
    )


def require_windows(field: xr.DataArray) -> None:
    """Require sums of a forecast to be over some hours each: what never falls with lead is a sum since the start.

    The first leads of one member are read.

    Raises:
        UserError: It is such.
    """
    first = {"init_time": 0, "number": 0, "lead_time": slice(8)}
    own = field.isel({dim: place for dim, place in first.items() if dim in field.dims})
    if own.sizes.get("lead_time", 0) < 3:
        return
    change = np.diff(own.transpose("lead_time", ...).values.reshape(own.sizes["lead_time"], -1), axis=0)
    if not (change < -_LEAST_FALL).any() and (change > _LEAST_FALL).any(axis=1).all():
        raise UserError(
            f"{field.name} never falls from lead to lead, as sums since the start of a forecast; make sums over hours"
            " of them, weatherml.products.window_sums(forecast)"
        )


_LEAST_FALL = 1e-5
"""m; what is packed varies by less."""


def _is_plausible(known: Variable, low: float, high: float) -> bool:
    return known.minimum <= low and high <= known.maximum


def _is_in_others(known: Variable, low: float, high: float) -> bool:
    """Return whether values are so far off that only other units explain them, which do."""
    is_far = low > known.maximum or high < known.minimum or high > 2 * known.maximum
    return is_far and slip(known, low, high) != ""


def _ends(values: np.ndarray | np.float32) -> tuple[float, ...]:
    """Return the least and the greatest value; nothing where there is none."""
    finite = np.isfinite(values)
    if not finite.any():
        return ()
    low, high = (float(reduce(values, where=finite, initial=start)) for reduce, start in _ENDS)
    return low, high


_ENDS = ((np.min, np.inf), (np.max, -np.inf))


def _known(name: str) -> Variable | None:
    try:
        return find(name)
    except UserError:
        return None
