"""The storms of one time: candidates are judged criterion by criterion, the cheapest first."""

from collections.abc import Mapping

import numpy as np

from weatherml.extremes.tracks.detection import contours, extrema, nearby, refinement
from weatherml.extremes.tracks.detection.criteria import ClosedContour, Detection
from weatherml.extremes.tracks.detection.surroundings import Surroundings

Columns = dict[str, np.ndarray]
"""What is known of the storms of a time, `[storm]` each."""


def detect(fields: Mapping[str, np.ndarray], detection: Detection, around: Surroundings) -> Columns:
    """Return the storms of one time, from north to south.

    Args:
        fields: By their names in the detection, `[lat, lon]` on the grid; those that no criterion needs may be missing.
        detection: What makes a storm.
        around: The grid.

    Returns:
        `latitude` and `longitude` of the centre between grid points, degrees; the field in which extrema are sought, at
        the grid point that has the extremum; and a column for each `Nearby`.
    """
    own = {name: field.take(around.columns, axis=1) for name, field in fields.items() if name in detection.told}
    sought = own[detection.field]
    senses = extrema.sense(detection.extremum, around)
    cells = extrema.candidates(sought, detection, around)
    for contour in detection.contours:
        turned = _senses(contour, detection, senses[cells[:, 0]])
        cells = cells[contours.fulfilled(contour, own[contour.field], cells, turned, around)]
    columns: Columns = {}
    for each in detection.nearby:
        if each.field not in own:
            continue
        values = np.asarray(
            [nearby.value(each, own[each.field], (row, column), around) for row, column in cells.tolist()]
        )
        kept = nearby.is_kept(each, values)
        cells, columns = cells[kept], {name: told[kept] for name, told in (columns | {each.column: values}).items()}
    latitude, longitude = refinement.centres(sought, cells, around)
    at_cells = sought[cells[:, 0], cells[:, 1]].astype(np.float64)
    return {"latitude": latitude, "longitude": longitude, detection.field: at_cells, **columns}


def _senses(contour: ClosedContour, detection: Detection, senses: np.ndarray) -> np.ndarray:
    """Return what a contour's change is multiplied by: -1 of vorticity south of the equator."""
    is_turned = detection.extremum == "cyclonic" and contour.field == detection.field
    return -senses if is_turned else np.ones(len(senses))
