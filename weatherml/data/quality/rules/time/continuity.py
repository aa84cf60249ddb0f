"""Where the course of time is broken: how much a field changes at each time against how much it does around then."""

import warnings
from dataclasses import dataclass

import numpy as np

from weatherml.data.quality.evidence import ChannelEvidence
from weatherml.data.quality.rules.kinds import DAY, RENEWED_DAILY, usual_step
from weatherml.data.quality.rules.values.stuck import is_spoilt

_AROUND = 6
"""Times before and after: weather becomes livelier or calmer over days, and an error must not hide itself."""
FEWEST_TIMES = 20
_MANY_TIMES = 96
"""From which on a scatter is known; of few times it is taken for up to twice as large."""
_BESIDE = 0.4
_FORGOTTEN = 0.85
"""Of the change between times far apart: where neighbours differ by more, no time is out of turn, and one day of much
rain is unlike both of its neighbours."""
_QUIET, _LIVELY = 0.4, 0.9
"""Of the change that this share of the times does not exceed, below which nothing is out of turn."""
_ROUNDING = 0.01
"""Least scatter of a logarithm: fields of a model that is run hourly change by the same amount to 0.5 %."""


@dataclass(frozen=True)
class Thresholds:
    """How far a logarithm of a change must lie above those around: at least so far, and so many times their scatter.

    From white noise in time the largest of a million lies 5 standard deviations out. Two reanalyses (six-hourly
    pressure and vorticity, daily temperature) and a simulated planet never leave 4 alone, nor 2.5 twice in a row.
    """

    least: float
    n_scatter: float

    def of(self, scatter: float) -> float:
        """Return the threshold."""
        return max(self.least, self.n_scatter * scatter)


_BORDER = Thresholds(0.2, 7.0)
_FOREIGN = Thresholds(0.15, 5.0)
_SWAPPED = Thresholds(0.1, 5.5)
_SWAPPED_EACH = Thresholds(0.1, 2.5)
_BORDER_DAILY = Thresholds(0.9, 7.0)
"""Where one analysis of a day may not have been made: the next one changes as much as two."""
_SWAPPED_DAILY = Thresholds(0.2, 2.5)


@dataclass(frozen=True)
class Breaks:
    """Positions of what is out of order, rising.

    Attributes:
        foreign: Times that follow neither the one before nor precede the one after.
        swapped: Times that stand in the place of the next, and the next in theirs.
        borders: Times that do not follow the one before, while all around is in order.
    """

    foreign: tuple[int, ...] = ()
    swapped: tuple[int, ...] = ()
    borders: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.foreign or self.swapped or self.borders)

    @property
    def is_one_border(self) -> bool:
        """Whether all is in order before a time, and all from it on."""
        return len(self.borders) == 1 and not (self.foreign or self.swapped)


def excess(series: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return by how much the logarithm of a positive series exceeds its median around `[time]`; NaN where unknown.

    What recurs at the same hour of every day is taken away first.
    """
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of medians of nothing
        log = np.where(series > 0, np.log(series), np.nan)
        hours = times.astype("datetime64[h]").astype(int) % 24
        for hour in np.unique(hours):
            log[hours == hour] -= np.nanmedian(log[hours == hour])
        padded = np.pad(log, _AROUND, constant_values=np.nan)
        around = np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1)
        others = np.delete(around, _AROUND, axis=1)
        return np.asarray(log - np.nanmedian(others, axis=1))


def scatter(residual: np.ndarray) -> float:
    """Return the robust standard deviation of what is around zero."""
    known = np.abs(residual[np.isfinite(residual)])
    return max(1.4826 * float(np.median(known)), _ROUNDING) if known.size else np.inf


def breaks(channel: ChannelEvidence, times: np.ndarray) -> Breaks:
    """Return where a channel does not follow from one time to the next; nothing of few times."""
    if len(times) < FEWEST_TIMES:
        return Breaks()
    if _is_forgotten(channel):
        return Breaks(foreign=tuple(np.flatnonzero(_foreign_among_days(channel, times)).tolist()))
    change = _usable(channel.series.change, channel, times, 1)
    above = excess(change, times)
    width = scatter(above) * (1 + max(0.0, 1 - len(times) / _MANY_TIMES))
    is_daily = channel.channel.variable in RENEWED_DAILY
    above = np.where(np.isfinite(above) & ~_is_quiet(change), above, 0.0)
    # What lies beside must be as usual: where a small region is left by a storm, changes rise and fall over some times.
    is_foreign = _foreign(above, 1, width) | _foreign_among_days(channel, times)
    before, after = _shifted(above, -1), _shifted(above, 1)
    is_swapped = _swapped(above, is_daily, width) & ~is_foreign
    taken = is_foreign | np.roll(is_foreign, 1) | is_swapped | np.roll(is_swapped, 1) | np.roll(is_swapped, 2)
    is_border = (above > (_BORDER_DAILY if is_daily else _BORDER).of(width)) & ~taken
    is_border &= np.maximum(before, after) < _BESIDE * above
    found = (is_foreign, is_swapped, is_border)
    return Breaks(*(tuple(np.flatnonzero(mask).tolist()) for mask in found))


def _is_quiet(change: np.ndarray) -> np.ndarray:
    """Return where far less changes than at lively times `[time]`: a time out of turn would change more, not less.

    Where a simulation begins, small waves swing and die away before there is weather.
    """
    known = change[np.isfinite(change)]
    return np.asarray(change < _QUIET * np.quantile(known, _LIVELY)) if known.size else np.zeros(change.shape, bool)


def _is_forgotten(channel: ChannelEvidence) -> bool:
    """Return whether neighbouring fields are about as unlike as any two."""
    change, variance = channel.series.change, np.square(channel.cells.std)
    known = change[np.isfinite(change) & (change > 0)]
    weights = np.cos(np.linspace(-np.pi / 2, np.pi / 2, len(variance) + 2)[1:-1])[:, None] * np.isfinite(variance)
    if known.size == 0 or weights.sum() == 0:
        return False
    apart = np.sqrt(2 * np.nansum(variance * weights) / weights.sum())
    return bool(np.median(known) > _FORGOTTEN * apart)


def _foreign(above: np.ndarray, lag: int, width: float) -> np.ndarray:
    """Return where a field differs from the one `lag` times before and from the one after as no other does."""
    both = np.minimum(above, _shifted(above, lag))
    beside = {-lag, 2 * lag, -1, 1, lag - 1, lag + 1} - {0, lag}
    greatest = np.max([_shifted(above, by) for by in beside], axis=0)
    return np.asarray((both > _FOREIGN.of(width)) & (greatest < _BESIDE * both))


def _foreign_among_days(channel: ChannelEvidence, times: np.ndarray) -> np.ndarray:
    """Return the same from one day to the next, where the hours hide it, as of sunlight."""
    per_day = DAY / usual_step(times)
    if per_day < 2 or per_day % 1:
        return np.zeros(len(times), bool)
    change = _usable(channel.series.day_change, channel, times, int(per_day))
    above = excess(change, times)
    width = scatter(above) * (1 + max(0.0, 1 - len(times) / (_MANY_TIMES * per_day)))
    return _foreign(np.where(np.isfinite(above), above, 0.0), int(per_day), width)


def _shifted(series: np.ndarray, by: int) -> np.ndarray:
    """Return a series whose values are those of so many times later; 0 beyond its ends."""
    padded = np.pad(series, abs(by))
    return padded[abs(by) + by :][: series.size]


def _swapped(above: np.ndarray, is_daily: bool, width: float) -> np.ndarray:
    """Return where two neighbouring times are exchanged: the change is large, as usual, and large again."""
    result = np.zeros(above.size, bool)
    both = np.minimum(above[:-2], above[2:])
    dip = both - above[1:-1]
    each = (_SWAPPED_DAILY if is_daily else _SWAPPED_EACH).of(width)
    result[:-2] = (both > each) & (dip > _SWAPPED.of(scatter(dip)))
    return np.asarray(result & ~_swings(above > each))


def _swings(is_large: np.ndarray) -> np.ndarray:
    """Return where changes are large at every other time, four times or more: so waves swing that soon die away.

    A model that starts from rest or from what does not fit together begins so; of the pairs of a single exchange two
    changes are large, of two side by side three.
    """
    padded = np.pad(is_large, 6)
    runs = np.asarray(np.all([padded[by : by + is_large.size + 6] for by in (0, 2, 4, 6)], axis=0))
    return np.asarray(np.any([runs[6 - by :][: is_large.size] for by in (0, 2, 4, 6)], axis=0))


def _usable(changes: np.ndarray, channel: ChannelEvidence, times: np.ndarray, lag: int) -> np.ndarray:
    """Return changes over `lag` usual steps between sound fields `[time]`, NaN elsewhere."""
    result = np.array(changes, np.float64)
    spoilt = is_spoilt(channel, times) | ~np.isfinite(channel.series.mean)
    result[spoilt] = np.nan
    result[lag:][spoilt[:-lag]] = np.nan
    result[:lag] = np.nan
    result[lag:][times[lag:] - times[:-lag] != lag * usual_step(times)] = np.nan
    return result
