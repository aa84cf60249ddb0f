"""Choosing amplitudes: an ensemble's spread over its error is brought to 1, for all channels at once, then for each."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
import xarray as xr

from weatherml.durations import parse_duration
from weatherml.errors import UserError
from weatherml.evaluation import evaluate
from weatherml.forecast.config import ForecastConfig
from weatherml.forecast.forecaster import Forecaster
from weatherml.forecast.init_times import InitTimes, require_valid_times, to_init_times
from weatherml.forecast.perturbation.base import PerturbationConfig
from weatherml.state import StateSpec
from weatherml.times import parse_period

TOLERANCE = 0.03
"""A logarithm of spread over error that is as good as 0; few members and initial times cannot tell less."""

# The spread grows as the amplitude does, until it saturates. A slope fitted through noise must not leave these bounds.
_SLOPES = (0.3, 1.5)
_LARGEST_STEP = math.log(5)

Report = Callable[["Trial"], None]
"""Called with each ensemble as it is judged."""


@dataclass(frozen=True)
class Trial:
    """One ensemble, judged.

    Attributes:
        perturbation: What it was made with.
        spread_skill: Spread over error by channel, at the longest lead.
    """

    perturbation: PerturbationConfig
    spread_skill: dict[str, float]

    @property
    def error(self) -> float:
        """Root mean square over channels of the logarithm of spread over error."""
        return math.sqrt(np.mean(np.log(list(self.spread_skill.values())) ** 2))


def calibrate(
    forecaster: Forecaster,
    analysis: xr.Dataset,
    init_time: InitTimes,
    config: ForecastConfig,
    n_rounds: int = 3,
    report: Report = lambda trial: None,
) -> Trial:
    """Fit `scale`, then `amplitude` where there is one, so that spread over error is near 1 at the longest lead.

    Args:
        forecaster: Makes the ensembles.
        analysis: Canonical analyses that hold the initial and the valid times; of a validation period.
        init_time: More than a few, so that errors average out.
        config: Members, the lead and the perturbation to start from; channels whose amplitude is 0 keep it.
        n_rounds: At most so many ensembles for `scale`, and so many for `amplitude`.
        report: Told of each ensemble.

    Returns:
        The best of them.

    Raises:
        UserError: There is nothing to fit, or times lie in the test period of a model.
    """
    start = _require_perturbation(config)
    init_times = to_init_times(init_time)
    require_valid_times(init_times, np.array([parse_duration(config.lead_time)]))
    for model in forecaster.models:
        _require_outside_test_period(model.provenance.config, init_times, config.lead_time)
    truth = analysis.isel(number=0, drop=True) if "number" in analysis.dims else analysis

    def judge(perturbation: PerturbationConfig) -> dict[str, float]:
        asked = config.model_copy(update={"perturbation": perturbation, "every": config.lead_time, "channels": None})
        return spread_skill(forecaster.run(analysis, init_times, asked), truth)

    return fit(judge, start, forecaster.spec, n_rounds, report)


def spread_skill(forecast: xr.Dataset, truth: xr.Dataset) -> dict[str, float]:
    """Return spread over error by channel, at the longest lead."""
    scores = evaluate(forecast, truth, ["spread_skill"])["spread_skill"]
    last = scores.sel(bound="estimate").isel(lead_time=-1)
    return dict(zip(last["channel"].values.tolist(), last.values.tolist(), strict=True))


def fit(
    judge: Callable[[PerturbationConfig], dict[str, float]],
    start: PerturbationConfig,
    spec: StateSpec,
    n_rounds: int,
    report: Report = lambda trial: None,
) -> Trial:
    """Fit amplitudes by secants on their logarithms; see `calibrate`.

    Args:
        judge: From a perturbation to spread over error by channel.
        start: Where to start from.
        spec: The channels.
        n_rounds: At most so many judgements for `scale`, and so many for `amplitude`.
        report: Told of each.
    """
    trials: dict[tuple[float, ...], Trial] = {}
    is_fitted = start.sizes(spec) > 0

    def log_ratios(log_sizes: np.ndarray) -> np.ndarray:
        """Return the logarithms of spread over error of the fitted channels from those of their sizes."""
        key = tuple(log_sizes)
        if key not in trials:
            perturbation = _resized(start, np.exp(log_sizes), is_fitted, spec)
            ratios = judge(perturbation)
            trials[key] = Trial(perturbation, {n: _positive(n, ratios[n]) for n in compress(spec.names, is_fitted)})
            report(trials[key])
        return np.log(list(trials[key].spread_skill.values()))

    base = np.log(start.sizes(spec)[is_fitted])
    shift, slope = _solve(lambda shift: log_ratios(base + shift).mean(keepdims=True), np.zeros(1), np.ones(1), n_rounds)
    if start.map_scale is None:  # random maps have no channels
        _solve(log_ratios, base + shift, np.broadcast_to(slope, base.shape), n_rounds)
    return min(trials.values(), key=lambda trial: trial.error)


def _solve(
    function: Callable[[np.ndarray], np.ndarray], point: np.ndarray, slope: np.ndarray, n_rounds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Seek the zero of each component `[n]` of a function by its own secant; return where it should be, and the slope.

    Args:
        function: `[n]` to `[n]`.
        point: Where to start, `[n]`.
        slope: Of each component there, `[n]`.
        n_rounds: At most so many calls.
    """
    before = None
    for _ in range(n_rounds):
        values = function(point)
        if math.sqrt(np.mean(values**2)) < TOLERANCE:
            break
        if before is not None:
            step = point - before[0]
            secant = (values - before[1]) / np.where(step == 0, 1, step)
            slope = np.where(step == 0, slope, np.clip(secant, *_SLOPES))
        before = point, values
        point = point - np.clip(values / slope, -_LARGEST_STEP, _LARGEST_STEP)
    return point, slope


def _resized(
    start: PerturbationConfig, sizes: np.ndarray, is_fitted: np.ndarray, spec: StateSpec
) -> PerturbationConfig:
    """Return a perturbation whose fitted channels have `sizes` [fitted]: their geometric mean is its scale."""
    scale = float(np.exp(np.log(sizes).mean()))
    factors = np.zeros(spec.n_channels)
    factors[is_fitted] = sizes / scale
    amplitude = {} if np.allclose(factors, 1) else dict(zip(spec.names, map(_brief, factors), strict=True))
    changes = {"scale": _brief(scale), "amplitude": amplitude}
    return start.model_validate(start.model_dump() | changes)


def _positive(channel: str, ratio: float) -> float:
    if not (math.isfinite(ratio) and ratio > 0):
        raise UserError(
            f"spread over error of {channel} is {ratio:g}, from which no amplitude follows; try another lead"
        )
    return ratio


def _brief(value: float) -> float:
    return float(f"{value:.4g}")


def _require_perturbation(config: ForecastConfig) -> PerturbationConfig:
    if config.perturbation is None or config.members < 2:
        raise UserError("there is no amplitude to fit; pass a perturbation and at least 2 members")
    if config.perturbation.scale == 0:
        raise UserError("scale 0 is no amplitude to start from; pass a larger one")
    return config.perturbation


def _require_outside_test_period(experiment: Mapping[str, Any], init_times: np.ndarray, lead_time: str) -> None:
    """Require that no time of the forecasts is one that a model is to be judged on, where that is known."""
    test = experiment.get("periods", {}).get("test")
    if test is None:
        return
    first, last = parse_period(tuple(test))
    ends = init_times + parse_duration(lead_time)
    if ((init_times <= last) & (ends >= first)).any():
        raise UserError(
            f"forecasts from {init_times[0]:.16} to {ends[-1]:.16} reach into the test period"
            f" {' .. '.join(test)} of the model; calibrate on its validation period"
        )
