"""Statistics of patterns: of all points of a tile at once.

A tile is a box of so many degrees of latitude and longitude, from 90 N 0 E on; a row or column on the border of two
is in the southern or eastern one. Its pattern is that of the points in it that count, each by its area, whatever
regions are judged; a region takes the score by the area of the tile that lies in it. Tiles bound the memory, and say
over which distances patterns are compared; towards the poles they are narrow, and weigh little.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from weatherml.grid import LatLonGrid
from weatherml.verification import formulas
from weatherml.verification.pairing.pair import Pair
from weatherml.verification.statistics.base import Statistic

_AT_ONCE = 1 << 22  # bytes of members and of products of members

_Score = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Of members `[member, tile, point]`, truth `[tile, point]` and areas `[tile, point]`, to `[tile]`."""


@dataclass(frozen=True)
class _PatternStatistic(Statistic):
    """Something of each tile.

    Attributes:
        tile: Width of a tile, degrees.
    """

    tile: float

    of_members: ClassVar[bool] = True

    @abstractmethod
    def score(self, members: np.ndarray, truth: np.ndarray, areas: np.ndarray) -> np.ndarray:
        """Return `[tile]`; arrays as of `_Score`."""

    def sums(self, pair: Pair, weights: np.ndarray, mask: np.ndarray, **_: Any) -> np.ndarray:
        """Return `[lead, region]`."""
        if pair.grid is None:
            raise ValueError("patterns are of whole fields, whose grid is known")
        places = tiles(pair.grid, self.tile)
        cells = np.broadcast_to(pair.grid.cell_areas()[:, None], pair.truth.shape[1:]).ravel()
        return _tile_sums(self.score, pair, weights, mask, places, cells)


@dataclass(frozen=True)
class EnergyScore(_PatternStatistic):
    """Energy score of each tile."""

    def score(self, members: np.ndarray, truth: np.ndarray, areas: np.ndarray) -> np.ndarray:
        """Return `[tile]` in the units of the field."""
        return np.asarray(formulas.energy_score(members, truth, areas))


@dataclass(frozen=True)
class EnergyScoreFair(_PatternStatistic):
    """Fair energy score of each tile."""

    def score(self, members: np.ndarray, truth: np.ndarray, areas: np.ndarray) -> np.ndarray:
        """Return `[tile]` in the units of the field."""
        return np.asarray(formulas.energy_score_fair(members, truth, areas))


@dataclass(frozen=True)
class VariogramScore(_PatternStatistic):
    """Variogram score of each tile.

    Attributes:
        power: To which differences between points are raised.
    """

    power: float = 0.5

    def score(self, members: np.ndarray, truth: np.ndarray, areas: np.ndarray) -> np.ndarray:
        """Return `[tile]` in the units of the field to twice the power."""
        return np.asarray(formulas.variogram_score(members, truth, areas, self.power))


@lru_cache(maxsize=8)
def tiles(grid: LatLonGrid, width: float) -> np.ndarray:
    """Return the points of each tile, as places in a flattened field: int `[tile, point]`, -1 after the last of each.

    Args:
        grid: The grid.
        width: Of a tile, degrees; a part of 180.
    """
    rows = np.minimum(_boxes(90 - np.array(grid.latitude), width), round(180 / width) - 1)
    columns = _boxes(np.array(grid.longitude) % 360, width)
    box = (rows[:, None] * round(360 / width) + columns).ravel()
    order = np.argsort(box, kind="stable")
    _, first, sizes = np.unique(box[order], return_index=True, return_counts=True)
    place = first[:, None] + np.arange(sizes.max())
    is_there = np.arange(sizes.max()) < sizes[:, None]
    return np.where(is_there, order[np.minimum(place, box.size - 1)], -1)


def _boxes(distances: np.ndarray, width: float) -> np.ndarray:
    boxes: np.ndarray = np.floor(distances / width + 1e-9).astype(np.int64)
    return boxes


def _tile_sums(
    score: _Score, pair: Pair, weights: np.ndarray, mask: np.ndarray, places: np.ndarray, cells: np.ndarray
) -> np.ndarray:
    """Sum a score of tiles, each by the area that it has in each region: `[lead, region]`."""
    is_there = places >= 0
    total = np.zeros((len(pair.truth), len(weights)))
    for lead in range(len(total)):
        areas = (cells * mask[min(lead, len(mask) - 1)].ravel())[places] * is_there  # all leads may have one mask
        own = weights[:, min(lead, weights.shape[1] - 1)].reshape(len(weights), -1)
        in_regions = (own[:, places] * is_there).sum(axis=-1)
        members, truth = pair.members[:, lead].reshape(pair.n_members, -1), pair.truth[lead].ravel()
        for part in _parts(np.flatnonzero(in_regions.any(axis=0)), pair.n_members, places.shape[1]):
            values = score(members[:, places[part]], truth[places[part]], areas[part])
            total[lead] += in_regions[:, part] @ values
    return total


def _parts(chosen: np.ndarray, n_members: int, n_points: int) -> Iterator[np.ndarray]:
    """Cut tiles so that what is computed of them at once is bounded."""
    n_each = max(1, _AT_ONCE // (8 * n_members * (n_members + n_points)))
    for first in range(0, len(chosen), n_each):
        yield chosen[first : first + n_each]
