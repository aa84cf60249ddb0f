"""A part of the fields that never changes: lost at all times, so that nothing was before or comes after."""

from collections.abc import Iterator

import numpy as np

from weatherml.data.quality.evidence import ChannelEvidence, Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.kinds import RENEWED_DAILY, alike, varying
from weatherml.data.quality.rules.registry import RULES, yields_to
from weatherml.grid import LatLonGrid

_ALWAYS_MOVES = {"K", "Pa", "m2 s-2", "m s-1", "s-1"}
"""Units of what has weather everywhere. The rest may stay: rain, ice, sunlight, clouds, vapour near none."""
_STILL = 1e-3
"""Of the median spread over time, below which a cell is constant but for rounding. Of two reanalyses
no cell has less than 0.08."""
_FEWEST_TIMES = 20
_PATCH = 3
"""Cells of the coarse grid, either way, that must be still together: what weather leaves alone is no square."""


yields_to("unchanging", "constant", "lost", "frozen")


@RULES.register("unchanging")
def unchanging(evidence: Evidence) -> Iterator[Finding]:
    """Part of a field has the same value at all times, while the rest varies, as of a tile that was never read."""
    for variable, channels in varying(evidence).items():
        if variable in RENEWED_DAILY or channels[0].channel.units not in _ALWAYS_MOVES:
            continue
        still = [_still(channel, evidence.coarse) for channel in channels]
        for subject, group in alike(channels, [mask.tobytes() for mask in still]).items():
            is_still = _still(group[0], evidence.coarse)
            if is_still.any():
                yield Finding("error", subject, _told(is_still, group[0], evidence.coarse), "unchanging")


def _told(is_still: np.ndarray, channel: ChannelEvidence, grid: LatLonGrid) -> str:
    row, column = np.argwhere(is_still)[0]
    where = f"latitude {grid.latitude[row]:g}, longitude {grid.longitude[column]:g}"
    text = f"does not change at any time in {is_still.mean():.1%} of the cells, at {where} and beside it"
    return f"{text}: it is {channel.cells.mean[row, column]:.6g} there; read the files of this part again"


def _still(channel: ChannelEvidence, grid: LatLonGrid) -> np.ndarray:
    """Return the cells of squares that do not vary while the others do `[lat, lon]`."""
    std, n_times = channel.cells.std, int(np.isfinite(channel.series.mean).sum())
    seen = np.isfinite(std) & (channel.cells.presence * channel.series.mean.size >= _FEWEST_TIMES)
    if n_times < _FEWEST_TIMES or min(std.shape) < _PATCH or not seen.any():
        return np.zeros(std.shape, bool)
    return _squares(seen & (std < _STILL * np.median(std[seen])), grid.is_cyclic)


def _squares(mask: np.ndarray, is_cyclic: bool) -> np.ndarray:
    """Return what of a mask lies in squares of it."""
    beyond = _PATCH - 1
    wide = np.pad(mask, ((0, 0), (0, beyond)), mode="wrap") if is_cyclic else mask
    corners = np.lib.stride_tricks.sliding_window_view(wide, (_PATCH, _PATCH)).all((-1, -2))
    result = np.zeros(mask.shape, bool)
    for row, column in np.argwhere(corners):
        columns = np.arange(column, column + _PATCH) % mask.shape[1]
        result[row : row + _PATCH, columns] = True
    return result
