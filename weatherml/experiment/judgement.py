"""The model and the baselines before the same judge."""

from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr

from weatherml.data.statistics.climatology import Climatology
from weatherml.evaluation import baselines, evaluate
from weatherml.experiment.config import ExtremesConfig
from weatherml.extremes import local_quantile, verdict
from weatherml.matching import Matched
from weatherml.state import spec_of
from weatherml.times import Period

CONTROL = "forecast"
"""The deterministic forecast: number 0, wherever it stands; there is none where it was not asked for or has stopped."""
ENSEMBLE = "ensemble"
"""All members; metrics of one field are those of their mean."""
_ONE_FIELD = ("rmse", "mae", "bias", "acc", "activity")
_ENSEMBLE = ("rmse", "mae", "bias", "acc", "activity", "crps_fair", "spread", "spread_skill")
_HELD_BYTES = 2 * 2**30
_NO_ANOMALY = ("rmse", "mae", "bias")

Progress = Callable[..., None]
Levels = Mapping[str, tuple[int, ...]]
"""Of each variable, in hPa; none where it has one height."""


def judge_skill(
    forecast: xr.Dataset, truth: xr.Dataset, training: xr.Dataset, climatology: Climatology, progress: Progress
) -> xr.Dataset:
    """Score the control, the ensemble and the baselines on the same initial times.

    Args:
        forecast: With `number`; no member has stopped.
        truth: Analyses of the test period.
        training: Analyses of the training period; damped persistence is fitted on them.
        climatology: Of the training period.
        progress: Told how far the judge is.

    Returns:
        `(system, bound, channel, lead_time)`; a metric that a system does not have is NaN.
    """
    times = _all_times(forecast)
    levels = Matched(forecast, truth).levels
    truth, training = _read(_between(truth, times), levels), _read(training, levels)
    normal = _read(climatology.at(times), levels)
    systems = _systems(forecast)
    normal_of_training = _read(climatology.at(training["time"].values), levels)
    damping = baselines.fit_damping(training, normal_of_training, forecast["lead_time"].values)
    for name, baseline in _baselines(forecast, truth, normal, damping).items():
        systems[name] = (baseline, _NO_ANOMALY if name == "climatology" else _ONE_FIELD)
    scores: list[xr.Dataset] = []
    for position, (system, metrics) in enumerate(systems.values()):
        scores.append(evaluate(system, truth, metrics, normal))
        progress(position + 1, len(systems))
    return xr.concat(scores, xr.Variable("system", list(systems)), data_vars="all", join="exact")


def judge_event(
    forecast: xr.Dataset, truth: xr.Dataset, config: ExtremesConfig, training: Period, progress: Progress
) -> xr.Dataset:
    """Judge the forecast probability that a field exceeds its local quantile of the training period."""
    levels = spec_of(forecast, [config.channel]).variables
    forecast, truth = _only(forecast, levels), _read(truth, levels)
    threshold = local_quantile(truth, config.quantile, training)
    return verdict(forecast, truth, threshold, progress=progress).assign_attrs(quantile=config.quantile)


def _systems(forecast: xr.Dataset) -> dict[str, tuple[xr.Dataset, tuple[str, ...]]]:
    """Return the forecasts that are judged, and by what."""
    systems: dict[str, tuple[xr.Dataset, tuple[str, ...]]] = {}
    if 0 in forecast["number"].values:
        systems[CONTROL] = (forecast.sel(number=0, drop=True), _ONE_FIELD)
    if forecast.sizes["number"] > 1:
        systems[ENSEMBLE] = (forecast, _ENSEMBLE)
    return systems or {ENSEMBLE: (forecast, _ONE_FIELD)}


def _baselines(
    forecast: xr.Dataset, truth: xr.Dataset, normal: xr.Dataset, damping: xr.Dataset
) -> Mapping[str, xr.Dataset]:
    times = forecast["init_time"].values, forecast["lead_time"].values
    return {
        "persistence": baselines.persistence(truth, *times),
        "damped persistence": baselines.damped_persistence(truth, normal, damping, *times),
        "climatology": baselines.climatology(normal, *times),
    }


def _all_times(forecast: xr.Dataset) -> np.ndarray:
    times: np.ndarray = np.union1d(forecast["init_time"].values, forecast["valid_time"].values.ravel())
    return times


def _between(dataset: xr.Dataset, times: np.ndarray) -> xr.Dataset:
    """Keep the times from the first to the last: stores read a slice many times as fast as the times by themselves."""
    return dataset.sel(time=slice(times.min(), times.max()))


def _only(dataset: xr.Dataset, levels: Levels) -> xr.Dataset:
    """Keep these variables, and the levels that any of them has."""
    wanted = _union(levels)
    kept = dataset[list(levels)]
    return kept.sel(level=wanted) if wanted else kept


def _union(levels: Levels) -> list[int]:
    return sorted({level for own in levels.values() for level in own})


def _read(dataset: xr.Dataset, levels: Levels) -> xr.Dataset:
    """Read once what every system is compared with, where it fits in memory.

    A level that a variable of the forecast does not have (ragged sets) becomes missing, or a baseline would be judged
    on it.
    """
    wanted, kept = _union(levels), dataset[list(levels)]
    if wanted:
        index = kept.indexes["level"].get_indexer(wanted)
        kept = kept.isel(level=slice(index[0], index[-1] + 1))  # those between, too: see `_between`
    kept = kept.load() if kept.nbytes <= _HELD_BYTES else kept.chunk(time=1)
    kept = kept.sel(level=wanted) if wanted else kept
    ragged = {name: own for name, own in levels.items() if own and len(own) < kept.sizes["level"]}
    return kept.assign({name: kept[name].where(kept["level"].isin(own)) for name, own in ragged.items()})
