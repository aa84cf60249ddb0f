"""Scores of forecasts against truth: area means of statistics for every init time, and metrics with intervals from
them.

Evaluation and extremes both judge forecasts so. A metric is a set of statistics and a function of their means; what
is kept of the fields is small, and a sum whose parts may be made anywhere and added in any order.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import xarray as xr

from weatherml.errors import Option, UserError
from weatherml.grid import LatLonGrid
from weatherml.matching import Domain, Fields, Matched
from weatherml.references import Reference
from weatherml.scores import bootstrap_interval
from weatherml.state import on_grid

DIMS = ("init_time", "lead_time", "channel")
BOUNDS = ("estimate", "lower", "upper")
CONFIDENCE = 0.95

INDEPENDENT_AFTER = np.timedelta64(5, "D")
"""Forecasts started this far apart are taken as independent (Hamill 1999); closer ones are resampled in blocks."""

Progress = Callable[[int, int], None]
"""Called with the number of init times done and the number of all."""

Statistic = Callable[[Fields], np.ndarray]
"""Returns area means `[lead, ...]`; the means are kept under its name."""


@dataclass(frozen=True)
class Metric:
    """A score: statistics, and a function of their means over forecasts.

    Attributes:
        statistics: What is averaged over the area and over the init times.
        function: Takes the means in that order, `[..., *axes of the statistic]`, and returns the score `[..., *axes]`.
        axes: Names of the score's own axes, where it is not one number for each channel and lead time.
        needs_reference: Whether the statistics read `Fields.reference`.
        needs_members: Whether a deterministic forecast has no such score.
    """

    statistics: tuple[Statistic, ...]
    function: Callable[..., Any]
    axes: tuple[str, ...] = ()
    needs_reference: bool = False
    needs_members: bool = False


@dataclass(frozen=True)
class AreaMeans:
    """Area means of statistics: what is kept of evaluated fields.

    Parts add up in any order, over init times, lead times or channels; what two parts both hold counts once.

    Attributes:
        sums: One variable for each statistic, dims (init_time, lead_time, channel, ...), and how often each cell was
            `counted`.
    """

    sums: xr.Dataset

    def __add__(self, other: "AreaMeans") -> "AreaMeans":
        with xr.set_options(arithmetic_join="exact"):  # type: ignore[no-untyped-call]
            left, right = xr.align(self.sums, other.sums, join="outer", fill_value=0)
            return AreaMeans(left + right)

    @classmethod
    def total(cls, parts: Sequence["AreaMeans"]) -> "AreaMeans":
        """Add up many parts in pairs, so that each is copied a few times and not once for every other."""
        while len(parts) > 1:
            parts = [reduce(add, parts[first : first + 2]) for first in range(0, len(parts), 2)]
        return parts[0]

    def of(self, statistics: Iterable[Statistic]) -> list[np.ndarray]:
        """Return the mean of each statistic, `[init, lead, channel, ...]`.

        Raises:
            UserError: Some init time was not evaluated at some lead time or for some channel.
        """
        counted = self.sums["counted"].transpose(*DIMS)
        if not counted.all():
            hole = counted.where(counted == 0).stack(cell=DIMS).dropna("cell").cell.values[0]
            raise UserError(
                f"nothing was evaluated at init_time, lead_time, channel = {hole}; add that part, "
                "or select what all init times have"
            )
        return [(self.sums[s.__name__] / counted).transpose(*DIMS, ...).values for s in statistics]


def accumulate(
    forecast: xr.Dataset,
    truth: xr.Dataset,
    metrics: Mapping[str, Metric],
    reference: xr.Dataset | Reference | None = None,
    progress: Progress | None = None,
    domain: Domain | None = None,
) -> AreaMeans:
    """Take the area means of the metrics' statistics, reading one init time and some lead times at once.

    Args:
        forecast: Dims (init_time, lead_time, number, level, latitude, longitude); no number where deterministic.
        truth: Dims (time, level, latitude, longitude), with every valid time.
        metrics: The metrics whose statistics are wanted, by name.
        reference: A climatology, asked for the valid times of each block; or a dataset that holds them, or a threshold
            without `time`.
        progress: Called after each init time.
        domain: What is judged where this is a part of a forecast (`Matched.domain` of the whole).

    Raises:
        UserError: A metric lacks its reference or its ensemble; or as `matching.Matched` says.
    """
    for name, metric in metrics.items():
        _require_inputs(name, metric, forecast, reference)
    grid = LatLonGrid.from_dataset(forecast)
    matched = Matched(forecast, on_grid(truth, grid), reference, domain)
    statistics = {s.__name__: s for metric in metrics.values() for s in metric.statistics}
    sums: dict[str, np.ndarray] = {}
    for init in range(matched.shape[0]):
        for leads, channel, fields in matched.fields(init):
            for name, statistic in statistics.items():
                means = statistic(fields)
                if name not in sums:
                    sums[name] = np.zeros(matched.shape + means.shape[1:])
                sums[name][init, leads, channel] = means
        if progress:
            progress(init + 1, matched.shape[0])
    return AreaMeans(_labelled(sums, matched))


def summarize(means: AreaMeans, metrics: Mapping[str, Metric]) -> xr.Dataset:
    """Score area means: the mean over init times first, each metric's function last.

    Returns:
        One variable for each metric, dims (bound, channel, lead_time, *axes of the metric), as `score` returns it.
    """
    scored = {name: score(means.of(m.statistics), m.function, means, m.axes) for name, m in metrics.items()}
    return xr.Dataset(scored, attrs={"n_init_times": means.sums.sizes["init_time"], "confidence": CONFIDENCE})


def score(
    statistics: Sequence[np.ndarray], function: Callable[..., Any], means: AreaMeans, axes: Sequence[str] = ()
) -> xr.DataArray:
    """Apply a function to statistics `[init, lead, channel, ...]`, averaged over the init times of `means`.

    Returns:
        Dims (bound, channel, lead_time, *axes). The bounds are the estimate and a 95 % bootstrap interval over init
        times, which is NaN where these are too few to tell.
    """
    init_times, lead_times, channels = (means.sums[dim].values for dim in DIMS)
    values = bootstrap_interval(statistics, function, confidence=CONFIDENCE, block_length=block_length(init_times))
    coords = {"bound": list(BOUNDS), "lead_time": lead_times, "channel": channels}
    return xr.DataArray(values, coords, (*coords, *axes)).transpose("bound", "channel", "lead_time", ...)


def block_length(init_times: np.ndarray) -> int:
    """Return how many neighbouring init times to resample together: those that start within `INDEPENDENT_AFTER`."""
    if len(init_times) < 2:
        return 1
    spacing = np.median(np.diff(np.sort(init_times)))
    return max(1, math.ceil(float(INDEPENDENT_AFTER / spacing)))


def _require_inputs(name: str, metric: Metric, forecast: xr.Dataset, reference: xr.Dataset | Reference | None) -> None:
    if metric.needs_reference and reference is None:
        climatology = Option("climatology", "RUN/climatology.nc", python="climatology=Climatology.load(PATH)")
        raise UserError(f"metric {name!r} needs a climatology, got none", climatology, f"leave {name!r} out")
    if metric.needs_members and forecast.sizes.get("number", 1) < 2:
        raise UserError(f"metric {name!r} needs an ensemble of two members or more, got one; leave {name!r} out")


def _labelled(sums: Mapping[str, np.ndarray], matched: Matched) -> xr.Dataset:
    variables = {
        name: ((*DIMS, *(f"{name}_axis{i}" for i in range(total.ndim - 3))), total) for name, total in sums.items()
    }
    coords = {"init_time": matched.forecast["init_time"].values, "lead_time": matched.forecast["lead_time"].values}
    counted = (DIMS, np.ones(matched.shape, np.int64))
    return xr.Dataset({**variables, "counted": counted}, {**coords, "channel": list(matched.channels)})
