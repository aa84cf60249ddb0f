"""Forecasts matched with their truth: area means of statistics for every init time, and scores with intervals from them.

Evaluation and extremes both judge forecasts so: a metric is a set of statistics and a function of their means. What is kept
of the fields is small, and is a sum whose parts may be made anywhere and added in any order.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from weatherml import scores
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.state import Channel, spec_of

BOUNDS = ("estimate", "lower", "upper")
DIMS = ("init_time", "lead_time", "channel")
BLOCK_BYTES = 128 << 20
"""Most bytes of forecast fields read at once, unless one lead time of one variable is larger."""

INDEPENDENT_AFTER = np.timedelta64(5, "D")
"""Forecasts started this far apart are taken as independent (Hamill 1999); closer ones are resampled in blocks."""

Progress = Callable[[int, int], None]
"""Called with the number of forecasts done and the number of all."""


@dataclass(frozen=True)
class Fields:
    """One channel of one forecast beside its truth, at the points where the truth is defined, in SI units.

    Attributes:
        members: `[member, lead, point]`; one member for a deterministic forecast.
        truth: `[lead, point]`.
        reference: `[lead, point]`, the climatology or the threshold that the metric asks for, or None.
        weights: Cell areas `[point]`.
    """

    members: np.ndarray
    truth: np.ndarray
    reference: np.ndarray | None
    weights: np.ndarray

    @cached_property
    def mean(self) -> np.ndarray:
        """Ensemble mean, float64 `[lead, point]`."""
        return self.members.mean(axis=0, dtype=np.float64)

    @cached_property
    def error(self) -> np.ndarray:
        """Ensemble mean less truth, float64 `[lead, point]`."""
        return self.mean - self.truth

    @cached_property
    def forecast_anomaly(self) -> np.ndarray:
        """Ensemble mean less climatology, float64 `[lead, point]`."""
        return self.mean - self.reference

    @cached_property
    def truth_anomaly(self) -> np.ndarray:
        """Truth less climatology, float64 `[lead, point]`."""
        return self.truth.astype(np.float64) - self.reference

    def area_mean(self, field: np.ndarray) -> np.ndarray:
        """Average `[..., point]` over the area of the points."""
        mean: np.ndarray = scores.area_mean(field, self.weights)
        return mean


Statistic = Callable[[Fields], np.ndarray]
"""Returns area means `[lead, ...]`; its name is what the means are kept under."""


@dataclass(frozen=True)
class Metric:
    """A score: statistics, and a function of their means over forecasts.

    Attributes:
        statistics: What is averaged over the area and over the forecasts.
        function: Takes the means `[..., *axes of the statistic]` in that order and returns the score `[...]`.
        needs_reference: Whether the statistics read `Fields.reference`.
        needs_members: Whether a deterministic forecast has no such score.
    """

    statistics: tuple[Statistic, ...]
    function: Callable[..., Any]
    needs_reference: bool = False
    needs_members: bool = False


@dataclass(frozen=True)
class AreaMeans:
    """Area means of statistics: what is kept of evaluated fields.

    Parts add up in any order: over init times, lead times or channels. A forecast that two parts both hold counts once.

    Attributes:
        sums: One variable for each statistic, dims (init_time, lead_time, channel, ...), and how often each was `counted`.
    """

    sums: xr.Dataset

    def __add__(self, other: "AreaMeans") -> "AreaMeans":
        with xr.set_options(arithmetic_join="exact"):
            left, right = xr.align(self.sums, other.sums, join="outer", fill_value=0)
            return AreaMeans(left + right)

    @property
    def coords(self) -> dict[str, np.ndarray]:
        """Values of init_time, lead_time and channel."""
        return {dim: self.sums[dim].values for dim in DIMS}

    def sel(self, coords: Mapping[str, Any]) -> "AreaMeans":
        """Keep what has these init times, lead times and channels."""
        return AreaMeans(self.sums.sel(coords))

    def of(self, statistics: Iterable[Statistic]) -> list[np.ndarray]:
        """Return the means of each statistic, `[init, lead, channel, ...]`.

        Raises:
            UserError: Some init time lacks some lead time or channel.
        """
        counted = self.sums["counted"].transpose(*DIMS)
        if not counted.all():
            where = counted.where(counted == 0, drop=True)
            raise UserError(
                f"init time {_text(where.init_time.values[0])} was not evaluated at lead {_text(where.lead_time.values[0])} "
                f"for {where.channel.values[0]}; add the part that has it, or select what all init times have"
            )
        sums = [self.sums[statistic.__name__].transpose(*DIMS, ...).values for statistic in statistics]
        return [total / counted.values.reshape(counted.shape + (1,) * (total.ndim - 3)) for total in sums]


def accumulate(
    forecast: xr.Dataset,
    truth: xr.Dataset,
    metrics: Mapping[str, Metric],
    reference: xr.Dataset | None = None,
    progress: Progress | None = None,
) -> AreaMeans:
    """Take the area means of the metrics' statistics, reading one init time and some lead times at once.

    A point counts where the truth is defined at its first valid time; that mask must hold at every time, and the forecast
    must be finite wherever it does.

    Args:
        forecast: Dims (init_time, lead_time, number, level, latitude, longitude), without number where deterministic.
        truth: Dims (time, level, latitude, longitude), holding every valid time.
        metrics: The metrics whose statistics are wanted, by name.
        reference: Climatology at the valid times, or a threshold without `time`, on the same grid.
        progress: Called after each init time.

    Raises:
        UserError: A metric lacks its reference or an ensemble, a valid time, channel or value is missing, or grids differ.
    """
    for name, metric in metrics.items():
        _require_inputs(name, metric, forecast, reference)
    matched = _Matched(forecast, truth, reference)
    statistics = {s.__name__: s for metric in metrics.values() for s in metric.statistics}
    sums: dict[str, np.ndarray] = {}
    for done, (where, fields) in enumerate(matched.blocks()):
        for name, statistic in statistics.items():
            means = statistic(fields)
            if name not in sums:
                sums[name] = np.zeros(matched.shape + means.shape[1:])
            sums[name][where] = means
        if progress and (done + 1) % matched.n_blocks_per_init == 0:
            progress((done + 1) // matched.n_blocks_per_init, matched.shape[0])
    return AreaMeans(matched.label(sums))


def summarize(means: AreaMeans, metrics: Mapping[str, Metric]) -> xr.Dataset:
    """Score area means: the mean over init times first, each metric's function last.

    Returns:
        One variable for each metric, dims (bound, channel, lead_time, ...); bound is estimate, lower, upper: a 95 %
        bootstrap interval over init times, NaN where there are too few of them for one.
    """
    coords = means.coords
    block_length = blocks_for(coords["init_time"])
    variables = {}
    for name, metric in metrics.items():
        values = scores.bootstrap_interval(means.of(metric.statistics), metric.function, block_length=block_length)
        extra = [f"{name}_axis{axis}" for axis in range(values.ndim - 3)]
        variables[name] = (("bound", "channel", "lead_time", *extra), np.swapaxes(values, 1, 2))
    attributes = {"n_init_times": len(coords["init_time"]), "confidence": 0.95, "block_length": block_length}
    return xr.Dataset(
        variables, {"bound": list(BOUNDS), **{d: coords[d] for d in ("channel", "lead_time")}}, attributes
    )


def blocks_for(init_times: np.ndarray) -> int:
    """Return how many neighbouring init times to resample together: as many as start within `INDEPENDENT_AFTER`."""
    if len(init_times) < 2:
        return 1
    spacing = np.median(np.diff(np.sort(init_times)).astype("timedelta64[ns]").astype(np.int64))
    return max(1, int(np.ceil(INDEPENDENT_AFTER / np.timedelta64(int(spacing), "ns"))))
