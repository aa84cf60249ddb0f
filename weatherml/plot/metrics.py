"""How metrics are shown: in words, in which units, and beside which value."""

import re
from dataclasses import dataclass, replace

import xarray as xr

from weatherml.plot.style import Quantity, superscript
from weatherml.verification.metrics.units import POWERS, field_units


@dataclass(frozen=True)
class MetricLook:
    """How one metric is shown.

    Attributes:
        words: Its name in words.
        reference: What to measure the eye against: the least useful correlation, no bias, a spread as large as the
            error.
        is_signed: Whether values below zero are as likely, so that no axis begins at zero.
        power: Of the units of its variable: 1 for an error, 2 for a square, 0 for a pure number.
    """

    words: str
    reference: float | None = None
    is_signed: bool = False
    power: int = 0

    def units(self, quantity: Quantity) -> str:
        """Return the units of a shown score; empty where it has none."""
        return ("", quantity.difference_units, f"({quantity.difference_units})²" * bool(quantity.units))[self.power]

    def factor(self, quantity: Quantity) -> float:
        """Return the shown score per score in SI units."""
        return quantity.factor**self.power


_LOOKS = {
    "rmse": MetricLook("Root mean square error"),
    "mse": MetricLook("Mean square error"),
    "mae": MetricLook("Mean absolute error"),
    "wind_vector_rmse": MetricLook("Root mean square error of the wind vector"),
    "bias": MetricLook("Bias", 0.0, True),
    "acc": MetricLook("Anomaly correlation", 0.6, True),
    "acc_centred": MetricLook("Anomaly correlation (centred)", 0.6, True),
    "activity": MetricLook("Activity: root mean square anomaly of the forecast"),
    "crps": MetricLook("Continuous ranked probability score"),
    "crps_fair": MetricLook("Continuous ranked probability score (fair)"),
    "crps_decomposition": MetricLook("Continuous ranked probability score"),
    "twcrps": MetricLook("Threshold-weighted CRPS"),
    "twcrps_fair": MetricLook("Threshold-weighted CRPS (fair)"),
    "quantile_score": MetricLook("Quantile score"),
    "energy_score": MetricLook("Energy score"),
    "energy_score_fair": MetricLook("Energy score (fair)"),
    "spread": MetricLook("Ensemble spread"),
    "spread_skill": MetricLook("Spread-skill ratio", 1.0, True),
    "brier": MetricLook("Brier score"),
    "brier_fair": MetricLook("Brier score (fair)"),
    "brier_skill": MetricLook("Brier skill score", 0.0, True),
    "brier_decomposition": MetricLook("Brier score"),
    "rps": MetricLook("Ranked probability score"),
    "rps_fair": MetricLook("Ranked probability score (fair)"),
    "roc_area": MetricLook("Area under the ROC curve", 0.5, True),
    "pod": MetricLook("Probability of detection"),
    "far": MetricLook("False-alarm ratio"),
    "pofd": MetricLook("Probability of false detection"),
    "csi": MetricLook("Critical success index"),
    "ets": MetricLook("Equitable threat score", 0.0, True),
    "sedi": MetricLook("Symmetric extremal dependence index", 0.0, True),
    "frequency_bias": MetricLook("Frequency bias", 1.0),
    "quantile_error": MetricLook("Error of the highest quantiles", 0.0, True),
    "relative_quantile_error": MetricLook("Relative error of the highest quantiles", 0.0, True),
    "seeps": MetricLook("Stable equitable error in probability space"),
    "fss": MetricLook("Fractions skill score"),
    "effective_resolution": MetricLook("Effective resolution, km"),
    "spectrum": MetricLook("Power spectrum"),
    "zonal_spectrum": MetricLook("Zonal power spectrum"),
}


_THRESHOLD = re.compile(r"(thresholds?=)(\([^)]*\)|\[[^]]*\]|[^,()\[\]]+)")


def look_of(metric: str, units: str = "") -> MetricLook:
    """Return how a metric is shown, by its name with or without parameters; one that is not known as a pure number.

    Args:
        metric: Its name.
        units: What follows thresholds among its parameters, such as ` K`.
    """
    name, parameters = re.fullmatch(r"(\w*)(.*)", metric, re.DOTALL).groups()  # type: ignore[union-attr]
    if metric in _LOOKS:
        return replace(_LOOKS[metric], power=POWERS.get(metric, 0))
    known, base = _LOOKS.get(name), _LOOKS.get(name.removesuffix("_skill"))
    words = _words(parameters, units)
    if known is None and base is not None:
        return MetricLook(f"Skill in the {base.words[:1].lower()}{base.words[1:]}{words}", 0.0, True)
    if known is None:
        called = name.replace("_", " ")
        return MetricLook(f"{called[:1].upper()}{called[1:]}{words}", None, True, POWERS.get(name, 0))
    return replace(known, words=f"{known.words}{words}", power=POWERS.get(name, 0))


def units_of_thresholds(scores: xr.Dataset | xr.DataArray) -> str:
    """Return what follows a threshold: the units of all channels of scores; where they differ, that they are SI's."""
    units = {field_units(str(name)) for name in scores["channel"].values}
    return f" {superscript(units.pop())}".rstrip() if len(units) == 1 else ", SI units"


def _words(parameters: str, units: str) -> str:
    """Write `(threshold=300)` as ` (threshold 300 K)`."""
    told = _THRESHOLD.sub(rf"\1\2{units}", parameters) if units else parameters
    return f" {told.strip().replace('=', ' ')}" if told.strip() else ""
