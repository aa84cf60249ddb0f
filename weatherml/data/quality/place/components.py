"""Do both components of a wind lie in the same place? Where they do not, they diverge as much as they turn."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import product

import numpy as np

from weatherml.data.quality.evidence import Evidence
from weatherml.data.quality.place import flow
from weatherml.data.quality.place.placement import NEAR, Placement, centred, turned
from weatherml.data.quality.place.wind import BAND, Wind, mistakes, winds

_MOST = 4
"""Winds that are tried."""
_CLEARLY, _ALONE = 0.5, 0.7
"""Of the ratio of divergence to vorticity as labelled, and in any other place, what the best place stays below.
ERA-Interim has 0.04 to 0.27 in the right place and at least 1.8 times as much elsewhere."""


@lru_cache(maxsize=2)
def apart(evidence: Evidence) -> tuple[tuple[Wind, Placement, float, float], ...]:
    """Return winds whose northward component belongs elsewhere than the eastward one, and both ratios."""
    if not evidence.grid.is_global:
        return ()
    known = {wind.u for wind, *_ in mistakes(evidence)}
    tried = [wind for wind in winds(evidence) if wind.u not in known]
    chosen = np.unique(np.linspace(0, len(tried) - 1, min(len(tried), _MOST)).round().astype(int))
    return tuple(_misplaced(evidence, [tried[i] for i in chosen]))


def _misplaced(evidence: Evidence, tried: list[Wind]) -> Iterator[tuple[Wind, Placement, float, float]]:
    for wind in tried:
        ratios = _ratios(evidence, *wind.fields)
        sign, flipped, mirrored, column = (int(i) for i in np.unravel_index(int(ratios.argmin()), ratios.shape))
        others = ratios.copy()
        distance = np.abs(centred(np.arange(ratios.shape[-1]) - column, ratios.shape[-1]))
        others[sign, flipped, mirrored, distance * 360 / ratios.shape[-1] <= NEAR] = np.inf
        best, labelled = float(ratios.min()), float(ratios[0, 0, 0, 0])
        elsewhere = (flipped, mirrored, column) != (0, 0, 0)
        if elsewhere and best < min(_CLEARLY * labelled, _ALONE * float(others.min())):
            columns = int(centred(column, ratios.shape[-1]))
            yield wind, Placement(bool(flipped), bool(mirrored), 0, columns), labelled, best


def _ratios(evidence: Evidence, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return divergence over vorticity, mean squares, for each place of `v` `[sign, flipped, mirrored, column]`.

    Where the rows or columns of `u` alone are reversed, `v` belongs to it in reverse, and of the other sign.
    """
    grid = evidence.coarse
    still = np.zeros_like(u)
    diverging, turning = (_waves(part(u, still, grid), evidence) for part in (flow.divergence, flow.vorticity))
    ratios = np.empty((2, 2, 2, grid.n_lon))
    for flipped, mirrored in product((0, 1), (0, 1)):
        moved = Placement(bool(flipped), bool(mirrored)).undo(v)
        own, other = (_waves(part(still, moved, grid), evidence) for part in (flow.divergence, flow.vorticity))
        for number, sign in enumerate((1, -1)):
            squares = (_sum(sign * one, fixed, grid.n_lon) for one, fixed in ((own, diverging), (other, turning)))
            ratios[number, flipped, mirrored] = _over(*squares)
    return ratios


def _over(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(one, other, out=np.full(one.shape, np.inf), where=other > 0))


def _sum(moved: np.ndarray, fixed: np.ndarray, n_columns: int) -> np.ndarray:
    """Return the mean square of the sum of two fields for every column by which the first lies too far east."""
    return np.asarray(
        turned(moved, moved, n_columns)[0] + turned(fixed, fixed, n_columns)[0] + 2 * turned(moved, fixed, n_columns)
    )


def _waves(field: np.ndarray, evidence: Evidence) -> np.ndarray:
    weighted = np.where(np.isfinite(field), field, 0.0) * np.sqrt(flow.band(evidence.coarse, *BAND))
    return np.asarray(np.fft.rfft(weighted, axis=-1))
