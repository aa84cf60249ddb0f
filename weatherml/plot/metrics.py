"""How metrics are shown: in words, in which units, and beside which value."""

import re
from dataclasses import dataclass

from weatherml.plot.style import Quantity


@dataclass(frozen=True)
class MetricLook:
    """How one metric is shown.

    Attributes:
        words: Its name in words.
        power: Of the units of its variable: 1 for an error, 2 for a square, 0 for a pure number.
        reference: What to measure the eye against: the least useful correlation, no bias, a spread as large as the
            error.
        is_signed: Whether values below zero are as likely, so that no axis begins at zero.
    """

    words: str
    power: int = 0
    reference: float | None = None
    is_signed: bool = False

    def units(self, quantity: Quantity) -> str:
        """Return the units of a shown score; empty where it has none."""
        return ("", quantity.difference_units, f"({quantity.difference_units})²" * bool(quantity.units))[self.power]

    def factor(self, quantity: Quantity) -> float:
        """Return the shown score per score in SI units."""
        return quantity.factor**self.power


_LOOKS = {
    "rmse": MetricLook("Root mean square error", 1),
    "mse": MetricLook("Mean square error", 2),
    "mae": MetricLook("Mean absolute error", 1),
    "wind_vector_rmse": MetricLook("Root mean square error of the wind vector", 1),
    "bias": MetricLook("Bias", 1, 0.0, True),
    "acc": MetricLook("Anomaly correlation", 0, 0.6, True),
    "acc_centred": MetricLook("Anomaly correlation (centred)", 0, 0.6, True),
    "activity": MetricLook("Activity: root mean square anomaly of the forecast", 1),
    "crps": MetricLook("Continuous ranked probability score", 1),
    "crps_fair": MetricLook("Continuous ranked probability score (fair)", 1),
    "crps_decomposition": MetricLook("Continuous ranked probability score", 1),
    "twcrps": MetricLook("Threshold-weighted CRPS", 1),
    "twcrps_fair": MetricLook("Threshold-weighted CRPS (fair)", 1),
    "quantile_score": MetricLook("Quantile score", 1),
    "energy_score": MetricLook("Energy score", 1),
    "energy_score_fair": MetricLook("Energy score (fair)", 1),
    "spread": MetricLook("Ensemble spread", 1),
    "spread_skill": MetricLook("Spread-skill ratio", 0, 1.0, True),
    "brier": MetricLook("Brier score"),
    "brier_fair": MetricLook("Brier score (fair)"),
    "brier_skill": MetricLook("Brier skill score", 0, 0.0, True),
    "brier_decomposition": MetricLook("Brier score"),
    "rps": MetricLook("Ranked probability score"),
    "rps_fair": MetricLook("Ranked probability score (fair)"),
    "roc_area": MetricLook("Area under the ROC curve", 0, 0.5, True),
    "pod": MetricLook("Probability of detection"),
    "far": MetricLook("False-alarm ratio"),
    "pofd": MetricLook("Probability of false detection"),
    "csi": MetricLook("Critical success index"),
    "ets": MetricLook("Equitable threat score", 0, 0.0, True),
    "sedi": MetricLook("Symmetric extremal dependence index", 0, 0.0, True),
    "frequency_bias": MetricLook("Frequency bias", 0, 1.0),
    "quantile_error": MetricLook("Error of the highest quantiles", 1, 0.0, True),
    "relative_quantile_error": MetricLook("Relative error of the highest quantiles", 0, 0.0, True),
    "seeps": MetricLook("Stable equitable error in probability space"),
    "fss": MetricLook("Fractions skill score"),
    "effective_resolution": MetricLook("Effective resolution, km"),
    "spectrum": MetricLook("Power spectrum", 2),
    "zonal_spectrum": MetricLook("Zonal power spectrum", 2),
}


def look_of(metric: str) -> MetricLook:
    """Return how a metric is shown, by its name with or without parameters; one that is not known as a pure number."""
    name, parameters = re.fullmatch(r"(\w*)(.*)", metric, re.DOTALL).groups()  # type: ignore[union-attr]
    if metric in _LOOKS:
        return _LOOKS[metric]
    known, base = _LOOKS.get(name), _LOOKS.get(name.removesuffix("_skill"))
    if known is None and base is not None:
        return MetricLook(f"Skill in the {base.words[:1].lower()}{base.words[1:]}{_words(parameters)}", 0, 0.0, True)
    if known is None:
        return MetricLook(f"{name.replace('_', ' ')}{_words(parameters)}".capitalize(), 0, None, True)
    return MetricLook(f"{known.words}{_words(parameters)}", known.power, known.reference, known.is_signed)


def _words(parameters: str) -> str:
    """Write `(threshold=300)` as ` (threshold 300)`."""
    return f" {parameters.strip().replace('=', ' ')}" if parameters.strip() else ""
