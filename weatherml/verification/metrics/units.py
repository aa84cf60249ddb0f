"""In which units scores are: those of what is judged, to a power."""

import re
from collections.abc import Iterable

import xarray as xr

from weatherml.errors import UserError
from weatherml.state import Channel
from weatherml.verification.metrics.registry import find

UNITS = "units"
"""Attribute of a score: its units, or those of each channel where they differ."""

_PURE = "1"
_OWN = {"effective_resolution": "km"}
_VECTOR = re.compile(r"(\d+m_)?wind(_\d+)?")  # as statistics of vectors call their channels
_VARIOGRAM = "variogram_score"
_POWERS = {
    0: "acc acc_centred brier brier_decomposition brier_fair brier_skill csi economic_value ets far"
    " forecast_probability forecast_share frequency_bias fss observed_frequency pod pofd rank_histogram"
    " relative_quantile_error reliability_index roc_area roc_curve rps rps_fair sedi seeps spread_skill",
    1: "activity bias crps crps_decomposition crps_fair energy_score energy_score_fair mae quantile_error"
    " quantile_score rmse spread twcrps twcrps_fair wind_vector_rmse",
    2: "mse spectrum zonal_spectrum",
}
POWERS = {name: power for power, names in _POWERS.items() for name in names.split()}
"""To which power of the units of its channel a metric is, by its name without parameters."""


def base_of(metric: str) -> str:
    """Return the name of a metric without its parameters."""
    return metric.partition("(")[0].strip()


def units_of(metric: str, channel: str) -> str:
    """Return the SI units of a score of a channel, `1` of a pure number; empty where they are not known."""
    base = base_of(metric)
    if base in _OWN:
        return _OWN[base]
    power = _power_of_variogram(metric) if base == _VARIOGRAM else POWERS.get(base)
    return "" if power is None else raised(field_units(channel), power)


def field_units(channel: str) -> str:
    """Return the SI units of a channel; empty where it is not in the vocabulary."""
    try:
        return "m s-1" if _VECTOR.fullmatch(channel) else Channel.parse(channel).units
    except UserError:
        return ""


def raised(units: str, power: float) -> str:
    """Return units to a power: `m2 s-2` squared is `m4 s-4`."""
    if power == 0 or units == _PURE:
        return _PURE
    parts = [re.fullmatch(r"(.*?)(-?\d+)?", word) for word in units.split()]
    powers = [(part[1], power * int(part[2] or 1)) for part in parts if part]
    return " ".join(f"{name}{'' if own == 1 else f'{own:g}'}" for name, own in powers)


def with_units(scores: xr.Dataset, metrics: Iterable[str]) -> xr.Dataset:
    """Return scores that say their units: `K`, or `2m_temperature: K, geopotential_500: m2 s-2`."""
    for name in (name for name in metrics if name in scores):
        own = {channel: units_of(name, channel) for channel in map(str, scores["channel"].values)}
        alike = set(own.values())
        said = alike.pop() if len(alike) == 1 else ", ".join(f"{channel}: {units}" for channel, units in own.items())
        scores[name].attrs |= {UNITS: said} if said else {}
    return scores


def _power_of_variogram(metric: str) -> float:
    """Return to which power the squares of a variogram are."""
    return 2.0 * float(getattr(find(metric).statistics[0], "power", 0.5))
