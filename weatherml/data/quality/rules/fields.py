"""What rules on the climate of fields look at: the mean over time of what varies, and static fields, alike."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from weatherml.data.quality.evidence import ChannelEvidence, Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.subjects import called_alike
from weatherml.grid import LatLonGrid
from weatherml.state import Channel


@dataclass(frozen=True, eq=False)
class MeanField:
    """One channel, or a static field.

    Attributes:
        channel: Which.
        grid: Where it lies: the coarse grid, or of a static field its own.
        mean: Over time `[lat, lon]`; NaN where there is no value.
        presence: Share of times with a value `[lat, lon]`.
        minimum: Least value of all; NaN where there is none.
        maximum: Greatest value of all.
    """

    channel: Channel
    grid: LatLonGrid
    mean: np.ndarray
    presence: np.ndarray
    minimum: float
    maximum: float

    @property
    def is_empty(self) -> bool:
        """Whether there is no finite value at all."""
        return bool(np.isnan(self.minimum))


class Box(NamedTuple):
    """Part of the globe, degrees north and degrees east in 0 .. 360."""

    south: float
    north: float
    west: float = 0.0
    east: float = 360.0


EARTH = Box(-90, 90)


def mean_fields(evidence: Evidence) -> Iterator[MeanField]:
    """Yield all channels and static fields."""
    yield from (_of_channel(own, evidence.coarse) for own in evidence.channels.values())
    yield from (_of_static(name, values, evidence.grid) for name, values in evidence.static.items())


def _of_channel(own: ChannelEvidence, coarse: LatLonGrid) -> MeanField:
    ends = np.fmin.reduce(own.series.minimum), np.fmax.reduce(own.series.maximum)
    return MeanField(own.channel, coarse, own.cells.mean, own.cells.presence, *map(float, ends))


def _of_static(name: str, values: np.ndarray, grid: LatLonGrid) -> MeanField:
    known = np.where(np.isfinite(values), values, np.nan)
    ends = np.fmin.reduce(known, axis=None), np.fmax.reduce(known, axis=None)
    return MeanField(Channel(name), grid, known, np.isfinite(values).astype(float), *map(float, ends))


def box_mean(values: np.ndarray, grid: LatLonGrid, box: Box) -> float:
    """Return the area-weighted mean of the finite values `[lat, lon]` in a box; NaN where there is none."""
    rows = (np.asarray(grid.latitude) >= box.south) & (np.asarray(grid.latitude) <= box.north)
    columns = (np.asarray(grid.longitude) >= box.west) & (np.asarray(grid.longitude) <= box.east)
    inside = values[np.ix_(rows, columns)]
    weights = np.where(np.isfinite(inside), grid.area_weights()[rows], 0.0)
    total = weights.sum()
    return float((np.nan_to_num(inside) * weights).sum() / total) if total > 0 else float("nan")


def by_variable(findings: Iterable[Finding], channels: Collection[Channel]) -> Iterator[Finding]:
    """Yield what is said of several levels of a variable in the same words once, of all of them.

    Args:
        findings: Each of a channel.
        channels: All of the data.
    """
    variables = {str(channel): channel.variable for channel in channels}
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        variable = variables.get(finding.subject, finding.subject)  # a field without time is no channel
        groups.setdefault((variable, finding.message), []).append(finding)
    joined = (", ".join(dict.fromkeys(finding.subject for finding in group)) for group in groups.values())
    at_once = (replace(group[0], subject=names) for group, names in zip(groups.values(), joined, strict=True))
    yield from called_alike(at_once, channels)
