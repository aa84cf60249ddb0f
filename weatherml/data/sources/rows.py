"""Rows of a grid that a source keeps."""

from typing import Annotated

import numpy as np
from pydantic import AfterValidator

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid


def _southward(latitude: tuple[float, float]) -> tuple[float, float]:
    first, last = latitude
    if max(abs(first), abs(last)) > 90:
        raise UserError(f"{list(latitude)} reaches beyond a pole; latitudes are 90 to -90 degrees north")
    if first < last:
        raise UserError(f"{list(latitude)} runs north; write the northern one first, [{last:g}, {first:g}]")
    return latitude


Rows = Annotated[tuple[float, float], AfterValidator(_southward)]
"""First and last row to keep, degrees north, in a configuration."""


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
