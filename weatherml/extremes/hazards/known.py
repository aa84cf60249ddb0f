"""What is not known is neither an event nor none: the one rule of all hazards for values that are missing."""

from typing import TypeVar

import numpy as np
import xarray as xr

Field = TypeVar("Field", np.ndarray, xr.DataArray)


def known_only(event: Field, is_known: Field) -> Field:
    """Return events as verification takes them, float32: 1 or 0, and NaN where that is not known.

    Args:
        event: Bool, where it is an event; anything where that is not known.
        is_known: Bool.
    """
    if isinstance(event, xr.DataArray):
        return event.astype(np.float32).where(is_known)
    return np.where(is_known, event.astype(np.float32), np.float32(np.nan))


def agreed(least: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Return events that are such whatever the missing values are, as `known_only`.

    Args:
        least: Bool, where it is an event if no missing value makes one.
        most: Bool, where it is an event if all of them do.
    """
    return known_only(least, least == most)
