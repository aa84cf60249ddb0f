"""Judging forecasts of any system against truth: metrics, baselines, intervals and differences.

Imported where it is asked for: formulas are what losses of training are made of, too.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weatherml.verification import baselines as baselines
    from weatherml.verification import formulas as formulas
    from weatherml.verification.aggregation.maps import MapSums as MapSums
    from weatherml.verification.aggregation.sums import StatisticSums as StatisticSums
    from weatherml.verification.campaign.online import OnlineForecast as OnlineForecast
    from weatherml.verification.campaign.running import Campaign as Campaign
    from weatherml.verification.cards import scorecard as scorecard
    from weatherml.verification.cards import scorecards as scorecards
    from weatherml.verification.comparing import compare as compare
    from weatherml.verification.judging import accumulate as accumulate
    from weatherml.verification.judging import evaluate as evaluate
    from weatherml.verification.judging import summarize as summarize
    from weatherml.verification.mapping import accumulate_maps as accumulate_maps
    from weatherml.verification.mapping import evaluate_maps as evaluate_maps
    from weatherml.verification.mapping import summarize_maps as summarize_maps
    from weatherml.verification.metrics.base import Metric as Metric
    from weatherml.verification.skill_scores import skill as skill
    from weatherml.verification.systems import evaluate_systems as evaluate_systems

_FOUND_IN = {
    "Campaign": "campaign.running",
    "MapSums": "aggregation.maps",
    "OnlineForecast": "campaign.online",
    "StatisticSums": "aggregation.sums",
    "accumulate": "judging",
    "accumulate_maps": "mapping",
    "compare": "comparing",
    "evaluate": "judging",
    "evaluate_maps": "mapping",
    "evaluate_systems": "systems",
    "scorecard": "cards",
    "scorecards": "cards",
    "skill": "skill_scores",
    "summarize": "judging",
    "summarize_maps": "mapping",
    "Metric": "metrics.base",
}

__all__ = [
    "Campaign",
    "MapSums",
    "Metric",
    "OnlineForecast",
    "StatisticSums",
    "accumulate",
    "accumulate_maps",
    "compare",
    "evaluate",
    "evaluate_maps",
    "evaluate_systems",
    "scorecard",
    "scorecards",
    "skill",
    "summarize",
    "summarize_maps",
]


def __getattr__(name: str) -> Any:
    if name in _FOUND_IN:
        return getattr(import_module(f"{__name__}.{_FOUND_IN[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
