"""Statistics of precipitation, which often is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from weatherml.verification.pairing.pair import Pair
from weatherml.verification.statistics.base import PointStatistic

Array = Any
"""A numpy or jax array."""


def seeps(forecast: Array, truth: Array, dry_probability: Array) -> Array:
    """Return the error of precipitation in three classes: dry, light and heavy, two of three wet cases being light.

    Always forecasting one class, or one at random, has an expected error of 1 whatever the climate (Rodwell et al.
    2010, doi:10.1002/qj.656).

    Args:
        forecast: Class of the forecast, 0 (dry), 1 (light) or 2 (heavy), `[...]`.
        truth: Class of the truth.
        dry_probability: Of dryness in the climate, above 0 and below 1, `[...]`.

    Returns:
        `[...]`, 0 (right) or more.
    """
    xp = dry_probability.__array_namespace__()
    dry = dry_probability
    nothing = xp.zeros_like(dry)
    costs = (
        (nothing, 1 / (1 - dry), 4 / (1 - dry)),
        (1 / dry, nothing, 3 / (1 - dry)),
        (1 / dry + 3 / (2 + dry), 3 / (2 + dry), nothing),
    )
    error = nothing
    for forecast_class, row in enumerate(costs):
        for truth_class, cost in enumerate(row):
            error = xp.where((forecast == forecast_class) & (truth == truth_class), cost / 2, error)
    return error


DRY, HEAVY = "dry_probability", "heavy_threshold"
_VARIABLES = ("total_precipitation_24hr", "total_precipitation_12hr", "total_precipitation_6hr")


@dataclass(frozen=True)
class SeepsError(PointStatistic):
    """Stable equitable error in probability space, and whether the climate lets it be told.

    It is compared with the references `dry_probability`, of no more than `dry` in the climate, and `heavy_threshold`,
    above which lies a third of what is more: of each place, and of each date if they know it.

    Axis `seeps`: the error where the climate is neither too dry nor too wet and 0 elsewhere; 1 there and 0 elsewhere.

    Attributes:
        dry: Most precipitation of a dry case, m.
        lowest: Least probability of dryness.
        highest: Largest probability of dryness.
    """

    dry: float = 0.00025
    lowest: float = 0.1
    highest: float = 0.85

    inputs: ClassVar[Mapping[str, tuple[str, ...]]] = {name: (name,) for name in _VARIABLES}
    axes: ClassVar[tuple[str, ...]] = ("seeps",)

    @property
    def references(self) -> tuple[str, ...]:
        """What it compares with."""
        return (DRY, HEAVY)

    def at(self, pair: Pair) -> np.ndarray:
        """Return `[seeps, *point]`."""
        dry_probability = pair.references[DRY].astype(np.float64)
        is_told = (dry_probability >= self.lowest) & (dry_probability <= self.highest)
        forecast, truth = (self._class(own, pair.references[HEAVY]) for own in (pair.forecast, pair.truth))
        error = seeps(forecast, truth, np.where(is_told, dry_probability, 0.5))
        return np.stack([error * is_told, is_told])

    def _class(self, amount: np.ndarray, heavy: np.ndarray) -> np.ndarray:
        """Return 0 where it is dry, 1 where light, 2 where heavy; what is dry is never heavy."""
        is_wet = amount > np.float32(self.dry)
        return np.asarray(is_wet.astype(np.int8) + (is_wet & (amount >= heavy)))
