"""Rows of a grid that a source keeps."""

import numpy as np

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid


def rows_between(grid: LatLonGrid, latitude: tuple[float, float]) -> LatLonGrid:
    """Keep the rows from the first to the last latitude, degrees north.

    Raises:
        UserError: None lies there.
    """
    rows = np.asarray(grid.latitude)
    kept = rows[(rows <= latitude[0]) & (rows >= latitude[1])]
    if not kept.size:
        raise UserError(
            f"no row lies between latitudes {latitude[0]} and {latitude[1]}; rows run {rows[0]} .. {rows[-1]}"
        )
    return LatLonGrid(tuple(kept.tolist()), grid.longitude)  # the very values, by which rows are then selected
