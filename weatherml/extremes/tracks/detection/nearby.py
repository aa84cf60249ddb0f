"""What a field is like around a cell."""

import numpy as np

from weatherml.extremes.tracks.detection.criteria import Nearby
from weatherml.extremes.tracks.detection.surroundings import Surroundings


def value(nearby: Nearby, field: np.ndarray, cell: tuple[int, int], around: Surroundings) -> float:
    """Return a statistic of the points of a field `[lat, lon]` around a cell, in its units; missing ones are left out.

    Args:
        nearby: Which statistic, and how far away.
        field: Columns eastward.
        cell: Row and column.
        around: What is beside each cell.
    """
    if not nearby.distance:
        return float(field[cell])
    patch = around.patch(*cell, nearby.distance)
    values = patch.of(field)
    within = (patch.distance <= nearby.distance) & np.isfinite(values)
    if not within.any():
        return float("nan")
    if nearby.statistic == "mean":
        areas = np.broadcast_to(around.grid.cell_areas()[patch.rows, None], values.shape)
        return float(np.average(values[within], weights=areas[within]))
    return float(values[within].max() if nearby.statistic == "maximum" else values[within].min())


def is_kept(nearby: Nearby, values: np.ndarray) -> np.ndarray:
    """Return which candidates `[candidate]` have no less and no more than they may; none where it is not known."""
    kept = np.ones(len(values), bool)
    if nearby.least is not None:
        kept &= values >= nearby.least
    if nearby.most is not None:
        kept &= values <= nearby.most
    return kept
