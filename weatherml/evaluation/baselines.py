"""What a forecast must beat: persistence, climatology and damped persistence, as forecasts like any other."""

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.evaluation.damping import fit_damping
from weatherml.grid import LatLonGrid
from weatherml.references import Reference, as_reference, time_index
from weatherml.state import on_grid, with_metadata
from weatherml.times import parse_times

__all__ = ["climatology", "damped_persistence", "fit_damping", "persistence"]


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


def climatology(climatology: xr.Dataset | Reference, init_times: np.ndarray, lead_times: np.ndarray) -> xr.Dataset:
    """Forecast the climatology of each valid time.

    Args:
        climatology: Is asked for every valid time.
        init_times: `datetime64 [init]`.
        lead_times: `timedelta64 [lead]`.

    Returns:
        Dims (init_time, lead_time, level, latitude, longitude); as lazy as the climatology.

    Raises:
        UserError: The climatology lacks a valid time.
    """
    return with_metadata(_at_valid_times(as_reference(climatology), init_times, lead_times))


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
        Dims (init_time, lead_time, level, latitude, longitude), of the variables that all three have; as lazy as they
        are.

    Raises:
        UserError: The truth or the climatology lacks a time, or the damping a lead time.
    """
    missing = np.setdiff1d(lead_times, damping["lead_time"].values)
    if missing.size:
        raise UserError(f"the damping was not fitted for lead time {missing[0]}; pass it to fit_damping")
    reference, grid = as_reference(climatology), LatLonGrid.from_dataset(truth)
    at_start, at_valid = (
        on_grid(_at_valid_times(reference, init_times, leads), grid) for leads in (lead_times[:1] * 0, lead_times)
    )
    start = persistence(truth, init_times, lead_times) - at_start.isel(lead_time=0, drop=True)
    return with_metadata(at_valid + damping.sel(lead_time=lead_times).astype(np.float32) * start)


def _at_valid_times(reference: Reference, init_times: np.ndarray, lead_times: np.ndarray) -> xr.Dataset:
    init_times = parse_times(init_times, "init_time")
    valid = init_times[:, None] + lead_times
    times, index = np.unique(valid, return_inverse=True)
    expected = reference.at(times)
    chosen = expected.isel(time=xr.DataArray(index.reshape(valid.shape), dims=("init_time", "lead_time")))
    return chosen.drop_vars("time").assign_coords(init_time=init_times, lead_time=lead_times)
