"""Verdict on forecasts of one event: that a field exceeds a threshold of each place."""

from collections.abc import Callable
from functools import partial
from typing import Any

import xarray as xr

from weatherml.errors import UserError
from weatherml.references import Reference
from weatherml.verification import Metric, accumulate, formulas, summarize
from weatherml.verification.aggregation.gathering import Progress
from weatherml.verification.statistics.events import EventCounts

N_BINS = 11
"""Most bins of forecast probability; fewer where the ensemble has fewer than ten members."""


def verdict(
    forecast: xr.Dataset,
    truth: xr.Dataset,
    threshold: xr.Dataset | Reference,
    base_rate: float | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Judge the probability of exceeding a threshold, taken as the share of members that do.

    All follows from one sum: the area where k of the M members exceeded and the truth did, or did not, for each init
    time.

    Args:
        forecast: Dims (init_time, lead_time, number, level, latitude, longitude); no number where deterministic.
        truth: Dims (time, level, latitude, longitude), with every valid time.
        threshold: Dims (level, latitude, longitude), for example from `thresholds.local_quantile`; or what is asked for
            that of each valid time, such as one quantile of a `QuantileClimatology`.
        base_rate: Probability of the event that climatology would forecast everywhere; 1 - the threshold's `quantile`
            attribute when None.
        progress: Called with the number of init times done and of all.

    Returns:
        Dims (bound, channel, lead_time), with 95 % bootstrap bounds over init times as from `verification.evaluate`:
        `brier`, of the probability as it was issued; `brier_fair`, less what the finite ensemble adds to it;
        `brier_skill`, of `brier` against always forecasting the base rate; `roc_area`. And with a dim `probability_bin`
        for the reliability diagram: `forecast_probability`, `observed_frequency`, `forecast_share`.

    Raises:
        UserError: There is no base rate; or as `pairing.matched.Matched` says.
    """
    if base_rate is None:
        base_rate = _base_rate(threshold)
    n_bins = min(forecast.sizes.get("number", 1) + 1, N_BINS)
    metrics = _metrics(base_rate, n_bins)
    means = accumulate(forecast, truth, metrics, progress=progress, references={"threshold": threshold})
    return summarize(means, metrics).assign_attrs(base_rate=base_rate)


def _metrics(base_rate: float, n_bins: int) -> dict[str, Metric]:
    functions: dict[str, Callable[..., Any]] = {
        "brier": formulas.brier,
        "brier_fair": formulas.brier_fair,
        "brier_skill": partial(formulas.brier_skill, base_rate=base_rate),
        "roc_area": formulas.roc_area,
    }
    diagram = (formulas.forecast_probability, formulas.observed_frequency, formulas.forecast_share)
    binned = {f.__name__: Metric((EventCounts(),), partial(f, n_bins=n_bins), ("probability_bin",)) for f in diagram}
    return {name: Metric((EventCounts(),), function) for name, function in functions.items()} | binned


def _base_rate(threshold: xr.Dataset | Reference) -> float:
    if not isinstance(threshold, xr.Dataset) or "quantile" not in threshold.attrs:
        raise UserError(
            "the threshold has no attribute 'quantile', so the base rate is unknown; pass base_rate=, for example 0.05"
        )
    return 1 - float(threshold.attrs["quantile"])
