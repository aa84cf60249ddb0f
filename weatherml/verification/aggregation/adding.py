"""What parts of one sum must have in common, so that nothing is added up that was judged in another way."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid

NOTHING = "nothing is left to judge: nowhere are forecast, truth and references all told"


def digest(*arrays: np.ndarray) -> str:
    """Return a few letters that tell arrays apart."""
    content = b"".join(np.ascontiguousarray(own).tobytes() for own in arrays)
    return hashlib.sha256(content).hexdigest()[:16]


def told_of_grid(grid: LatLonGrid) -> str:
    """Return a line that tells grids apart, whatever the precision in which files hold them."""
    own = digest(np.asarray(grid.latitude), np.asarray(grid.longitude))
    return f"{grid.n_lat} x {grid.n_lon} from {grid.latitude[0]:g} N {grid.longitude[0]:g} E ({own})"


def require_alike(first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    """Require that what both parts tell of themselves is the same.

    Raises:
        UserError: They were judged in two ways, such as with other members or on other grids.
    """
    for name in sorted(name for name in first.keys() & second.keys() if first[name] != second[name]):
        raise UserError(
            f"parts of one sum were judged with {name} {first[name]} and {second[name]}; judge all init times with the"
            " same members, grid, regions and metrics"
        )


def sizes_of_axes(dataset: xr.Dataset, dims: Sequence[str]) -> dict[str, int]:
    """Return the sizes of the axes that statistics have of their own, such as ranks, beside dims that grow."""
    return {f"axis {dim}": size for dim, size in dataset.sizes.items() if dim not in dims}


def held_twice(what: str, init_time: np.datetime64) -> UserError:
    """Return what is said where two parts hold the same."""
    return UserError(
        f"two parts both hold {what} of init time {np.datetime_as_string(init_time, 'm')}; add parts of other init"
        " times, or select what only one of them has"
    )


def no_truth(dataset: xr.Dataset) -> UserError:
    """Return what is said where none of the valid times of some sums has a truth."""
    valid = dataset["init_time"].values[:, None] + dataset["lead_time"].values
    first, last = (str(own)[:16] for own in (valid.min(), valid.max()))
    return UserError(
        f"no valid time of the forecast, {first} to {last}, has a truth; give a truth of these times, or select init"
        " times whose valid times it holds"
    )
