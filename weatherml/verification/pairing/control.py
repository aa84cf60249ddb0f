"""The control of an ensemble, number 0: judged with the other members, or left out."""

from typing import Literal

import numpy as np
import xarray as xr

from weatherml.errors import Option, UserError
from weatherml.errors.wording import listed

Control = Literal["in", "out"]
"""Whether number 0, the unperturbed member, is one of the ensemble."""

N_MEMBERS = "n_members"
"""Attribute of sums and scores, and coordinate along systems: how many members were judged, 1 of one forecast."""

CONTROL = "control"
"""Attribute of sums and scores: whether number 0 is among these members, where it may be."""

_NUMBER = 0
_IN = Option("control", "in", "to judge what there is")


def ensemble(forecast: xr.Dataset, control: Control) -> xr.Dataset:
    """Return what is judged of a forecast: all of it, or its members without the control.

    Raises:
        UserError: `control` is neither; or there is no control to leave out, or nothing beside it.
    """
    if control not in ("in", "out"):
        raise UserError(f"control must be 'in' or 'out', got {control!r}")
    if control == "in":
        return forecast
    numbers = _numbers(forecast)
    if _NUMBER not in numbers:
        there = listed([str(number) for number in numbers]) if numbers.size else "none"
        raise UserError(f"the forecast has no number 0, which a control would be, only {there}", _IN)
    if numbers.size == 1:
        raise UserError("without its control the forecast has no member left", _IN)
    return forecast.isel(number=numbers != _NUMBER)


def described(judged: xr.Dataset, control: Control) -> dict[str, int | str]:
    """Return attributes of scores: how many members they are of, and whether number 0 is one where it may be."""
    attributes: dict[str, int | str] = {N_MEMBERS: judged.sizes.get("number", 1)}
    if control == "out" or (judged.sizes.get("number", 1) > 1 and _NUMBER in _numbers(judged)):
        attributes[CONTROL] = control
    return attributes


def _numbers(forecast: xr.Dataset) -> np.ndarray:
    return np.asarray(forecast["number"].values if "number" in forecast.coords and "number" in forecast.dims else [])
