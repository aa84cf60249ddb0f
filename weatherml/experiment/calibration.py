"""Choosing amplitudes: an ensemble's spread over its error is brought to 1, for all channels at once, then for each."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from itertools import compress
from operator import add
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from weatherml.durations import parse_duration
from weatherml.errors import Option, UserError
from weatherml.forecast.analyses import InitTimes, to_init_times
from weatherml.forecast.config import ForecastConfig
from weatherml.forecast.forecaster import Forecaster
from weatherml.forecast.perturbation.base import PerturbationConfig
from weatherml.forecast.statistics.config import StatisticsConfig
from weatherml.products.selection import select_statistic
from weatherml.state import StateSpec
from weatherml.times import parse_period, require_valid_times
from weatherml.verification import Metric, StatisticSums, accumulate, formulas, summarize
from weatherml.verification.metrics.deterministic.statistics import SquaredError
from weatherml.verification.pairing.pair import Pair
from weatherml.verification.statistics.base import PointStatistic

TOLERANCE = 0.03
"""A logarithm of spread over error that is as good as 0; few members and initial times cannot tell less."""

KEPT = StatisticsConfig(mean=True, spread=True)
"""What is kept of an ensemble's members."""

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
        spread_skill: Spread over error by channel, at the longest lead; infinite where most members stopped.
        n_stopped: Members that stopped and are left out, of all initial times.
    """

    perturbation: PerturbationConfig
    spread_skill: dict[str, float]
    n_stopped: int = 0

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

    Ensembles are reduced to their mean and spread as they are made, some initial times at once, so that neither members
    nor initial times fill the memory. Members that stop are left out of their ensemble and counted; an ensemble most of
    whose members stop is far too large, whatever the others show.

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
    for model in (model for suite in forecaster.suites for model in suite.models):
        _require_outside_test_period(model.provenance.config, init_times, config.lead_time)
    truth = analysis.isel(number=0, drop=True) if "number" in analysis.dims else analysis

    n_stopped: dict[PerturbationConfig, int] = {}

    def judge(perturbation: PerturbationConfig) -> dict[str, float] | None:
        asked = {"perturbation": perturbation, "every": config.lead_time, "channels": None, "statistics": KEPT}
        ratios, n_stopped[perturbation] = spread_skill(
            forecaster, analysis, truth, init_times, config.model_copy(update=asked)
        )
        return ratios

    def counted(trial: Trial) -> Trial:
        return replace(trial, n_stopped=n_stopped[trial.perturbation])

    return counted(fit(judge, start, forecaster.spec, n_rounds, lambda trial: report(counted(trial))))


def spread_skill(
    forecaster: Forecaster, analysis: xr.Dataset, truth: xr.Dataset, init_times: np.ndarray, config: ForecastConfig
) -> tuple[dict[str, float] | None, int]:
    """Return spread over error by channel, at the longest lead, of ensembles that are reduced as they are made.

    Args:
        forecaster: Makes them.
        analysis: What they start from.
        truth: Analyses at their valid times, of one member.
        init_times: `datetime64[ns]` [init_time].
        config: What is asked for, with `KEPT` as its statistics.

    Returns:
        The ratios, None where more than half of the members stopped; and how many stopped.
    """
    parts: list[StatisticSums] = []
    n_members = n_left = 0
    for ensemble in _ensembles(forecaster, analysis, init_times, config):
        own = len(config.member_numbers())
        left = int(max(field.max() for field in select_statistic(ensemble, "count").data_vars.values()))
        n_members, n_left = n_members + own, n_left + left
        if left > 1:
            parts.append(_judged(ensemble, truth, left))
    if 2 * n_left < n_members or not parts:
        return None, n_members - n_left
    scored = summarize(reduce(add, parts), _METRICS)["spread_skill"].sel(bound="estimate")
    last = scored.isel(lead_time=-1)
    return dict(zip(last["channel"].values.tolist(), last.values.tolist(), strict=True)), n_members - n_left


def _ensembles(
    forecaster: Forecaster, analysis: xr.Dataset, init_times: np.ndarray, config: ForecastConfig
) -> Iterator[xr.Dataset]:
    """Yield the statistics of each initial time's ensemble; as many at once are made as fill a batch."""
    n_together = max(1, (config.batch or 1) // len(config.member_numbers()))
    for start in range(0, len(init_times), n_together):
        made = forecaster.run(analysis, init_times[start : start + n_together], config)
        config = config.model_copy(update={"batch": made.attrs["batch"]})  # found once
        for init in range(made.sizes["init_time"]):
            yield made.isel(init_time=[init])


def _judged(ensemble: xr.Dataset, truth: xr.Dataset, n_members: int) -> StatisticSums:
    """Return what the mean's squared error is, and what it should be of an ensemble of this spread and size."""
    mean, spread = (select_statistic(ensemble, name) for name in ("mean", "spread"))
    valid = spread.isel(init_time=0, drop=True).swap_dims(lead_time="valid_time").drop_vars("lead_time")
    variance = valid.rename(valid_time="time").astype(np.float64) ** 2
    expected = {_EXPECTED: formulas.expected_squared_error(variance, n_members)}
    return accumulate(mean, truth, _METRICS, references=expected)


_EXPECTED = "squared error to be expected"


@dataclass(frozen=True)
class _GivenSquaredError(PointStatistic):
    """The squared error to be expected of each ensemble, which is the reference here."""

    references: ClassVar[tuple[str, ...]] = (_EXPECTED,)

    def at(self, pair: Pair) -> np.ndarray:
        """Return `[*point]` in the squared units of the field."""
        return pair.references[_EXPECTED]


_METRICS = {"spread_skill": Metric((_GivenSquaredError(), SquaredError()), formulas.spread_skill)}


def fit(
    judge: Callable[[PerturbationConfig], Mapping[str, float] | None],
    start: PerturbationConfig,
    spec: StateSpec,
    n_rounds: int,
    report: Report = lambda trial: None,
) -> Trial:
    """Fit amplitudes by secants on their logarithms; see `calibrate`.

    Args:
        judge: From a perturbation to spread over error by channel; None where it is far too large.
        start: Where to start from.
        spec: The channels.
        n_rounds: At most so many judgements for `scale`, and so many for `amplitude`.
        report: Told of each.

    Raises:
        UserError: Every perturbation was far too large, or a ratio is none.
    """
    trials: dict[tuple[float, ...], Trial] = {}
    is_fitted = start.sizes(spec) > 0

    def log_ratios(log_sizes: np.ndarray) -> np.ndarray:
        """Return the logarithms of spread over error of the fitted channels from those of their sizes."""
        key = tuple(log_sizes)
        if key not in trials:
            perturbation = _resized(start, np.exp(log_sizes), is_fitted, spec)
            ratios, names = judge(perturbation), list(compress(spec.names, is_fitted))
            found = dict.fromkeys(names, math.inf) if ratios is None else {n: _positive(n, ratios[n]) for n in names}
            trials[key] = Trial(perturbation, found)
            report(trials[key])
        return np.log(list(trials[key].spread_skill.values()))

    base = np.log(start.sizes(spec)[is_fitted])
    shift, slope = _solve(lambda shift: log_ratios(base + shift).mean(keepdims=True), np.zeros(1), np.ones(1), n_rounds)
    if start.map_scale is None:  # random maps have no channels
        _solve(log_ratios, base + shift, np.broadcast_to(slope, base.shape), n_rounds)
    best = min(trials.values(), key=lambda trial: trial.error)
    if math.isinf(best.error):
        least = min(trial.perturbation.scale for trial in trials.values())
        raise UserError(
            f"most members stopped in every ensemble, down to scale {least:g}",
            Option("forecast.perturbation.scale", _brief(least / 2), "to start from"),
        )
    return best


def _solve(
    function: Callable[[np.ndarray], np.ndarray], point: np.ndarray, slope: np.ndarray, n_rounds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Seek the zero of each component `[n]` of a function by its own secant; return where it should be, and the slope.

    Where the function is infinite the zero lies below.

    Args:
        function: `[n]` to `[n]`.
        point: Where to start, `[n]`.
        slope: Of each component there, `[n]`.
        n_rounds: At most so many calls.
    """
    before = None
    for _ in range(n_rounds):
        values = function(point)
        if np.isinf(values).any():
            point = point - _LARGEST_STEP if before is None else (point + before[0]) / 2
            continue
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
        raise UserError(
            "there is no amplitude to fit, which needs a perturbation and at least 2 members",
            Option("forecast.members", 10) if config.members < 2 else Option("forecast.perturbation", "spherical"),
        )
    if config.perturbation.scale == 0:
        raise UserError("scale 0 is no amplitude to start from", Option("forecast.perturbation.scale", 0.1))
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
