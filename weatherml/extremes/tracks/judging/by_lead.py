"""Errors of tracks by lead time, with intervals over storms, and of several systems on one sample."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.extremes.tracks import table
from weatherml.extremes.tracks.judging.errors import ALONG, CROSS, ERROR, TRACK
from weatherml.extremes.tracks.judging.pairing import STORM
from weatherml.verification.significance.bootstrap import Circular
from weatherml.verification.significance.method import CONFIDENCE, Method
from weatherml.verification.significance.sample import Sample

BOUNDS = ("estimate", "lower", "upper")
STORMS: Method = Circular(length=1)
"""Storms are drawn whole, each with all of its forecasts: these fail together. A sample's items are storms, not times,
so blocks of one storm make the cluster bootstrap by storm."""


@dataclass(frozen=True)
class Statistic:
    """What is averaged of an error, and what is made of the mean."""

    of: Callable[[np.ndarray], np.ndarray]
    then: Callable[[np.ndarray], np.ndarray]


def _itself(values: np.ndarray) -> np.ndarray:
    return values


STATISTICS: Mapping[str, Statistic] = {
    "mean": Statistic(_itself, _itself),
    "mean_absolute": Statistic(np.abs, _itself),
    "root_mean_square": Statistic(np.square, np.sqrt),
}


def by_lead(
    errors: xr.Dataset, statistic: str = "mean", columns: Sequence[str] | None = None, interval: Method = STORMS
) -> xr.Dataset:
    """Average errors at each lead time, over all storms, initial times and members that have one.

    Args:
        errors: What `errors` returns, or any table with `storm` and, of forecasts, `lead_time`.
        statistic: "mean" (of signed errors the bias), "mean_absolute" or "root_mean_square".
        columns: Which; all whose names end in `_error` when None.
        interval: How intervals are had from the storms.

    Returns:
        One variable a column, dims (bound, lead_time), no lead_time of an analysis: estimate, and lower and upper bound
        of the 95 % interval, NaN where storms are too few; and `n_errors` and `n_storms` of the first column.

    Raises:
        UserError: The statistic or a column is unknown.
    """
    own, names = _statistic(statistic), _columns(errors, columns)
    judged, leads = {}, _leads(errors)
    samples = {name: storm_sample([_known(errors, name, own)], leads) for name in names}
    for name, sample in samples.items():
        bounds = interval.judge(replace(sample, function=own.then))
        values = np.stack([getattr(bounds, bound) for bound in BOUNDS])
        judged[name] = (("bound", "lead_time"), values, {"units": errors[name].attrs.get("units", "")})
    weights = samples[names[0]].weights[0]
    counts = {"n_errors": weights.sum(axis=0), "n_storms": np.count_nonzero(weights, axis=0)}
    fields = judged | {name: ("lead_time", counted.astype(int)) for name, counted in counts.items()}
    scores = xr.Dataset(fields, {"bound": list(BOUNDS), "lead_time": leads})
    attributes = {"statistic": statistic, "confidence": CONFIDENCE, "intervals": "over storms"}
    return (scores if "lead_time" in errors else scores.isel(lead_time=0, drop=True)).assign_attrs(attributes)


def homogeneous(systems: Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """Return what all systems forecast, so that none is judged on harder storms than another.

    Args:
        systems: Errors by name; a record is of one storm, initial time and valid time, whichever member's.

    Returns:
        The records of those storms and times that all systems have; where an error is not known of one system at any of
        them, as an intensity may be, it is not known of any.

    Raises:
        UserError: They have nothing in common.
    """
    if not systems:
        raise UserError("there are no systems to judge on one sample; pass errors by name, {'new': errors}")
    keys = [name for name in (STORM, "init_time", "time") if all(name in own for own in systems.values())]
    index = {name: pd.MultiIndex.from_frame(table.to_frame(own)[keys]) for name, own in systems.items()}
    shared = next(iter(index.values())).unique()
    for own in index.values():
        shared = shared.intersection(own.unique())
    if shared.empty:
        raise UserError(f"systems {listed(systems)} have no storm and time in common; judge them one by one")
    kept = {name: own.isel(record=index[name].isin(shared)) for name, own in systems.items()}
    columns = [name for name in _error_columns(next(iter(kept.values()))) if all(name in own for own in kept.values())]
    return _known_of_all(kept, keys, columns)


def differences(
    first: xr.Dataset, second: xr.Dataset, statistic: str = "mean", interval: Method = STORMS
) -> xr.Dataset:
    """Return how the errors of one system differ from those of another, at each lead time, on a homogeneous sample.

    Args:
        first: Errors of a system.
        second: Errors of another one.
        statistic: As `by_lead`.
        interval: How intervals are had from the storms, which are drawn together for both.

    Returns:
        One variable a column, dims (bound, lead_time): first less second, with bounds `estimate`, `lower`, `upper` and
        `p_value` (two-sided).
    """
    own = _statistic(statistic)
    pair = list(homogeneous({"first": first, "second": second}).values())
    names, leads = [name for name in _error_columns(pair[0]) if name in pair[1]], _leads(pair[0])
    judged = {}
    for name in names:
        sample = storm_sample([_known(errors, name, own) for errors in pair], leads)
        bounds = interval.judge(replace(sample, function=lambda one, other: own.then(one) - own.then(other)))
        values = np.stack([getattr(bounds, bound) for bound in (*BOUNDS, "p_value")])
        judged[name] = (("bound", "lead_time"), values, {"units": pair[0][name].attrs.get("units", "")})
    scores = xr.Dataset(judged, {"bound": [*BOUNDS, "p_value"], "lead_time": leads})
    return scores if "lead_time" in pair[0] else scores.isel(lead_time=0, drop=True)


def storm_sample(statistics: Sequence[pd.DataFrame], leads: np.ndarray) -> Sample:
    """Return sums of storms at leads, from which storms can be drawn.

    Args:
        statistics: Of each argument of a function, a table with `storm`, `lead_time`, `value`, and `time`, all known.
        leads: Which there are.
    """
    storms = np.unique(np.concatenate([own[STORM].to_numpy() for own in statistics]))
    begun = pd.concat(list(statistics)).groupby(STORM)["time"].min().reindex(storms)
    sums, weights = [], []
    for own in statistics:
        cell = np.searchsorted(storms, own[STORM]) * len(leads) + np.searchsorted(leads, own["lead_time"])
        shape, size = (len(storms), len(leads)), len(storms) * len(leads)
        sums.append(np.bincount(cell, own["value"], size).reshape(shape))
        weights.append(np.bincount(cell, minlength=size).reshape(shape).astype(np.float64))
    return Sample(sums, weights, _itself, begun.to_numpy("datetime64[ns]"))


def _known(errors: xr.Dataset, name: str, statistic: Statistic) -> pd.DataFrame:
    values = statistic.of(errors[name].values)
    leads = errors["lead_time"].values if "lead_time" in errors else np.zeros(len(values), "timedelta64[ns]")
    columns = {STORM: errors[STORM].values, "time": errors["time"].values, "lead_time": leads, "value": values}
    return pd.DataFrame(columns)[np.isfinite(values)]


def _leads(errors: xr.Dataset) -> np.ndarray:
    return np.unique(errors["lead_time"].values) if "lead_time" in errors else np.zeros(1, "timedelta64[ns]")


def _statistic(name: str) -> Statistic:
    if name not in STATISTICS:
        raise UserError(f"statistic {name!r} is unknown; choose {', '.join(STATISTICS)}")
    return STATISTICS[name]


def _error_columns(errors: xr.Dataset) -> list[str]:
    others = [str(name) for name in errors.data_vars if str(name).endswith(ERROR)]
    return [name for name in (TRACK, ALONG, CROSS) if name in others] + sorted({*others} - {TRACK, ALONG, CROSS})


def _columns(errors: xr.Dataset, columns: Sequence[str] | None) -> Sequence[str]:
    if STORM not in errors:
        raise UserError("the table does not say which storm a record is of; pass what judging.errors(...) returns")
    known = _error_columns(errors)
    names = known if columns is None else columns
    if not names or (unknown := [name for name in names if name not in errors]):
        wanted = listed(unknown) if names else "errors"
        raise UserError(f"the table has no {wanted}, only {listed(known or errors.data_vars)}; choose of these")
    return names


def _known_of_all(
    systems: Mapping[str, xr.Dataset], keys: Sequence[str], columns: Sequence[str]
) -> dict[str, xr.Dataset]:
    frames = {name: table.to_frame(own)[[*keys, *columns]] for name, own in systems.items()}
    lacking = pd.concat([own[keys].assign(**own[columns].isna()) for own in frames.values()]).groupby(keys).any()
    made = {}
    for name, own in systems.items():
        unknown = lacking.loc[pd.MultiIndex.from_frame(frames[name][keys])]
        made[name] = own.assign({column: own[column].where(~unknown[column].to_numpy()) for column in columns})
    return made
