"""Values that no such quantity has, told before they are judged: fields in other units, of which files say nothing."""

import logging
from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.references import values_of
from weatherml.slips import slip
from weatherml.variables import find
from weatherml.verification.pairing.matched import Matched
from weatherml.wording import listed

_logger = logging.getLogger(__name__)


def warn_of_values(matched: Matched) -> None:
    """Say where values leave what is plausible of their variables, one line for the forecast and one for the truth.

    One field of each variable is read: of the first initial time and lead, of one member and level.
    """
    first = matched.forecast.isel(
        {dim: 0 for dim in ("init_time", "lead_time", "number") if dim in matched.forecast.dims}
    )
    for owner, fields in (("forecast", first), ("truth", matched.first_truth)):
        if told := list(_implausible(fields, matched.levels)):
            tell(owner, listed(told))


@lru_cache(maxsize=64)
def tell(owner: str, values: str) -> None:
    """Say it once in a process, which may judge the same many times."""
    _logger.warning("values of the %s are none that there are on Earth: %s", owner, values)


def _implausible(fields: xr.Dataset, levels: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    """Yield of each variable that has such values what they are, as a clause."""
    for name, own in levels.items():
        try:
            variable = find(name)
        except UserError:
            continue  # nothing is known of it
        if fields[name].attrs.get("units", variable.units) == "1" != variable.units:
            continue  # an event or a share, by the name of what it is taken of
        values = values_of(fields[name], own[-1:])
        if not np.isfinite(values).any():
            continue
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        if not (variable.minimum <= low and high <= variable.maximum):
            plausible = f"{variable.minimum:g} .. {variable.maximum:g} {variable.units}"
            yield f"{name} {low:.4g} .. {high:.4g} instead of {plausible}{slip(variable, low, high).replace(';', ',')}"
