"""The energy that rising air gains, and what it must be given first."""

from dataclasses import dataclass

import numpy as np

from weatherml.extremes.hazards.convection.parcels import Ascent, Start


@dataclass
class _Running:
    """Areas between parcel and surroundings so far, J kg-1 `[point]`.

    Attributes:
        below: Before the parcel rises freely.
        above: Since it does.
        energy: `above` at the last level where it stopped being warmer.
        is_free: Whether it rises freely.
    """

    below: np.ndarray
    above: np.ndarray
    energy: np.ndarray
    is_free: np.ndarray

    def add(self, area: np.ndarray, can_be_free: np.ndarray) -> None:
        """Take in the area of a piece of a layer in which the parcel is warmer or cooler throughout."""
        self.is_free |= can_be_free & (area > 0)
        self.below += np.where(self.is_free, 0, area)
        self.above += np.where(self.is_free, area, 0)
        self.energy = np.where(area > 0, np.maximum(self.above, 0), self.energy)


def cape_and_cin(
    pressure: np.ndarray, surroundings: np.ndarray, start: Start, ascent: Ascent
) -> tuple[np.ndarray, np.ndarray]:
    """Return convective available potential energy and convective inhibition, J kg-1, float32 `[point]`.

    From virtual temperatures, linear in the logarithm of pressure between levels, the level of condensation and where
    parcel and surroundings are equally warm. Energy is gained from the lowest level above condensation where the parcel
    is warmer (level of free convection) to the highest where it stops being so (equilibrium level). Inhibition is
    negative: what is lost from the start to the level of free convection; NaN where there is none.

    Args:
        pressure: Pa, falling `[level, point]`.
        surroundings: Virtual temperature there, K.
        start: Where the parcel comes from.
        ascent: The parcel at these levels.
    """
    from earthkit.meteo.constants import Rd

    excess, height = ascent.warmth - surroundings, np.log(pressure)
    condensation, first = np.log(ascent.condensation_pressure), np.log(start.pressure)
    zeros = np.zeros(excess.shape[1])
    running = _Running(zeros.copy(), zeros.copy(), zeros.copy(), np.zeros(len(zeros), bool))
    for below in range(len(excess) - 1):
        bottom, top = height[below], height[below + 1]
        middle = np.clip(condensation, top, bottom)
        share = _share(bottom, top, middle)
        around = surroundings[below] + share * (surroundings[below + 1] - surroundings[below])
        between = excess[below] + share * (excess[below + 1] - excess[below])
        is_inside = (middle < bottom) & (middle > top)
        between = np.where(is_inside, ascent.condensation_warmth - around, between)
        _add_piece(running, (bottom, middle), (excess[below], between), first, np.zeros(len(first), bool))
        _add_piece(running, (middle, top), (between, excess[below + 1]), first, middle <= condensation)
    energy = np.asarray(Rd * running.energy, np.float32)
    inhibition = np.where(running.is_free, np.minimum(Rd * running.below, 0), np.nan)
    return energy, inhibition.astype(np.float32)


def _add_piece(
    running: _Running,
    ends: tuple[np.ndarray, np.ndarray],
    excess: tuple[np.ndarray, np.ndarray],
    first: np.ndarray,
    can_be_free: np.ndarray,
) -> None:
    """Take in a piece of a layer, cut where parcel and surroundings are equally warm; nothing below the start."""
    (bottom, top), (low, high) = ends, excess
    from_start = np.minimum(bottom, first)
    low = low + _share(bottom, top, from_start) * (high - low)
    depth = np.maximum(from_start - top, 0)
    crosses = low * high < 0
    share = np.where(crosses, low / np.where(crosses, low - high, 1), 1)
    running.add(depth * np.where(crosses, share * low / 2, (low + high) / 2), can_be_free)
    running.add(depth * np.where(crosses, (1 - share) * high / 2, 0), can_be_free)


def _share(bottom: np.ndarray, top: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return which part of the way from bottom to top a height lies."""
    gap = bottom - top
    share: np.ndarray = np.clip((bottom - at) / np.where(gap > 0, gap, 1), 0, 1)
    return share
