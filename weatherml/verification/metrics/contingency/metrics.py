"""Metrics of yes-or-no forecasts of an event: that the field, or the ensemble mean, exceeds a threshold."""

from collections.abc import Callable
from typing import Any

from weatherml.verification.formulas import contingency as formulas
from weatherml.verification.metrics.base import Better, Metric
from weatherml.verification.metrics.contingency.fractions import Fractions, Unit
from weatherml.verification.metrics.contingency.neighbourhoods import fractions_skill_score
from weatherml.verification.metrics.contingency.statistics import Contingency
from weatherml.verification.metrics.entries import registry

_NO_EVENT = "the event neither came nor was forecast, or did everywhere and always"


def _enter(name: str, function: Callable[..., Any], better: Better) -> None:
    @registry.register(name)
    def make(threshold: float | None = None) -> Metric:
        own = Contingency(None if threshold is None else float(threshold))
        return Metric((own,), function, better=better, undefined=_NO_EVENT)


_enter("pod", formulas.probability_of_detection, "higher")
_enter("far", formulas.false_alarm_ratio, "lower")  # of the forecast events; of all that was no event it is pofd
_enter("pofd", formulas.probability_of_false_detection, "lower")
_enter("csi", formulas.critical_success_index, "higher")
_enter("ets", formulas.equitable_threat_score, "higher")
_enter("sedi", formulas.sedi, "higher")
_enter("frequency_bias", formulas.frequency_bias, "one")


@registry.register("fss")
def fss(radius: float, threshold: float | None = None, unit: Unit = "km") -> Metric:
    """Of neighbourhoods with a radius in km, of the same size everywhere, or in points of the grid; of all members."""
    own = Fractions(float(radius), None if threshold is None else float(threshold), unit)
    return Metric((own,), _fractions_skill_score, better="higher", undefined=_NO_EVENT)


def _fractions_skill_score(squares: Any) -> Any:
    return fractions_skill_score(squares[..., 0], squares[..., 1], squares[..., 2])
