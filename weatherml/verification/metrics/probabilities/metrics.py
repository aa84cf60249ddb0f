"""Metrics of the probability of an event, that a field exceeds a threshold: the share of the members that do.

`brier(threshold=273.15)` takes a number in the units of the field; `brier` takes the reference `threshold`, which may
differ by place and date. Of one field alone the probability is 0 or 1.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from weatherml.errors.wording import listed
from weatherml.verification import formulas
from weatherml.verification.metrics.base import Better, Metric, first
from weatherml.verification.metrics.entries import registry
from weatherml.verification.metrics.events import EventArea
from weatherml.verification.metrics.probabilities.statistics import (
    EventCounts,
    RankedProbability,
    RankedProbabilityFair,
    ReferenceBrier,
)
from weatherml.verification.statistics.base import Statistic

N_BINS = 11
"""Most bins of forecast probability; fewer where the ensemble has fewer than ten members."""

PARTS = ("reliability", "resolution", "uncertainty")

_NEVER_OR_ALWAYS = "the event happened nowhere and never, or everywhere and always"

_COST_LOSS = tuple(round(0.05 * i, 2) for i in range(1, 20))


def _enter(name: str, function: Callable[..., Any], better: Better, undefined: str = "") -> None:
    @registry.register(name)
    def make(threshold: float | None = None) -> Metric:
        return Metric((_counts(threshold),), function, better=better, undefined=undefined)


_enter("brier", formulas.brier, "lower")
_enter("brier_fair", formulas.brier_fair, "lower")
_enter("roc_area", formulas.roc_area, "higher", _NEVER_OR_ALWAYS)


@registry.register("brier_skill")
def brier_skill(threshold: float | None = None, base_rate: float | None = None) -> Metric:
    """Against always forecasting the base rate; against the reference `probability` of each place and date if None."""
    counts = _counts(threshold)
    if base_rate is not None:
        _require(0 < base_rate < 1, f"the base rate is a probability between 0 and 1, not {base_rate}")
        return Metric((counts,), partial(formulas.brier_skill, base_rate=base_rate), better="higher")
    return Metric((counts, ReferenceBrier(counts.threshold)), _skill, better="higher")


@registry.register("brier_decomposition")
def brier_decomposition(threshold: float | None = None, n_cases: float | None = None) -> Metric:
    """Along `part`; the first less the second plus the third is `brier`. Less the bias of few cases, where given."""
    _require(n_cases is None or n_cases > 1, f"a decomposition needs more cases than {n_cases}")
    labels = {"part": PARTS}
    return Metric((_counts(threshold),), partial(_brier_parts, n_cases=n_cases), ("part",), labels, "neither")


@registry.register("roc_curve")
def roc_curve(threshold: float | None = None) -> Metric:
    """Along `rate`, and along `least_members`: where so many exceed it is warned, from 0 (always) on."""
    axes, labels = ("rate", "least_members"), {"rate": ("false_alarm_rate", "hit_rate")}
    return Metric((_counts(threshold),), formulas.roc_curve, axes, labels, "neither", undefined=_NEVER_OR_ALWAYS)


@registry.register("economic_value")
def economic_value(threshold: float | None = None, cost_loss: float | Sequence[float] = _COST_LOSS) -> Metric:
    """Along `cost_loss`: for users whose protection costs that part of what they lose without."""
    ratios = np.array(cost_loss, np.float64).reshape(-1).tolist()
    all_between = bool(ratios) and all(0 < ratio < 1 for ratio in ratios)
    _require(all_between, f"costs over losses lie between 0 and 1: {cost_loss}")
    value = partial(formulas.economic_value, cost_loss=ratios)
    return Metric(
        (_counts(threshold),), value, ("cost_loss",), {"cost_loss": ratios}, "higher", undefined=_NEVER_OR_ALWAYS
    )


def _enter_diagram(name: str, function: Callable[..., Any]) -> None:
    @registry.register(name)
    def make(threshold: float | None = None, n_bins: int = N_BINS) -> Metric:
        _require(n_bins > 0, f"a reliability diagram has bins, not {n_bins}")
        return Metric((_counts(threshold),), partial(_binned, function, n_bins), ("probability_bin",), better="neither")


_enter_diagram("forecast_probability", formulas.forecast_probability)
_enter_diagram("observed_frequency", formulas.observed_frequency)
_enter_diagram("forecast_share", formulas.forecast_share)


@registry.register("rps")
def rps(thresholds: Sequence[float | str]) -> Metric:
    """Of thresholds that are numbers, or names of references."""
    return _ranked(RankedProbability, thresholds)


@registry.register("rps_fair")
def rps_fair(thresholds: Sequence[float | str]) -> Metric:
    """Of thresholds that are numbers, or names of references."""
    return _ranked(RankedProbabilityFair, thresholds)


def _ranked(statistic: Callable[..., Statistic], thresholds: Sequence[float | str]) -> Metric:
    levels = _levels(thresholds)
    return Metric((statistic(levels), EventArea(levels)), first)


def _counts(threshold: float | None) -> EventCounts:
    return EventCounts(None if threshold is None else float(threshold))


def _levels(thresholds: Sequence[float | str]) -> tuple[float | str, ...]:
    _require(bool(thresholds) and not isinstance(thresholds, str), "thresholds are several, such as (270, 280)")
    numbers = [own for own in thresholds if not isinstance(own, str)]
    _require(all(a < b for a, b in pairwise(numbers)), f"thresholds rise, and {listed(numbers)} do not")
    return tuple(own if isinstance(own, str) else float(own) for own in thresholds)


def _binned(function: Callable[..., Any], n_bins: int, counts: Any) -> Any:
    return function(counts, min(n_bins, counts.shape[-1]))


def _brier_parts(counts: Any, n_cases: float | None) -> Any:
    return np.stack(formulas.brier_parts(counts, n_cases), axis=-1)


def _skill(counts: Any, reference: Any) -> Any:
    return 1 - formulas.brier(counts) / reference


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)
