"""What a forecast must beat: persistence, climatology and damped persistence, as forecasts like any other."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.matching import as_slice, time_index
from weatherml.state import on_grid, spec_of, with_metadata
from weatherml.times import parse_times
from weatherml.wording import counted

_CELLS = 16


def persistence(truth: xr.Dataset, init_times: np.ndarray, lead_times: np.ndarray) -> xr.Dataset:
    """Forecast that the analysis of the init time stays.

    Args:
        truth: Analyses with every init time.
        init_times: `datetime64 [init]`.
        lead_times: `timedelta64 [lead]`.

    Returns:
        Dims (init_time, lead_time, level, latitude, longitude); as lazy as the truth, and each analysis is held once.

    Raises:
        UserError: The truth lacks an init time.
    """
    start = truth.isel(time=time_index(truth, parse_times(init_times, "init_time"), "the truth")).rename(
        time="init_time"
    )
    return with_metadata(start.expand_dims(lead_time=lead_times, axis=1))


def climatology(climatology: xr.Dataset, init_times: np.ndarray, lead_times: np.ndarray) -> xr.Dataset:
    """Forecast the climatology of each valid time.

    Args:
        climatology: With a `time` that holds every valid time.
        init_times: `datetime64 [init]`.
        lead_times: `timedelta64 [lead]`.

    Returns:
        Dims (init_time, lead_time, level, latitude, longitude); as lazy as the climatology.

    Raises:
        UserError: The climatology lacks a valid time.
    """
    return with_metadata(_at_valid_times(climatology, init_times, lead_times))


def damped_persistence(
    truth: xr.Dataset, climatology: xr.Dataset, damping: xr.Dataset, init_times: np.ndarray, lead_times: np.ndarray
) -> xr.Dataset:
    """Forecast the climatology of the valid time plus a damped part of the anomaly at the init time.

    Args:
        truth: Analyses with every init time.
        climatology: With a `time` that holds every init and valid time.
        damping: As `fit_damping` returns it, fitted for every lead time.
        init_times: `datetime64 [init]`.
        lead_times: `timedelta64 [lead]`.

    Returns:
        Dims (init_time, lead_time, level, latitude, longitude), of the variables that all three have; as lazy as they
        are.

    Raises:
        UserError: The truth or the climatology lacks a time, or the damping a lead time.
    """
    missing = np.setdiff1d(lead_times, damping["lead_time"].values)
    if missing.size:
        raise UserError(f"the damping was not fitted for lead time {missing[0]}; pass it to fit_damping")
    climatology = on_grid(climatology, LatLonGrid.from_dataset(truth))
    start = persistence(truth, init_times, lead_times) - persistence(climatology, init_times, lead_times)
    anomaly = damping.sel(lead_time=lead_times).astype(np.float32) * start
    return with_metadata(_at_valid_times(climatology, init_times, lead_times) + anomaly)


def fit_damping(truth: xr.Dataset, climatology: xr.Dataset, lead_times: np.ndarray) -> xr.Dataset:
    """Regress the anomaly one lead time later on the anomaly: one coefficient for each channel and lead time.

    It minimises the area-weighted squared error over all pairs of times in the dataset that lie one lead apart, so pass
    the training period alone. One variable of the period is in memory at once.

    Args:
        truth: Analyses; points that are NaN at the first time do not count.
        climatology: With every time of the truth.
        lead_times: `timedelta64 [lead]`.

    Returns:
        One variable for each of the truth's, dims (lead_time, level), without units.

    Raises:
        UserError: The climatology lacks a time, or no two times lie one lead apart.
    """
    climatology = on_grid(climatology, LatLonGrid.from_dataset(truth))
    expected = climatology.isel(time=time_index(climatology, truth["time"].values, "the climatology"))
    pairs = [_pairs(truth, lead) for lead in lead_times]
    areas = LatLonGrid.from_dataset(truth).cell_areas()[:, None]

    def slopes(anomaly: xr.DataArray) -> Any:
        regress, fields = partial(_regress, areas=areas, pairs=pairs), ["time", "latitude", "longitude"]
        return xr.apply_ufunc(
            regress, anomaly, input_core_dims=[fields], output_core_dims=[["lead_time"]], vectorize=True
        )

    damping = {name: slopes((truth[name] - expected[name]).compute()) for name in spec_of(truth).variables}
    return xr.Dataset(damping).assign_coords(lead_time=lead_times).transpose("lead_time", ...)


def _at_valid_times(dataset: xr.Dataset, init_times: np.ndarray, lead_times: np.ndarray) -> xr.Dataset:
    init_times = parse_times(init_times, "init_time")
    index = time_index(dataset, init_times[:, None] + lead_times, "the climatology")
    chosen = dataset.isel(time=xr.DataArray(index, dims=("init_time", "lead_time"))).drop_vars("time")
    return chosen.assign_coords(init_time=init_times, lead_time=lead_times)


def _pairs(dataset: xr.Dataset, lead: np.timedelta64) -> tuple[slice | np.ndarray, slice | np.ndarray]:
    """Return the positions of the times that have another one lead later, and of those later times."""
    times = dataset.indexes["time"]
    later = times.get_indexer(times + lead)
    known = np.flatnonzero(later >= 0)
    if not known.size:
        raise UserError(
            f"no two of {counted(len(times), 'time')} lie {lead} apart; "
            "fit the damping at lead times that are multiples of the time step"
        )
    return as_slice(known), as_slice(later[known])


def _regress(anomaly: np.ndarray, areas: np.ndarray, pairs: Sequence[tuple[Any, Any]]) -> np.ndarray:
    """Return the slope of each lead time from anomalies `[time, lat, lon]`."""
    mask = np.isfinite(anomaly[0])
    fields, weights = anomaly[:, mask], np.broadcast_to(areas, mask.shape)[mask]
    products, squares = np.zeros(len(pairs)), np.zeros(len(anomaly))
    # A few cells at a time, whose series stay in the cache while every lead passes over them: ten times as fast.
    for begin in range(0, len(weights), _CELLS):
        cells = slice(begin, begin + _CELLS)
        series = np.ascontiguousarray(fields[:, cells].T, np.float64)
        weighted = weights[cells, None] * series
        squares += (weighted * series).sum(axis=0)
        products += [np.vecdot(weighted[:, first], series[:, later]).sum() for first, later in pairs]
    with np.errstate(invalid="ignore"):  # a level that is missing throughout has no slope
        return np.asarray(products / [squares[first].sum() for first, _ in pairs])
