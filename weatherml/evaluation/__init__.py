"""Judging forecasts of any system against truth: metrics, baselines, intervals and differences."""

from weatherml.evaluation import baselines
from weatherml.evaluation.evaluate import accumulate, evaluate, summarize
from weatherml.evaluation.significance import compare
from weatherml.verification import AreaMeans, Metric

__all__ = ["AreaMeans", "Metric", "accumulate", "baselines", "compare", "evaluate", "summarize"]
