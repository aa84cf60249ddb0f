"""Values that no such quantity has, told before they are judged: fields in other units, of which files say nothing."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, partial

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.references import SHARES, values_of
from weatherml.variables import Variable, find
from weatherml.variables.slips import slip
from weatherml.verification.pairing.matched import Matched

_logger = logging.getLogger(__name__)


NAME = "system"
"""Attribute of a forecast: what it is called among others."""


def warn_of_values(matched: Matched) -> None:
    """Say where values leave what is plausible of their variables, one line for each of what is judged.

    The first field of each variable is read, of one member and level: more would read stores twice.
    """
    variables = {name: own for name, own in _variables(matched.forecast, matched.levels)}
    for owner, read in _owners(matched).items():
        fields = {name: list(read(name)) for name in variables}
        if told := list(_implausible(fields, variables)):
            tell(owner, listed(told))


def warn_of_fields(owner: str, fields: xr.Dataset) -> str:
    """Say where fields of one time leave what is plausible of their variables; of levels the last is read.

    Returns:
        What is said; empty where they do not.
    """
    variables = dict(_variables(fields, map(str, fields)))
    read = {name: [fields[name].isel({d: -1 for d in fields[name].dims if d == "level"}).values] for name in variables}
    told = listed(list(_implausible(read, variables)))
    if told:
        tell(owner, told)
    return _sentence(owner, told) if told else ""


def _owners(matched: Matched) -> dict[str, Callable[[str], Iterable[np.ndarray]]]:
    """Return what reads the fields of a variable, by whose they are."""
    called = matched.forecast.attrs.get(NAME)
    references = {f"the {name}": partial(matched.first_expected, name) for name in matched.references}
    return {
        f"the forecast {called}" if called else "the forecast": partial(_first_of, matched),
        "the truth": matched.first_of_truth,
        **{owner: read for owner, read in references.items() if owner.removeprefix("the ") not in SHARES},
    }


def _first_of(matched: Matched, name: str) -> Iterator[np.ndarray]:
    """Yield the first field of a forecast."""
    field, levels = matched.forecast[name], matched.levels[name][-1:]
    one = field.isel(number=0) if "number" in field.dims else field
    yield values_of(one.isel(init_time=0, lead_time=0), levels)


def _variables(forecast: xr.Dataset, names: Iterable[str]) -> Iterator[tuple[str, Variable]]:
    """Yield what is known of the variables of a forecast."""
    for name in names:
        try:
            variable = find(name)
        except UserError:
            continue  # nothing is known of it
        if not forecast[name].attrs.get("units", variable.units) == "1" != variable.units:
            yield name, variable  # else an event or a share, by the name of what it is taken of


@lru_cache(maxsize=64)
def tell(owner: str, values: str) -> None:
    """Say it once in a process, which may judge the same many times."""
    _logger.warning(_sentence(owner, values))


def _sentence(owner: str, values: str) -> str:
    return f"values of {owner} are none that there are on Earth: {values}"


def _implausible(fields: Mapping[str, list[np.ndarray]], variables: Mapping[str, Variable]) -> Iterator[str]:
    """Yield of each variable that has such values what they are, as a clause."""
    for name, variable in variables.items():
        finite = [own[np.isfinite(own)] for own in fields[name]]
        values = np.concatenate([own for own in finite if own.size] or [np.empty(0)])
        if not values.size:
            continue
        low, high = float(values.min()), float(values.max())
        if not (variable.minimum <= low and high <= variable.maximum):
            plausible = f"{variable.minimum:g} .. {variable.maximum:g} {variable.units}"
            yield f"{name} {low:.4g} .. {high:.4g} instead of {plausible}{slip(variable, low, high).replace(';', ',')}"
