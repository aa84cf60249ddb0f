"""Metrics of ensembles. The rmse of the ensemble mean is `rmse`."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from weatherml.verification import formulas
from weatherml.verification.formulas.distributions import Tail
from weatherml.verification.metrics.base import Metric, first, itself
from weatherml.verification.metrics.deterministic.statistics import SquaredError
from weatherml.verification.metrics.ensembles.distributions import (
    QuantileScore,
    ThresholdWeightedCrps,
    ThresholdWeightedCrpsFair,
)
from weatherml.verification.metrics.ensembles.patterns import EnergyScore, EnergyScoreFair, VariogramScore
from weatherml.verification.metrics.ensembles.ranks import CrpsTerms, RankCounts, TruthCounts
from weatherml.verification.metrics.ensembles.statistics import Crps, CrpsFair, EnsembleVariance, ExpectedSquaredError
from weatherml.verification.metrics.entries import enter, registry
from weatherml.verification.metrics.events import EventArea
from weatherml.verification.statistics.base import Statistic

enter("crps", [Crps()], itself)
enter("crps_fair", [CrpsFair()], itself)
# The square root of the mean variance, not the mean standard deviation, so that it compares with the rmse.
enter("spread", [EnsembleVariance()], np.sqrt, better="neither")
# Spread over the rmse of the ensemble mean, 1 for a reliable ensemble whatever its size.
enter("spread_skill", [ExpectedSquaredError(), SquaredError()], formulas.spread_skill, better="one")
# How far the rank histogram is from flat, 0 for a reliable ensemble of infinitely many cases.
enter("reliability_index", [RankCounts()], formulas.reliability_index)


@registry.register("rank_histogram")
def rank_histogram() -> Metric:
    """Along `rank`, how many members lie below the truth: the share of area, 1 / (members + 1) where reliable."""
    return Metric((RankCounts(),), formulas.frequencies, ("rank",), better="neither")


@registry.register("crps_decomposition")
def crps_decomposition(lowest: float | None = None, highest: float | None = None) -> Metric:
    """Along `part`: reliability and potential, which add up to `crps`.

    Where bounds of the truth are given, resolution and uncertainty, too: the uncertainty is the CRPS of forecasting the
    distribution of all truths, of all places and times together; less the resolution it is the potential.
    """
    if lowest is None and highest is None:
        return Metric((CrpsTerms(),), _crps_parts, ("part",), {"part": ("reliability", "potential")}, "neither")
    if lowest is None or highest is None or not lowest < highest:
        raise ValueError(f"both bounds of the truth are needed, the lowest below the highest, not {lowest}, {highest}")
    statistics = (CrpsTerms(), TruthCounts(float(lowest), float(highest)))
    labels = {"part": ("reliability", "potential", "resolution", "uncertainty")}
    parts = partial(_all_crps_parts, bounds=(lowest, highest))
    undefined = f"the truth lies outside {lowest:g} .. {highest:g}: give wider bounds"
    return Metric(statistics, parts, ("part",), labels, "neither", undefined=undefined)


@registry.register("quantile_score")
def quantile_score(quantile: float) -> Metric:
    """Of one quantile of the members: the mean over all is half the CRPS."""
    if not 0 < quantile < 1:
        raise ValueError(f"a quantile lies between 0 and 1, not {quantile}")
    return Metric((QuantileScore(float(quantile)),), itself)


@registry.register("twcrps")
def twcrps(threshold: float | None = None, tail: Tail = "upper") -> Metric:
    """Threshold-weighted: of what lies above a number, or above the reference `threshold`; below in the lower tail."""
    return _weighted(ThresholdWeightedCrps, threshold, tail)


@registry.register("twcrps_fair")
def twcrps_fair(threshold: float | None = None, tail: Tail = "upper") -> Metric:
    """As `twcrps`, fair."""
    return _weighted(ThresholdWeightedCrpsFair, threshold, tail)


@registry.register("energy_score")
def energy_score(tile: float) -> Metric:
    """Of patterns in tiles of so many degrees; of one point it is the CRPS."""
    return Metric((EnergyScore(_tile(tile)),), itself)


@registry.register("energy_score_fair")
def energy_score_fair(tile: float) -> Metric:
    """As `energy_score`, fair."""
    return Metric((EnergyScoreFair(_tile(tile)),), itself)


@registry.register("variogram_score")
def variogram_score(tile: float, power: float = 0.5) -> Metric:
    """Of the differences between the points of a tile of so many degrees."""
    if not power > 0:
        raise ValueError(f"the power of differences is above 0, not {power}")
    return Metric((VariogramScore(_tile(tile), float(power)),), itself)


def _weighted(statistic: Callable[..., Statistic], threshold: float | None, tail: Tail) -> Metric:
    if tail not in ("upper", "lower"):
        raise ValueError(f"tail is 'upper' or 'lower', not {tail!r}")
    number = None if threshold is None else float(threshold)
    return Metric((statistic(number, tail), EventArea((number,))), first)


def _tile(width: float) -> float:
    if not (width > 0 and abs(180 / width - round(180 / width)) < 1e-9):
        raise ValueError(f"tiles of {width} degrees do not fill 180: 5, 10 and 20 do")
    return float(width)


def _crps_parts(terms: Any) -> Any:
    return np.stack(formulas.crps_reliability(terms), axis=-1)


def _all_crps_parts(terms: Any, counts: Any, bounds: tuple[float, float]) -> Any:
    reliability, potential = formulas.crps_reliability(terms)
    uncertainty = formulas.crps_uncertainty(counts, *bounds)
    return np.stack([reliability, potential, uncertainty - potential, uncertainty], axis=-1)
