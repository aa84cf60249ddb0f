"""Onto which grid, and how: what a configuration says."""

from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field, model_validator

from weatherml.config import Config
from weatherml.data.regrid.regridding import Method
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid


class RegridConfig(Config):
    """A target grid. Its name alone may stand for it: `regrid: 1.5deg`.

    Attributes:
        grid: Name of a global grid, such as `1.5deg`, `121x240`, `gaussian 32x64` or `0.25deg without south pole`.
        rows: Latitudes instead of a name, degrees north, falling.
        columns: Longitudes instead of a name, degrees east from 0 to 360, rising.
        region: North, west, south and east in degrees: only rows and columns inside; west > east goes over 0.
        method: conservative, bilinear or nearest.
        min_valid_fraction: Part of a cell that values must fill for it not to be missing.
    """

    grid: str | None = None
    # Not strict: what a validator has looked at before is no JSON any more, in which lists stand for tuples.
    rows: Annotated[tuple[float, ...], Field(strict=False)] | None = None
    columns: Annotated[tuple[float, ...], Field(strict=False)] | None = None
    region: Annotated[tuple[float, float, float, float], Field(strict=False)] | None = None
    method: Method = "conservative"
    min_valid_fraction: float = Field(default=0.5, ge=0, le=1)

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float | list | tuple):  # YAML reads 0x4 as 4
            raise UserError(f"{value!r} says no grid; write 1.5deg, 121x240 or gaussian 32x64")
        return {"grid": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _names_a_grid(self) -> Self:
        self.target()
        return self

    def target(self) -> LatLonGrid:
        """Return the grid."""
        given = [self.rows is not None, self.columns is not None]
        if any(given) if self.grid is not None else not all(given):
            raise UserError("say which grid to regrid to: a name (grid: 1.5deg), or rows and columns, not both")
        if self.grid is not None:
            return _within(LatLonGrid.named(self.grid), self.region)
        return _within(LatLonGrid.from_coordinates(np.array(self.rows), np.array(self.columns)), self.region)


def _within(grid: LatLonGrid, region: tuple[float, float, float, float] | None) -> LatLonGrid:
    if region is None:
        return grid
    north, west, south, east = region
    rows = [row for row in grid.latitude if south <= row <= north]
    width = 360.0 if east - west >= 360 else (east - west) % 360
    columns = [column for column in grid.longitude if (column - west) % 360 <= width]
    if not rows or not columns:
        raise UserError(f"region {list(region)} holds no point of the grid; it reads [north, west, south, east]")
    return LatLonGrid(tuple(rows), tuple(columns))
