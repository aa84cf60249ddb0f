"""Is a wind one of the Earth's? Away from the equator it turns and hardly diverges, and westerlies blow aloft."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from weatherml.data.quality.evidence import Evidence
from weatherml.data.quality.place import flow
from weatherml.state import Channel

Mistake = Literal["swapped", "sign"]
EAST, NORTH = "u_component", "v_component"
BAND = (20.0, 75.0)
"""Degrees from the equator between which wind is near its balance with pressure."""
_TIMES = 12
_FEWEST = 150
"""Cells that tell."""
_CLEARLY = 0.5
"""Of the ratio of divergence to vorticity as labelled, what another reading must stay below. ERA-Interim has ratios of
0.04 (350 hPa) to 0.27 (1000 hPa) where its labels are right, 0.48 to 1.04 with a wrong sign, 0.96 to 2.1 swapped."""
_WESTERLIES = (200, 500)
"""Levels in hPa whose zonal mean wind at 30 to 60 degrees is from the west on both hemispheres in any month."""


@dataclass(frozen=True, eq=False)
class Wind:
    """Both components at one level.

    Attributes:
        u: Channel of the eastward one.
        v: Channel of the northward one.
        fields: A few times of both `[2, sample, lat, lon]`, m s-1, on the coarse grid.
    """

    u: Channel
    v: Channel
    fields: np.ndarray

    @property
    def level(self) -> int | None:
        """Pressure in hPa; None near the ground."""
        return self.u.level


def fields_of(evidence: Evidence, channel: Channel) -> np.ndarray:
    """Return a few times of a channel, float64 `[sample, lat, lon]`, NaN where there is no value."""
    values = evidence.snapshots.values
    chosen = np.unique(np.linspace(0, len(values) - 1, min(len(values), _TIMES)).round().astype(int))
    result: np.ndarray = values[chosen, list(evidence.channels).index(channel)].astype(np.float64)
    return result


def winds(evidence: Evidence) -> Iterator[Wind]:
    """Yield the winds of which both components are there."""
    for channel in evidence.channels:
        other = Channel(channel.variable.replace(EAST, NORTH), channel.level)
        if EAST in channel.variable and other in evidence.channels:
            yield Wind(channel, other, np.stack([fields_of(evidence, channel), fields_of(evidence, other)]))


@lru_cache(maxsize=2)
def mistakes(evidence: Evidence) -> tuple[tuple[Wind, Mistake, float, float], ...]:
    """Return the winds that diverge as they should turn: what would make them right, and both ratios."""
    found = []
    for wind in winds(evidence):
        u, v = wind.fields
        labelled, swapped, reversed_ = (_divergence(evidence, *pair) for pair in ((u, v), (v, u), (u, -v)))
        if min(swapped, reversed_) < _CLEARLY * min(labelled, 1.0):
            mistake: Mistake = "swapped" if swapped < reversed_ else "sign"
            found.append((wind, mistake, labelled, min(swapped, reversed_)))
    return tuple(found)


def _divergence(evidence: Evidence, u: np.ndarray, v: np.ndarray) -> float:
    """Return divergence over vorticity, mean squares, away from the equator; NaN where too few cells tell."""
    grid = evidence.coarse
    diverging, turning = flow.divergence(u, v, grid), flow.vorticity(u, v, grid)
    weights = np.where(np.isfinite(diverging + turning), flow.band(grid, *BAND), 0.0)
    if np.count_nonzero(weights[0]) < _FEWEST:
        return float("nan")
    squares = [np.sum(np.square(np.nan_to_num(field)) * weights) for field in (diverging, turning)]
    return float(squares[0] / squares[1]) if squares[1] > 0 else float("nan")


def is_from_the_east(evidence: Evidence, channel: Channel) -> bool:
    """Return whether an eastward wind is from the east where westerlies blow, so that its sign is wrong.

    Between 200 and 500 hPa on both hemispheres; below, and near the ground, it is compared with the trades.
    """
    if not evidence.grid.is_global:
        return False
    cells = evidence.channels[channel].cells.mean
    finite = np.isfinite(cells)
    mean = np.where(finite, cells, 0).sum(axis=-1) / np.where(finite.any(axis=-1), finite.sum(axis=-1), np.nan)
    latitude = np.asarray(evidence.coarse.latitude)
    if channel.level is not None and channel.level < _WESTERLIES[0]:
        return False
    aloft = channel.level is not None and channel.level <= _WESTERLIES[1]
    excess = [_in_band(mean, side * latitude, 30, 60) for side in (1, -1)]
    if not aloft:
        excess = [own - _in_band(mean, side * latitude, 5, 25) for own, side in zip(excess, (1, -1), strict=True)]
    return bool(excess[0] < 0 and excess[1] < 0)  # neither where there is none


def turns_the_wrong_way(turning: np.ndarray, evidence: Evidence) -> bool:
    """Return whether vorticity `[sample, lat, lon]` has sharp cores in anticyclones on both hemispheres."""
    latitude = np.asarray(evidence.coarse.latitude)
    skewness = [_skewness(turning, evidence, side * latitude) for side in (1, -1)]
    return bool(skewness[0] < -_SKEWED and skewness[1] > _SKEWED)


_SKEWED = 0.3
"""Skewness of vorticity at 20 to 75 degrees that tells cyclones from anticyclones: 0.7 to 2 from 300 to 1000 hPa."""


def _skewness(field: np.ndarray, evidence: Evidence, northward: np.ndarray) -> float:
    rows = (northward >= BAND[0]) & (northward <= BAND[1])
    inside = field[:, rows]
    weights = np.where(np.isfinite(inside), evidence.coarse.area_weights()[rows], 0.0)
    if weights.sum() == 0:
        return 0.0
    filled = np.nan_to_num(inside)
    anomaly = filled - np.sum(filled * weights) / weights.sum()
    second, third = (np.sum(anomaly**power * weights) / weights.sum() for power in (2, 3))
    return float(third / second**1.5) if second > 0 else 0.0


def _in_band(mean: np.ndarray, northward: np.ndarray, south: float, north: float) -> float:
    """Return the mean between two latitudes; NaN where there is none."""
    rows = (northward >= south) & (northward <= north) & np.isfinite(mean)
    return float(np.average(mean[rows], weights=np.cos(np.radians(northward[rows])))) if rows.any() else float("nan")
