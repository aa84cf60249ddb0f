"""Whether thresholds of a definition are in the units that they are compared in, as far as values tell."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weatherml.errors import UserError


@dataclass(frozen=True)
class _Range:
    """What values a threshold has.

    Attributes:
        low: The least.
        high: The greatest.
        units: Of both.
        other: Units that are often meant.
        factor: From these.
    """

    low: float
    high: float
    units: str
    other: str = ""
    factor: float = 1.0


_PRESSURE_LEVEL = _Range(1, 1100, "hPa", "Pa", 0.01)
_SPEED = _Range(0, 110, "m s-1")  # the strongest wind of a storm that is known was 95
_RANGES: Mapping[str, _Range] = {
    "pressure": _Range(85_000, 112_000, "Pa", "hPa", 100),
    "amount": _Range(0, 2, "m", "mm", 1e-3),  # in a day at most 1.8 m have been measured
    "radius": _Range(0, 10_000, "km", "m", 1e-3),
    "length": _Range(0, 20_000, "km", "m", 1e-3),
    "wind": _SPEED,
    "least_speed": _SPEED,
    "margin": _Range(0, 60, "K"),
    "shear_height": _Range(100, 20_000, "m", "km", 1000),
    "upper": _PRESSURE_LEVEL,
    "lower": _PRESSURE_LEVEL,
    "mixed_depth": _PRESSURE_LEVEL,
    "search_depth": _PRESSURE_LEVEL,
}


def require_plausible(definition: Mapping[str, Any]) -> None:
    """Require values of thresholds that such quantities have on Earth.

    Args:
        definition: Values by the name of the threshold; None is asked for nothing.

    Raises:
        UserError: One is in other units.
    """
    for name, value in definition.items():
        own = _RANGES.get(name)
        if own is not None and isinstance(value, int | float) and not own.low <= value <= own.high:
            raise UserError(_told(name, value, own))


def _told(name: str, value: float, own: _Range) -> str:
    meant = value * own.factor
    told = f"definition.{name} is {value:g} {own.units}, where values lie between {own.low:g} and {own.high:g}"
    if own.other and own.low <= meant <= own.high:
        return f"{told}; write {meant:.10g} if {value:g} {own.other} is meant"
    return f"{told}; give one of these"
