"""What of a forecast is judged: the levels of its variables, and the points where the truth is defined."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import xarray as xr

from weatherml.references import values_of
from weatherml.state import spec_of


@dataclass(frozen=True, eq=False)
class Domain:
    """What is judged: it is found once, where a forecast is read in parts.

    Attributes:
        levels: Of each variable, hPa; empty where it has one height.
        masks: Where the truth of each variable is defined, `[level, lat, lon]`.
        since: The valid time at which it was looked.
    """

    levels: dict[str, tuple[int, ...]]
    masks: dict[str, np.ndarray]
    since: np.datetime64

    def only(self, names: Iterable[str]) -> "Domain":
        """Keep some variables."""
        names = list(names)
        return replace(
            self, levels={name: self.levels[name] for name in names}, masks={name: self.masks[name] for name in names}
        )


def levels_with_values(forecast: xr.Dataset) -> dict[str, tuple[int, ...]]:
    """Read at which levels each variable is not NaN throughout; all of them where it is at each."""
    levels = dict(spec_of(forecast).variables)
    for name in (name for name in levels if len(levels[name]) > 1):
        empty = empty_levels(forecast[name], levels[name])
        levels[name] = tuple(own for own in levels[name] if own not in empty) or levels[name]
    return levels


def empty_levels(field: xr.DataArray, levels: Sequence[int]) -> list[int]:
    """Return the levels of a forecast that are NaN at the first and last initial time and lead.

    Of one alone a forecast may lack some. Where the first is whole, no more is read.

    Args:
        field: Dims (init_time, lead_time, number, level, latitude, longitude), or without number.
        levels: Of the field, hPa.
    """
    empty = list(levels)
    corners = product(*(sorted({0, field.sizes[dim] - 1}) for dim in ("init_time", "lead_time")))
    for init, lead in corners:
        values = values_of(field.isel(init_time=init, lead_time=lead), empty, "number")
        is_there = np.isfinite(values).any(axis=(0, 2, 3))
        empty = [level for level, there in zip(empty, is_there, strict=True) if not there]
        if not empty:
            break
    return empty
