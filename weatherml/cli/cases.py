"""What a case names, opened: the truth, what is usual, and forecasts of each system."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np
import xarray as xr

from weatherml.cli.paths import located
from weatherml.data.reading.opening import open_files
from weatherml.errors import UserError
from weatherml.extremes.cases.config import Baseline, Case, Stored
from weatherml.extremes.cases.made_forecasts import BASELINES
from weatherml.extremes.cases.stage import of_variables
from weatherml.extremes.hazards.registry import find
from weatherml.products import read_forecast
from weatherml.storage.locations import is_url
from weatherml.verification.systems import common_init_times

_SMALL = 2**28
"""Bytes of analyses that are read once, and held."""


@dataclass(frozen=True, eq=False)
class Opened:
    """What a case is run on, none of it read.

    Attributes:
        forecasts: By the name of the system, in the case's order.
        truth: Analyses.
        usual: Those that thresholds are taken from; the truth when None.
    """

    forecasts: dict[str, xr.Dataset]
    truth: xr.Dataset
    usual: xr.Dataset | None


def open_case(case: Case) -> Opened:
    """Open what a case names.

    Raises:
        UserError: Something cannot be read or made, or it is not said when baselines begin.
    """
    hazard = find(case.hazard)
    truth = of_variables(open_files(located(case.truth.path), rename=case.truth.rename), hazard, "the truth")
    if truth.nbytes <= _SMALL:  # baselines ask for the same times again and again
        truth = truth.compute()
    climatology = case.climatology
    usual = None
    if climatology is not None and climatology.path is not None:
        usual = open_files(located([climatology.path]), rename=climatology.rename)
    read = {name: _read(own) for name, own in case.systems.items() if isinstance(own, Stored)}
    init_times, lead_times = _times(case, read)
    if case.calibration is not None and len(lead_times):
        then = case.calibration.init_times(init_times.min(), lead_times.max())
        init_times = np.union1d(init_times, then)
    forecasts = {}
    for name, own in case.systems.items():
        if isinstance(own, Baseline):
            forecasts[name] = _made(name, own, truth, init_times, lead_times)
        else:
            forecasts[name] = read[name]
    return Opened(forecasts, truth, usual)


def paths_of(case: Case) -> Iterator[str]:
    """Yield all paths that are read."""
    yield from case.truth.path
    yield from (own.path for own in case.systems.values() if isinstance(own, Stored))
    if case.climatology is not None and case.climatology.path is not None:
        yield case.climatology.path


def _read(own: Stored) -> xr.Dataset:
    return read_forecast(own.path if is_url(own.path) else Path(own.path), rename=own.rename or None)


def _made(name: str, asked: Baseline, truth: xr.Dataset, init_times: np.ndarray, lead_times: np.ndarray) -> xr.Dataset:
    _require_hours(name, truth["time"].values, init_times)
    try:
        return BASELINES[asked.baseline](truth, init_times, lead_times, asked)
    except UserError as error:
        raise error.within(f"{name} cannot be made: ") from None


def _require_hours(name: str, times: np.ndarray, init_times: np.ndarray) -> None:
    """Require baselines to begin at hours that the truth has.

    Raises:
        UserError: They begin at others.
    """
    if not len(init_times) or np.isin(init_times, times).any():
        return
    near = times[np.abs(times - init_times[0]).argmin()]
    if abs(near - init_times[0]) < np.timedelta64(1, "D"):
        raise UserError(
            f"{name} cannot be made: forecasts begin at {init_times[0]:.16}, and the truth has {near:.16}; say"
            f" init_times: {{first: {near:.16}, last: ...}}, or leave {name} out where other systems begin at that hour"
        )


def _times(case: Case, read: dict[str, xr.Dataset]) -> tuple[np.ndarray, np.ndarray]:
    """Return the initial and lead times of baselines."""
    if not any(isinstance(own, Baseline) for own in case.systems.values()):
        return np.array([], "datetime64[ns]"), np.array([], "timedelta64[ns]")
    if (case.init_times is None or case.lead_times is None) and not read:
        raise UserError(
            "no system tells when forecasts begin and how far they reach; say it: init_times: {first: 2015-06-20, last:"
            " 2015-07-01} and lead_times: {last: 10d}"
        )
    init_times = common_init_times(read) if case.init_times is None else case.init_times.values
    if case.lead_times is not None:
        return init_times, case.lead_times.values
    leads = [own["lead_time"].values for own in read.values()]
    furthest = max(own.max() for own in leads)  # a system that is too short shortens no other
    return init_times, reduce(np.intersect1d, [own for own in leads if own.max() == furthest])
