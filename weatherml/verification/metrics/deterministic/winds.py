"""Statistics of wind as a vector."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from weatherml.verification.pairing.pair import Pair
from weatherml.verification.statistics.base import PointStatistic

WINDS: Mapping[str, tuple[str, ...]] = {
    "wind": ("u_component_of_wind", "v_component_of_wind"),
    "10m_wind": ("10m_u_component_of_wind", "10m_v_component_of_wind"),
    "100m_wind": ("100m_u_component_of_wind", "100m_v_component_of_wind"),
}
"""Components of winds, by what these are called: at levels, and at heights."""


@dataclass(frozen=True)
class SquaredVectorError(PointStatistic):
    """Squared length of the difference of two winds."""

    inputs: ClassVar[Mapping[str, tuple[str, ...]]] = WINDS

    def at(self, eastward: Pair, northward: Pair) -> np.ndarray:
        """Return `[*point]` in m2 s-2."""
        return np.asarray(eastward.error**2 + northward.error**2)
