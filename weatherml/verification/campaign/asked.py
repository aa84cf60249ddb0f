"""What a folder of sums was begun for, so that no others are added to them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from weatherml.state import spec_of
from weatherml.verification.aggregation.adding import digest, told_of_grid
from weatherml.verification.aggregation.judgement import Judgement
from weatherml.verification.pairing.matched import Matched
from weatherml.verification.pairing.notes import FITTED_ON

_OF_MODEL = ("model_digest", "forecast_config", FITTED_ON)
"""Attributes of a forecast that tell systems apart, where it has them."""
NAME = "name"
"""Of a system that is judged as it is made."""
_TELL_SOME = ("system", NAME)
FORECAST, KNOWN = "forecast_digest", "known_digests"
"""What a file of sums tells of its forecast, and of truth and references."""


def asked(judgement: Judgement, lead_times: np.ndarray, name: str = "") -> dict[str, Any]:
    """Return what is asked of forecasts, in JSON values, whichever initial times they have.

    Args:
        judgement: Of some leads or all.
        lead_times: All leads, `timedelta64` [lead].
        name: Of the system, where it is judged as it is made and nothing else tells it from others.
    """
    forecast = judgement.matched.forecast
    names = judgement.matched.levels
    return {
        "statistics": judgement.names,
        "regions": {name: repr(own) for name, own in judgement.bounds.items()},
        "variables": {name: list(own) for name, own in spec_of(forecast).variables.items() if name in names},
        "lead times": [str(own.astype("timedelta64[m]")) for own in lead_times],
        "grid": told_of_grid(judgement.matched.grid),
        "cells of regions": judgement.cells_of_regions,
        "ensemble": dict(judgement.attributes),
        "references": sorted(judgement.matched.references),
        "missing values": judgement.matched.missing,
        "system": {name: str(forecast.attrs[name]) for name in _OF_MODEL if name in forecast.attrs},
        NAME: name,
    }


def difference(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Say in what two campaigns differ, the first thing alone; empty where they are the same.

    A stored forecast has no name of this kind, and one that is judged as it is made may not tell its model.
    """
    told = [name for name in wanted if name not in _TELL_SOME or (known.get(name) and wanted[name])]
    for name in (name for name in told if known.get(name) != wanted[name]):
        return f"{name} {_short(known.get(name))} instead of {_short(wanted[name])}"
    return ""


def digests_at(matched: Matched, time: np.datetime64) -> dict[str, str]:
    """Tell truths and references apart by a field of each variable of theirs at a time; of those that know it."""
    return {owner: digest(*own) for owner, own in matched.known_at(time).items()}


def told_of(forecast: xr.Dataset, matched: Matched) -> dict[str, str]:
    """Return what a file of sums tells of what was judged, so that later it is known whether that was changed.

    Args:
        forecast: Of one initial time.
        matched: That it is part of.
    """
    last = forecast["init_time"].values[0] + forecast["lead_time"].values[-1]
    known = {"time": str(last), "digests": digests_at(matched, last)}
    return {FORECAST: digest_of_forecast(forecast, matched.levels), KNOWN: json.dumps(known)}


def changed(told: Mapping[str, Any], matched: Matched) -> str:
    """Say what of truth and references is another than a file of sums tells; empty where nothing is."""
    known = json.loads(told.get(KNOWN, "{}"))
    if not known:
        return ""
    time = np.datetime64(known["time"], "ns")
    return another(known["digests"], matched, time)


def another(known: Mapping[str, str], matched: Matched, time: np.datetime64) -> str:
    """Say which of truth and references is another at a time than digests of them tell; empty where none is."""
    for owner, own in digests_at(matched, time).items():
        if known.get(owner, own) != own:
            return f"{owner} at {time.astype('datetime64[m]')}"
    return ""


def digest_of_forecast(forecast: xr.Dataset, levels: Mapping[str, Sequence[int]]) -> str:
    """Tell forecasts of one initial time apart by one field.

    It is that of the last lead and member: at lead 0 all systems have the analysis, and their control may be the same.

    Args:
        forecast: Of one initial time.
        levels: Of each variable that is judged, hPa; empty where it has one height.
    """
    name, own_levels = next(iter(levels.items()))
    field = forecast[name].sel(level=own_levels[-1]) if own_levels else forecast[name]
    return digest(field.isel({dim: -1 for dim in field.dims if dim not in ("latitude", "longitude")}).values)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
