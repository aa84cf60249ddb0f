"""A truth that is finer in time than a forecast, over the windows that end at the forecast's valid times."""

import numpy as np
import xarray as xr

from weatherml.data.derived.accumulation import Accumulated, terms_of
from weatherml.data.derived.derivations import DERIVATIONS, Sum
from weatherml.durations import format_duration, require_multiple
from weatherml.errors import UserError
from weatherml.variables import VARIABLES


def averaged(truth: xr.Dataset, ends: np.ndarray, window: np.timedelta64) -> xr.Dataset:
    """Return means of a truth over the window before each of some times, its end included, lazily.

    Args:
        truth: With `time`, evenly spaced.
        ends: Times `[end]`, rising; those whose window is not wholly there are left out.
        window: A multiple of the spacing.

    Raises:
        UserError: It is not, or no window is there.
    """
    spacing = _spacing(truth)
    require_multiple("average", window, spacing, "the truth's spacing")
    moments = ends[:, None] - spacing * np.arange(int(window // spacing))
    weights = np.full(moments.shape, spacing / window)
    fields = {name: combined(field, ends, moments, weights) for name, field in truth.data_vars.items()}
    return _whole(truth, fields, f"the mean over {format_duration(window)}")


def accumulated_over(truth: xr.Dataset, name: str, ends: np.ndarray, accumulated: Accumulated) -> xr.DataArray:
    """Return sums such as `total_precipitation_6hr` that end at some times, from what a truth accumulates, lazily.

    Raises:
        UserError: No window is wholly there.
    """
    way = sum_of(name)
    assert way is not None  # the caller asks for sums alone
    terms = terms_of(ends, way.window, accumulated)
    field = combined(truth[way.inputs[0]], ends, terms.times, terms.signs.astype(np.float64))
    if not field.sizes["time"]:
        raise UserError(
            f"the truth has no time up to which {name} can be summed from {way.inputs[0]} ({accumulated}); pass a"
            " truth of every hour, or say how it accumulates"
        )
    variable = VARIABLES[name]
    return field.clip(min=0).assign_attrs({"units": variable.units, "long_name": variable.long_name})


def sum_of(name: str) -> Sum | None:
    """Return how a variable is summed over time; None of what is no sum over more than an hour."""
    ways = [way for way in DERIVATIONS.get(name, ()) if isinstance(way, Sum) and way.inputs != (name,)]
    return ways[0] if ways else None


def combined(field: xr.DataArray, ends: np.ndarray, moments: np.ndarray, weights: np.ndarray) -> xr.DataArray:
    """Return weighted sums over time, float32, lazily: of each end all whose moments are there.

    Args:
        field: With `time`.
        ends: `[end]`.
        moments: `[end, moment]`.
        weights: `[end, moment]`; what weighs nothing need not be there, and may be missing.
    """
    if "time" not in field.dims:
        return field
    places = field.indexes["time"].get_indexer(moments.ravel()).reshape(moments.shape)
    is_whole = ((places >= 0) | (weights == 0)).all(axis=1)
    places, weights = np.maximum(places[is_whole], 0), weights[is_whole]
    n_ends, n_moments = weights.shape
    weighing = xr.DataArray(weights.ravel(), dims="time")
    chosen = field.isel(time=places.ravel()).drop_vars("time")
    weighed = (chosen * weighing).where(weighing != 0, 0) if n_ends else chosen
    apart = weighed.coarsen(time=n_moments).construct(time=("time", "moment")) if n_ends else weighed
    summed = apart.sum("moment", skipna=False) if n_ends else apart
    result: xr.DataArray = summed.astype(np.float32).assign_coords(time=ends[is_whole]).transpose(*field.dims)
    return result.assign_attrs(field.attrs)


def _whole(truth: xr.Dataset, fields: dict[object, xr.DataArray], what: str) -> xr.Dataset:
    times = next((field["time"] for field in fields.values() if "time" in field.dims), None)
    if times is None or not times.size:
        raise UserError(f"the truth has no time up to which {what} is wholly there; pass a longer one")
    return truth.drop_vars([*fields, "time"]).assign(fields)


def _spacing(truth: xr.Dataset) -> np.timedelta64:
    """Return the time between two fields of the truth, the same throughout.

    Raises:
        UserError: There is one time alone.
    """
    steps = np.diff(truth["time"].values)
    if not steps.size:
        raise UserError("the truth has one time, over which nothing is averaged; pass a longer one, or leave that out")
    least: np.timedelta64 = steps.min()
    return least
