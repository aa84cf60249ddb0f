"""How high the highest values of a field are, wherever they lie: what a forecast that is too smooth loses."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from weatherml.verification.pairing.pair import Pair
from weatherml.verification.statistics.base import Statistic

Array = Any
"""A numpy or jax array."""


def quantile_error(forecast: Array, truth: Array, levels: Array) -> Array:
    """Return the mean over levels of the forecast's quantile less the truth's: FourCastNet's `top_quantiles_error`.

    Args:
        forecast: Fields `[..., point]`, each point counting alike.
        truth: The same, in the same units.
        levels: Between 0 and 1 `[level]`.

    Returns:
        `[...]` in the same units.
    """
    xp = forecast.__array_namespace__()
    return xp.mean(xp.quantile(forecast, levels, axis=-1) - xp.quantile(truth, levels, axis=-1), axis=0)


def relative_quantile_error(forecast: Array, truth: Array, levels: Array) -> Array:
    """Return the sum over levels of that difference over the truth's quantile (RQE; Pathak et al. 2022, arXiv
    2202.11214): below 0 where extremes are too weak.
    """
    xp = forecast.__array_namespace__()
    expected = xp.quantile(truth, levels, axis=-1)
    return xp.sum((xp.quantile(forecast, levels, axis=-1) - expected) / expected, axis=0)


@dataclass(frozen=True)
class _Quantiles(Statistic):
    """Something of quantiles over the points of each region, each point counting alike; of members the mean.

    Attributes:
        lowest: Level of the lowest quantile.
        highest: Of the highest; those between are as far apart as the logarithms of what lies above them.
        n_levels: How many.

    Raises:
        ValueError: These are no levels.
    """

    lowest: float = 0.9
    highest: float = 0.9999
    n_levels: int = 50

    of_members: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not (0 < self.lowest < self.highest < 1 and self.n_levels > 1):
            raise ValueError(
                f"levels lie between 0 and 1, two or more, not {self.n_levels} from {self.lowest} to {self.highest}"
            )

    @abstractmethod
    def error(self, forecast: np.ndarray, truth: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """Return `[...]` of `[..., point]`."""

    def sums(self, pair: Pair, weights: np.ndarray, **_: Any) -> np.ndarray:
        """Return `[lead, region]`."""
        levels = 1 - np.geomspace(1 - self.lowest, 1 - self.highest, self.n_levels)
        sums = np.zeros((len(pair.truth), len(weights)))
        for region, own in enumerate(weights):
            for lead, areas in enumerate(np.broadcast_to(own, pair.truth.shape)):
                if (counted := areas > 0).any():
                    fields = (pair.members[:, lead][:, counted], pair.truth[lead][counted][None])
                    sums[lead, region] = self.error(*fields, levels).mean() * areas.sum()
        return sums


@dataclass(frozen=True)
class QuantileError(_Quantiles):
    """Mean difference of quantiles, in the units of the field."""

    def error(self, forecast: np.ndarray, truth: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """Return `[...]`."""
        return np.asarray(quantile_error(forecast, truth, levels))


@dataclass(frozen=True)
class RelativeQuantileError(_Quantiles):
    """Sum of relative differences of quantiles."""

    def error(self, forecast: np.ndarray, truth: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """Return `[...]`."""
        return np.asarray(relative_quantile_error(forecast, truth, levels))
