"""Rows that are not where their latitudes say: a pole is one point, and what lies side by side is alike."""

from collections.abc import Iterator

import numpy as np

from weatherml.data.quality.evidence import ChannelEvidence, Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.fields import by_variable
from weatherml.data.quality.rules.kinds import filling
from weatherml.data.quality.rules.registry import RULES, UNDECIDABLE, yields_to

_SCALARS = ("geopotential", "temperature", "vorticity", "mean_sea_level_pressure", "2m_temperature")
"""Vary along any row but that of a pole; rain, ice and humidity may not."""
_WINDS = ("component_of_wind",)
_ONE_VALUE = 1e-3
"""Of the spread along the rows beside it: less is one value. Poles have up to 5e-5, a row 0.25 degrees off 0.05."""
_ONE_WIND = 3e-6
"""Of the variance of a component along a row, what is not the wave that turns once: at a pole 1e-6, in single
precision, and 1e-4 and more beside it."""
_ROW_SEAM, _COLUMN_SEAM = 3.0, 4.5
"""Times the change between the rows (columns) on both sides of the globe: single fields of 2 m temperature, along the
coast of West Africa, reach 2.3 (rows) and 3.5 (columns); over a part of the globe, any coast may be a seam."""
_STEPS, _NO_CHANGE = 0.4, 1e-3
"""Mean roughness of the changes along a grid, in logarithm, and the least change, of the greatest. Reanalyses reach
0.24, with blocks of them exchanged, too; fields brought to a grid 1.4 to 20 times as fine keep the edges of their
cells, and have 0.55 and more."""
_UNLIKE_WIND, _UNLIKE = (0.68, 6.0), (8.0, 20.0)
"""How far the outermost two rows are apart, in the variance along both, and times the same of the next two: northward
wind reaches 0.6 and 10 over a pole, or 0.75 and 6.5 and more where one of the rows is from the other pole; temperature
and pressure on grids without poles reach 1.5 and 8.8, or 14 and 27."""
_POLE = 90 - 1e-3
_NEIGHBOURS = 6.0
"""Degrees between rows, beyond which those side by side are too far apart to be alike."""


yields_to("pole-row", "rows-off")
yields_to("row-seam", "rows-off", "pole-row", "lost", "constant")


@RULES.register("pole-row")
def pole_row(evidence: Evidence) -> Iterator[Finding]:
    """A row away from the poles has one value all around, as only a pole has."""
    return by_variable(_pole_rows(evidence), evidence.channels)


def _pole_rows(evidence: Evidence) -> Iterator[Finding]:
    latitude = np.asarray(evidence.grid.latitude)
    if not evidence.grid.is_global:
        return
    for channel, each in _of(evidence, (*_SCALARS, *_WINDS)):
        is_wind = "component_of_wind" in channel
        strange = (_of_one_wind(evidence, each) if is_wind else _of_one_value(each)) & (np.abs(latitude) < _POLE)
        if 0 < strange.sum() <= 2:
            where = ", ".join(f"{value:g}" for value in latitude[strange])
            text = f"has one {'wind' if is_wind else 'value'} all along latitude {where}, as only a pole has"
            remedy = f"check the first latitude of the file, or move the rows: ds.roll(latitude={_back(strange)})"
            yield Finding("error", channel, f"{text}; {remedy}", "pole-row")


@RULES.register("row-seam")
def row_seam(evidence: Evidence) -> Iterator[Finding]:
    """Neighbouring rows or columns do not belong side by side: fields were rolled or put together wrongly."""
    yield from by_variable(_seams(evidence), evidence.channels)
    asked = _asked_for_seams(evidence)
    if any(_has_steps(each.rows.row_change) or _has_steps(each.rows.column_change) for _, each in asked):
        text = "fields change in steps, as what was brought from a coarser grid does"
        yield Finding("note", "rows or columns put together wrongly", text, UNDECIDABLE)


def _seams(evidence: Evidence) -> Iterator[Finding]:
    for channel, each in _asked_for_seams(evidence):
        for row in _after_rows(each):
            yield _seam(channel, "latitudes", evidence.grid.latitude[row], evidence.grid.latitude[row + 1])
        for end in _unlike_ends(channel, each, evidence):
            yield _seam(channel, "latitudes", evidence.grid.latitude[end], evidence.grid.latitude[end + 1])
        for column in _after_columns(each):
            east = evidence.grid.longitude[(column + 1) % evidence.grid.n_lon]
            yield _seam(channel, "longitudes", evidence.grid.longitude[column], east)


def _asked_for_seams(evidence: Evidence) -> Iterator[tuple[str, ChannelEvidence]]:
    if evidence.grid.is_global and evidence.grid.resolution <= _NEIGHBOURS:
        yield from _of(evidence, (*_SCALARS, *_WINDS))


def _after_rows(each: ChannelEvidence) -> np.ndarray:
    """Return after which rows fields change more than on either side."""
    across = each.rows.row_change
    is_seam = _peaks(across[1:-1], across[:-2], across[2:], _ROW_SEAM) & (not _has_steps(across))
    return np.flatnonzero(is_seam) + 1


def _after_columns(each: ChannelEvidence) -> np.ndarray:
    """Return the same of columns."""
    along = each.rows.column_change
    is_seam = _peaks(along, np.roll(along, 1), np.roll(along, -1), _COLUMN_SEAM) & (not _has_steps(along))
    return np.flatnonzero(is_seam)


def _has_steps(change: np.ndarray) -> bool:
    """Return whether changes along a grid are now large, now small, as of fields brought from a coarser one."""
    if change.size < 3 or not np.max(change) > 0:  # NaN where there are no values
        return False
    log = np.log(np.maximum(change, _NO_CHANGE * change.max()))
    return bool(np.mean(np.abs(log[1:-1] - (log[:-2] + log[2:]) / 2)) > _STEPS)


def _of_one_value(each: ChannelEvidence) -> np.ndarray:
    """Return which rows have one value all along `[lat]`."""
    spread = each.rows.zonal_std
    around = np.maximum(np.append(spread[1:], 0), np.append(0, spread[:-1]))
    # Two of them side by side are both poles, one of which was brought to the other.
    around = np.maximum(around, np.nanmedian(spread))
    return np.asarray(spread < _ONE_VALUE * around)


def _of_one_wind(evidence: Evidence, each: ChannelEvidence) -> np.ndarray:
    """Return which rows have one vector all along, whose components turn once around the pole `[lat]`."""
    if not evidence.grid.is_same(evidence.coarse):
        return np.zeros(evidence.grid.n_lat, bool)
    fields = evidence.snapshots.values[:, list(evidence.channels).index(each.channel)].astype(np.float64)
    power = np.square(np.abs(np.fft.rfft(fields, axis=-1)))
    total = power.sum(-1)
    rest = np.divide(total - power[..., 1], total, out=np.ones_like(total), where=total > 0)
    return np.asarray(rest.max(0) < _ONE_WIND)


def _of(evidence: Evidence, kinds: tuple[str, ...]) -> Iterator[tuple[str, ChannelEvidence]]:
    for channel, each in evidence.channels.items():
        is_whole = each.never is None and each.sometimes is None and filling(each, evidence.coarse) is None
        if any(channel.variable.endswith(kind) for kind in kinds) and is_whole:
            yield str(channel), each


def _peaks(change: np.ndarray, before: np.ndarray, after: np.ndarray, times: float) -> np.ndarray:
    around = np.maximum(before, after)
    return np.asarray((change > times * around) & (around > 0))


def _unlike_ends(channel: str, each: ChannelEvidence, evidence: Evidence) -> list[int]:
    """Return after which of the outermost rows a row follows that is from elsewhere."""
    has_poles = abs(evidence.grid.latitude[0]) > _POLE
    is_wind = "v_component" in channel
    # Eastward wind differs as much from row to row near a pole; the row of a pole has no variance to compare with.
    if evidence.grid.n_lat < 8 or "u_component" in channel or (has_poles and not is_wind):
        return []
    if _has_steps(each.rows.row_change):
        return []
    variance = np.square(each.rows.zonal_std)
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.square(each.rows.row_change) / (variance[1:] + variance[:-1])
    least, times = _UNLIKE_WIND if is_wind else _UNLIKE
    ends = ((0, 1), (len(apart) - 1, len(apart) - 2))
    return [end for end, inner in ends if apart[end] > max(least, times * apart[inner])]


def _back(strange: np.ndarray) -> int:
    """Return by how many rows to roll so that the row that is one point comes to its pole."""
    row = int(np.flatnonzero(strange)[0])
    return -row if row < len(strange) // 2 else len(strange) - 1 - row


def _seam(channel: str, kind: str, one: float, other: float) -> Finding:
    text = f"{kind} {one:g} and {other:g} do not belong side by side: the change between them is far more than that on"
    return Finding("error", channel, f"{text} either side; check how the file was put together", "row-seam", "likely")
