"""What a forecast must beat: persistence, climatology and damped persistence, as forecasts like any other."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.references import (
    Reference,
    Selective,
    as_reference,
    narrowed,
    require_times,
    time_index,
    warn_of_knowing,
)
from weatherml.state import on_grid, with_metadata
from weatherml.times import parse_times
from weatherml.verification.baselines.damping import fit_damping
from weatherml.verification.baselines.lazy_forecast import lazy_forecast

__all__ = ["climatology", "damped_persistence", "fit_damping", "persistence"]

Levels = Mapping[str, Sequence[int]]


def persistence(truth: xr.Dataset, init_times: np.ndarray, lead_times: np.ndarray) -> xr.Dataset:
    """Forecast that the analysis of the init time stays.

    Args:
        truth: Analyses with every init time.
        init_times: `datetime64 [init]`.
        lead_times: `timedelta64 [lead]`.

    Returns:
        Dims (init_time, lead_time, level, latitude, longitude); read where it is read where the truth is lazy, and each
        analysis is held once.

    Raises:
        UserError: The truth lacks an init time.
    """
    init_times, truth = parse_times(init_times, "init_time"), varying(truth)
    time_index(truth, init_times, "the truth")

    def make(kept: Levels | None, init_times: np.ndarray, lead_times: np.ndarray) -> xr.Dataset:
        return _persistence(_truth_of(truth, kept), init_times, lead_times)

    return with_metadata(_forecast(make, [truth], init_times, lead_times))


def climatology(climatology: xr.Dataset | Reference, init_times: np.ndarray, lead_times: np.ndarray) -> xr.Dataset:
    """Forecast the climatology of each valid time.

    Args:
        climatology: Is asked for every valid time.
        init_times: `datetime64 [init]`.
        lead_times: `timedelta64 [lead]`.

    Returns:
        Dims (init_time, lead_time, level, latitude, longitude); computed where it is read, unless the climatology is in
        memory.

    Raises:
        UserError: The climatology lacks a valid time.
    """
    init_times, reference = parse_times(init_times, "init_time"), as_reference(climatology)
    require_times(reference, init_times[:, None] + lead_times)
    warn_of_knowing(reference, init_times[:, None] + lead_times)

    def make(kept: Levels | None, init_times: np.ndarray, lead_times: np.ndarray) -> xr.Dataset:
        return _at_valid_times(_reference_of(reference, kept), init_times, lead_times)

    return with_metadata(_forecast(make, [reference], init_times, lead_times))


def damped_persistence(
    truth: xr.Dataset,
    climatology: xr.Dataset | Reference,
    damping: xr.Dataset,
    init_times: np.ndarray,
    lead_times: np.ndarray,
) -> xr.Dataset:
    """Forecast the climatology of the valid time plus a damped part of the anomaly at the init time.

    Args:
        truth: Analyses with every init time.
        climatology: Is asked for every init and valid time.
        damping: As `fit_damping` returns it, fitted for every lead time.
        init_times: `datetime64 [init]`.
        lead_times: `timedelta64 [lead]`.

    Returns:
        Dims (init_time, lead_time, level, latitude, longitude), of the variables that all three have; computed where it
        is read, unless truth and climatology are in memory.

    Raises:
        UserError: The truth or the climatology lacks a time, or the damping a lead time.
    """
    missing = np.setdiff1d(lead_times, damping["lead_time"].values)
    if missing.size:
        raise UserError(f"the damping was not fitted for lead time {missing[0]}; pass it to fit_damping")
    init_times, reference = parse_times(init_times, "init_time"), as_reference(climatology)
    truth, grid = varying(truth), LatLonGrid.from_dataset(truth)
    time_index(truth, init_times, "the truth")
    for times in (init_times, init_times[:, None] + lead_times):
        require_times(reference, times)

    def make(kept: Levels | None, init_times: np.ndarray, lead_times: np.ndarray) -> xr.Dataset:
        own, expected = _truth_of(truth, kept), _reference_of(reference, kept)
        at_start = on_grid(_at_valid_times(expected, init_times, lead_times[:1] * 0), grid)
        anomaly = _persistence(own, init_times, lead_times) - at_start.isel(lead_time=0, drop=True)
        damped = damping.sel(lead_time=lead_times).astype(np.float32) * anomaly
        return on_grid(_at_valid_times(expected, init_times, lead_times), grid) + damped

    return with_metadata(_forecast(make, [truth, reference], init_times, lead_times))


def varying(truth: xr.Dataset) -> xr.Dataset:
    """Return the fields that are forecast: not the height of the ground, which a store may hold beside them."""
    return truth[[name for name, field in truth.data_vars.items() if "time" in field.dims]]


_Make = Callable[[Levels | None, np.ndarray, np.ndarray], xr.Dataset]
"""From levels of the variables that are wanted, or None for all, init times and lead times to their forecast."""


def _forecast(
    make: _Make, sources: Sequence[xr.Dataset | Reference], init_times: np.ndarray, lead_times: np.ndarray
) -> xr.Dataset:
    """Make a forecast of what is in memory or dask's; of anything else what is read, when it is."""
    if all(_is_at_hand(source) for source in sources):
        return make(None, init_times, lead_times)
    first = make(None, init_times[:1], lead_times[:1])
    computed = [source.at(init_times[:1]) for source in sources if isinstance(source, Selective)]
    levels = {str(name): _levels(field, computed) for name, field in first.data_vars.items()}

    def compute(name: str, *times: np.ndarray) -> xr.DataArray:
        field = make({name: levels[name]}, *times)[name]
        return field.reindex(level=first["level"]) if "level" in field.dims else field

    return lazy_forecast(compute, first, init_times, lead_times)


def _is_at_hand(source: xr.Dataset | Reference) -> bool:
    dataset = getattr(source, "dataset", source)
    if not isinstance(dataset, xr.Dataset):
        return False
    return all(field.chunks is not None or field.variable._in_memory for field in dataset.data_vars.values())


def _levels(field: xr.DataArray, computed: Sequence[xr.Dataset]) -> tuple[int, ...]:
    """Return the levels of a field that all that is computed for it has (ragged sets); those of data may miss a time.

    Args:
        field: Of the forecast.
        computed: What references compute at one time, NaN throughout at levels that they do not have.
    """
    if "level" not in field.dims:
        return ()
    levels = field["level"]
    for own in (dataset[field.name] for dataset in computed):
        has_any = own.notnull().any([dim for dim in own.dims if dim != "level"])
        levels = levels[levels.isin(own["level"][has_any])]
    return tuple(levels.values.tolist())


def _truth_of(truth: xr.Dataset, kept: Levels | None) -> xr.Dataset:
    return truth if kept is None else truth[list(kept)]


def _reference_of(reference: Reference, kept: Levels | None) -> Reference:
    return reference if kept is None else narrowed(reference, kept)


def _persistence(truth: xr.Dataset, init_times: np.ndarray, lead_times: np.ndarray) -> xr.Dataset:
    start = truth.isel(time=time_index(truth, init_times, "the truth")).rename(time="init_time")
    return start.expand_dims(lead_time=lead_times, axis=1)


def _at_valid_times(reference: Reference, init_times: np.ndarray, lead_times: np.ndarray) -> xr.Dataset:
    valid = init_times[:, None] + lead_times
    times, index = np.unique(valid, return_inverse=True)
    expected = reference.at(times)
    chosen = expected.isel(time=xr.DataArray(index.reshape(valid.shape), dims=("init_time", "lead_time")))
    return chosen.drop_vars("time").assign_coords(init_time=init_times, lead_time=lead_times)
