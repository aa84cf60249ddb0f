"""Intervals by resampling initial times in blocks."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
import xarray as xr
from scipy import special

from weatherml.errors import UserError
from weatherml.verification.significance.block_length import automatic_length, block_length
from weatherml.verification.significance.method import Bounds, Method, registry, student_bounds
from weatherml.verification.significance.sample import Sample

Length = int | Literal["automatic"] | None

_FEW_BLOCKS = 8  # fewer have no percentiles as far out as 95 % of Student's t


@dataclass(frozen=True)
class Bootstrap(Method):
    """Percentiles of resamples, spread as Student's t is for so few blocks (Hesterberg 2015,
    doi:10.1080/00031305.2015.1089789).

    Of fewer than eight blocks, percentiles that far out are the extremes of all resamples, which hold the truth too
    seldom: there it is Student's interval around the estimate, with the resamples' standard deviation.

    All statistics are resampled alike, so a difference between two systems that made the same forecasts is a paired
    one.

    Attributes:
        n_resamples: Number of resamples.
        seed: Of the resampling.
    """

    n_resamples: int = 1000
    seed: int = 0

    def _bounds(self, sample: Sample, draws: np.ndarray, n_blocks: float, confidence: float) -> Bounds:
        """Judge by resamples `[resample, init]` of so many blocks."""
        resampled = sample.of(draws)
        lost = np.isnan(resampled)  # such as a score of events where a resample has none
        n_own = _blocks_of_cells(sample, n_blocks, lost)
        if not lost.any():
            spread = resampled.std(axis=0)
        else:
            resampled = np.where(lost.all(axis=0), 0, resampled)
            spread = np.nanstd(resampled, axis=0)
        many = _percentiles(sample.estimate, resampled, spread, n_blocks, confidence)
        few = _student(sample.estimate, spread, n_own, confidence)
        told = (
            np.where(n_own < _FEW_BLOCKS, *both) for both in zip(vars(few).values(), vars(many).values(), strict=True)
        )
        return Bounds(*told).where(~lost.all(axis=0) & (sample.n_used >= 2 * sample.n_init / n_blocks) & (n_own > 1))


@dataclass(frozen=True)
class Blocks(Bootstrap):
    """Blocks of neighbouring forecasts are drawn together, because forecasts started close to one another fail
    together.

    Attributes:
        length: Number of forecasts in a block; those that start within five days when None, and each cell's own when
            "automatic".
    """

    length: Length = None
    spread: ClassVar[float] = 4 / 3

    def __post_init__(self) -> None:
        if self.length not in (None, "automatic") and not (isinstance(self.length, int) and self.length > 0):
            raise ValueError(f"a length is a number of forecasts, 'automatic' or None, not {self.length!r}")

    def _judge(self, sample: Sample, confidence: float) -> Bounds:
        if self.length != "automatic" or sample.n_init < 2:
            length = self.length if isinstance(self.length, int) else None
            return self._judge_blocks(sample, length or block_length(sample.init_times), confidence)
        values = sample.deviations()
        lengths = automatic_length(values.reshape(len(values), -1), self.spread).reshape(values.shape[1:])
        lengths = np.ceil(lengths.reshape(len(lengths), -1).max(axis=1)).astype(int)
        order, parts = [], []
        for length in np.unique(lengths):
            order.append(np.flatnonzero(lengths == length))
            parts.append(self._judge_blocks(sample.cells(order[-1]), int(length), confidence))
        joined, back = Bounds.joined(parts), np.argsort(np.concatenate(order))
        return Bounds(joined.estimate[back], joined.lower[back], joined.upper[back], joined.p_value[back])

    def _judge_blocks(self, sample: Sample, length: int, confidence: float) -> Bounds:
        if sample.n_init < 2 * length or sample.n_init < 2:
            return Bounds.untold(sample.estimate)
        return self._bounds(sample, self.draws(sample.n_init, length), sample.n_init / length, confidence)

    @abstractmethod
    def draws(self, n_init: int, length: int) -> np.ndarray:
        """Return how often each forecast is drawn, `[resample, init]`."""


@registry.register("circular")
@dataclass(frozen=True)
class Circular(Blocks):
    """Blocks that go on from the last forecast to the first (Politis and Romano 1992)."""

    def draws(self, n_init: int, length: int) -> np.ndarray:
        """Return how often each forecast is drawn, `[resample, init]`."""
        return _draws_of_blocks(n_init, length, n_init, self.n_resamples, self.seed)


@registry.register("moving")
@dataclass(frozen=True)
class Moving(Blocks):
    """Blocks that begin wherever they fit (Künsch 1989, doi:10.1214/aos/1176347265): the first and last forecasts are
    drawn less often."""

    def draws(self, n_init: int, length: int) -> np.ndarray:
        """Return how often each forecast is drawn, `[resample, init]`."""
        return _draws_of_blocks(n_init, length, n_init - length + 1, self.n_resamples, self.seed)


@registry.register("stationary")
@dataclass(frozen=True)
class Stationary(Blocks):
    """Blocks of random length, whose mean is `length` (Politis and Romano 1994, doi:10.1080/01621459.1994.10476870)."""

    spread: ClassVar[float] = 2.0

    def draws(self, n_init: int, length: int) -> np.ndarray:
        """Return how often each forecast is drawn, `[resample, init]`."""
        return _stationary_draws(n_init, length, self.n_resamples, self.seed)


@registry.register("cluster")
@dataclass(frozen=True, eq=False)
class Cluster(Bootstrap):
    """Whole groups of forecasts are drawn: weeks, months or seasons of their initial times, or groups of one's own.

    Attributes:
        groups: What a group is, or the name of each forecast's group, dims (init_time).
    """

    groups: Literal["week", "month", "season"] | xr.DataArray = "week"

    def __post_init__(self) -> None:
        if not isinstance(self.groups, xr.DataArray) and self.groups not in ("week", "month", "season"):
            raise ValueError(f"groups are 'week', 'month' or 'season', not {self.groups!r}")

    def _judge(self, sample: Sample, confidence: float) -> Bounds:
        _, labels = np.unique(self._labels(sample.init_times), return_inverse=True)
        n_groups = int(labels.max()) + 1
        if n_groups < 2:
            return Bounds.untold(sample.estimate)
        draws = _group_draws(tuple(labels.tolist()), self.n_resamples, self.seed)
        return self._bounds(sample, draws, n_groups, confidence)

    def _labels(self, init_times: np.ndarray) -> np.ndarray:
        if isinstance(self.groups, xr.DataArray):
            absent = np.setdiff1d(init_times, self.groups["init_time"].values)
            if len(absent):
                raise UserError(f"groups have no init_time {absent[0]:.16}; name the group of every one that is judged")
            return np.asarray(self.groups.sel(init_time=init_times).values)
        months = init_times.astype("datetime64[M]").astype(int)
        weeks = (init_times - init_times[0]) // np.timedelta64(7, "D")
        return np.asarray({"week": weeks, "month": months, "season": (months + 1) // 3}[self.groups])


def _blocks_of_cells(sample: Sample, n_blocks: float, lost: np.ndarray) -> np.ndarray:
    """Return how many blocks tell of each cell, `[cell, *own axes]`: those that have a part in it.

    Of a score of events these are the blocks where there are any. Drawn as often as there are blocks, k of them are
    all missed by exp(-k) of the resamples, which are the lost ones.
    """
    n_own = n_blocks * sample.n_used / sample.n_init
    share = lost.mean(axis=0)
    return np.asarray(np.where(share > 0, np.minimum(n_own, -np.log(share)), n_own))


def _percentiles(
    estimate: np.ndarray, resampled: np.ndarray, spread: np.ndarray, n_blocks: float, confidence: float
) -> Bounds:
    """Return the bounds of many blocks, from resamples `[resample, ...]`."""
    widening = math.sqrt(n_blocks / (n_blocks - 1))
    tail = special.ndtr(widening * special.stdtrit(n_blocks - 1, (1 - confidence) / 2))
    quantile = np.nanquantile if np.isnan(resampled).any() else np.quantile
    lower, upper = quantile(resampled, [tail, 1 - tail], axis=0)
    normal = special.ndtri(_share_beyond_zero(resampled, estimate, spread))
    return Bounds(estimate, lower, upper, 2 * special.stdtr(n_blocks - 1, np.minimum(normal / widening, 0)))


def _student(estimate: np.ndarray, spread: np.ndarray, n_blocks: np.ndarray, confidence: float) -> Bounds:
    """Return the bounds of few blocks, from the standard deviation of resamples."""
    error = spread * np.sqrt(n_blocks / (n_blocks - 1))
    return student_bounds(estimate, error, n_blocks - 1, confidence)


def _share_beyond_zero(resampled: np.ndarray, estimate: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return the share of resamples on the side of zero where there are fewer; a normal distribution's where none is,
    since so small a share cannot be counted. Resamples that are lost are on no side."""
    n_known = np.count_nonzero(np.isfinite(resampled), axis=0)
    counted = np.minimum(np.count_nonzero(resampled <= 0, axis=0), np.count_nonzero(resampled >= 0, axis=0)) / n_known
    normal = special.ndtr(-np.abs(estimate) / spread)
    share = np.where(counted > 0, counted, np.minimum(normal, 0.5 / n_known))
    return np.where(np.isnan(estimate), np.nan, np.minimum(share, 0.5))


@lru_cache(maxsize=16)
def _draws_of_blocks(n_init: int, length: int, n_starts: int, n_resamples: int, seed: int) -> np.ndarray:
    n_blocks = math.ceil(n_init / length)
    starts = np.random.default_rng(seed).integers(n_starts, size=(n_resamples, n_blocks, 1))
    drawn = ((starts + np.arange(length)) % n_init).reshape(n_resamples, -1)[:, :n_init]
    return _counts(drawn, n_init)


@lru_cache(maxsize=16)
def _stationary_draws(n_init: int, length: int, n_resamples: int, seed: int) -> np.ndarray:
    rng, shape = np.random.default_rng(seed), (n_resamples, n_init)
    begins = rng.random(shape) < 1 / length
    begins[:, 0] = True
    place = np.arange(n_init)
    begun = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    starts = np.take_along_axis(rng.integers(n_init, size=shape), begun, axis=1)
    return _counts((starts + place - begun) % n_init, n_init)


@lru_cache(maxsize=16)
def _group_draws(labels: Sequence[int], n_resamples: int, seed: int) -> np.ndarray:
    n_groups = max(labels) + 1
    drawn = np.random.default_rng(seed).integers(n_groups, size=(n_resamples, n_groups))
    return _counts(drawn, n_groups)[:, list(labels)]


def _counts(drawn: np.ndarray, n: int) -> np.ndarray:
    """Return how often each of n is among those drawn, `[resample, n]`."""
    flat = drawn + n * np.arange(len(drawn))[:, None]
    return np.bincount(flat.ravel(), minlength=n * len(drawn)).reshape(len(drawn), n).astype(np.float64)
