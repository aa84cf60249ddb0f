"""Verdict on forecasts of one event: that a field exceeds a threshold of each place."""

import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.extremes.thresholds.climates import QuantileClimate, described
from weatherml.references import Reference
from weatherml.verification import Metric, accumulate, summarize
from weatherml.verification.aggregation.gathering import Progress
from weatherml.verification.metrics.probabilities.metrics import brier_skill
from weatherml.verification.metrics.registry import find

_OF_THRESHOLD = (
    "brier",
    "brier_fair",
    "roc_area",
    "forecast_probability",
    "observed_frequency",
    "forecast_share",
    "brier_decomposition",
    "roc_curve",
    "economic_value",
)


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
        threshold: Dims (level, latitude, longitude), for example from `local_quantile`; or what is asked for
            that of each valid time, such as one quantile, `.of(0.95)`, of a `QuantileClimatology` or of
            `calendar_quantiles`.
        base_rate: Probability of the event that climatology would forecast everywhere; 1 less the threshold's quantile
            when None.
        progress: Called with the number of init times done and of all.

    Returns:
        Dims (bound, channel, lead_time), with 95 % bootstrap bounds over init times as from `verification.evaluate`:
        `brier`, of the probability as it was issued; `brier_fair`, less what the finite ensemble adds to it;
        `brier_skill`, of `brier` against always forecasting the base rate; `roc_area`. And with a dim `probability_bin`
        for the reliability diagram: `forecast_probability`, `observed_frequency`, `forecast_share`. Along dims of their
        own: reliability, resolution and uncertainty, `brier_decomposition(part)`; both rates of warning where so many
        members exceed, `roc_curve(rate, least_members)`; and what users gain whose protection costs that part of what
        they lose without, `economic_value(cost_loss)`.

    Raises:
        UserError: There is no base rate; or as `pairing.matched.Matched` says.
    """
    if base_rate is None:
        base_rate = _base_rate(threshold)
    metrics = _metrics(base_rate)
    means = accumulate(forecast, truth, metrics, progress=progress, references={"threshold": threshold})
    return summarize(means, metrics).assign_attrs(base_rate=base_rate, threshold=described(threshold))


def _metrics(base_rate: float) -> dict[str, Metric]:
    own = [find(name) for name in _OF_THRESHOLD]
    return dict(zip(_OF_THRESHOLD, own, strict=True)) | {"brier_skill": brier_skill(base_rate=base_rate)}


def _base_rate(threshold: xr.Dataset | Reference) -> float:
    if isinstance(threshold, QuantileClimate) and len(threshold.probabilities) == 1:
        return _rest(threshold.probabilities[0])
    if isinstance(threshold, QuantileClimate):
        known = listed(f"{q:g}" for q in threshold.probabilities)
        raise UserError(f"the threshold has several quantiles, {known}; choose one, threshold.of(0.95)")
    if not isinstance(threshold, xr.Dataset) or "quantile" not in threshold.attrs:
        raise UserError(
            "the threshold has no attribute 'quantile', so the base rate is unknown; pass base_rate=, for example 0.05"
        )
    return _rest(float(threshold.attrs["quantile"]))


def _rest(probability: float) -> float:
    return round(1 - probability, 12)  # 0.1, not 0.09999999999999998
