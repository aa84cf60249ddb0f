"""The model and the baselines before the same judge."""

from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr

from weatherml.data.climatology import Climatology
from weatherml.data.period import Period
from weatherml.evaluation import baselines, evaluate
from weatherml.experiment.config import ExtremesConfig
from weatherml.extremes import local_quantile, verdict
from weatherml.state import Channel, spec_of

CONTROL = "forecast"
"""The deterministic forecast: member 0."""
MEAN = "ensemble mean"
_ONE_FIELD = ("rmse", "mae", "bias", "acc", "activity")
_ENSEMBLE = ("rmse", "mae", "bias", "acc", "activity", "crps_fair", "spread", "spread_skill")
_NO_ANOMALY = ("rmse", "mae", "bias")

Progress = Callable[..., None]


def judge_skill(
    forecast: xr.Dataset, truth: xr.Dataset, training: xr.Dataset, climatology: Climatology, progress: Progress
) -> xr.Dataset:
    """Score the control, the ensemble mean and the baselines on the same initial times.

    Args:
        forecast: With `number`.
        truth: Analyses of the test period.
        training: Analyses of the training period; damped persistence is fitted on them.
        climatology: Of the training period.
        progress: Told how far the judge is.

    Returns:
        `(system, bound, channel, lead_time)`; a metric that a system does not have is NaN.
    """
    truth, training = (_like(forecast, dataset) for dataset in (truth, training))
    normal = _like(forecast, climatology.at(_all_times(forecast)))
    systems = {CONTROL: (forecast.isel(number=0, drop=True), _ONE_FIELD)}
    if forecast.sizes["number"] > 1:
        systems[MEAN] = (forecast, _ENSEMBLE)
    damping = baselines.fit_damping(
        training, _like(forecast, climatology.at(training["time"].values)), forecast["lead_time"].values
    )
    for name, baseline in _baselines(forecast, truth, normal, damping).items():
        systems[name] = (baseline, _NO_ANOMALY if name == "climatology" else _ONE_FIELD)
    scores = []
    for position, (system, metrics) in enumerate(systems.values()):
        scores.append(evaluate(system, truth, metrics, normal))
        progress(position + 1, len(systems), list(systems)[position])
    return xr.concat(scores, xr.Variable("system", list(systems)), data_vars="all", join="exact")


def judge_event(
    forecast: xr.Dataset, truth: xr.Dataset, config: ExtremesConfig, training: Period, progress: Progress
) -> xr.Dataset:
    """Judge the forecast probability that a field exceeds its local quantile of the training period."""
    channel = Channel.parse(config.channel)
    forecast, truth = (_only(dataset, channel) for dataset in (forecast, truth))
    threshold = local_quantile(truth, config.quantile, training)
    return verdict(forecast, truth, threshold, progress=progress).assign_attrs(quantile=config.quantile)


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


def _like(forecast: xr.Dataset, dataset: xr.Dataset) -> xr.Dataset:
    """Keep the variables and levels that the forecast has."""
    kept = dataset[[str(name) for name in forecast.data_vars]]
    return kept.sel(level=forecast["level"]) if "level" in forecast.dims else kept


def _only(dataset: xr.Dataset, channel: Channel) -> xr.Dataset:
    """Keep one channel.

    Raises:
        UserError: The dataset does not have it.
    """
    spec_of(dataset, [str(channel)])
    field = dataset[[channel.variable]]
    return field if channel.level is None else field.sel(level=[channel.level])
