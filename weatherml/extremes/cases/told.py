"""What one member says of the event: whether it happens, when, how strongly and where."""

from dataclasses import dataclass, replace

import numpy as np

from weatherml.errors import UserError
from weatherml.extremes.cases.region import write_place
from weatherml.extremes.cases.stage import Seen, Stage, regional
from weatherml.sphere.great_circles import mean_place

_ROUNDING = 1e-9
"""By which sums of shares of areas may be off: those of a whole region are not always 1."""


@dataclass(frozen=True)
class Told:
    """The event in one member, or in truth.

    Attributes:
        happened: Whether it was an event: at some time of the period so much of the region was in it as is asked.
        largest_share: Of the region's area in the event at one time.
        onset: The first time at which enough of the region was; NaT where it did not happen.
        end: The last such time.
        peak_time: When the region's index was most extreme.
        peak: The index then.
        latitude: Degrees north of the middle of the event, or of the most extreme value where the index is one; NaN
            where nothing happened.
        longitude: Degrees east.
    """

    happened: bool
    largest_share: float
    onset: np.datetime64
    end: np.datetime64
    peak_time: np.datetime64
    peak: float
    latitude: float
    longitude: float


def tell(seen: Seen, stage: Stage) -> Told:
    """Say what happened at the times that are seen, all of the period's."""
    share, index = shares(seen, stage), regional(seen.index, stage)
    enough = np.flatnonzero(is_enough(share, stage))
    at = int((np.nanargmin if stage.hazard.summary == "minimum" else np.nanargmax)(index))
    none = np.datetime64("NaT", "ns")
    onset, end = (seen.times[enough[[0, -1]]]) if len(enough) else (none, none)
    return Told(
        bool(len(enough)), float(share.max()), onset, end, seen.times[at], float(index[at]), *_place(seen, stage, at)
    )


def is_enough(share: np.ndarray, stage: Stage) -> np.ndarray:
    """Return whether shares of the region are an event, bool `[time]`."""
    return np.asarray((share >= stage.case.share_asked - _ROUNDING) & (share > 0))


@dataclass(frozen=True)
class Cut:
    """Whether the period cuts an event, so that it is not known from the period when it began or ended.

    Attributes:
        onset: It is there at the first time, and the analyses before do not say that it was not.
        end: The same of the last time, and of those after it.
    """

    onset: bool
    end: bool


def cut_of(told: Told, stage: Stage) -> Cut:
    """Return whether the period cuts an event of the truth, by the analyses around it."""
    if not told.happened:
        return Cut(False, False)
    around, times = stage.around, stage.times
    there = is_enough(shares(around, stage), stage)
    outside = there[around.times < times[0]][-1:], there[around.times > times[-1]][:1]
    at_edge = told.onset == times[0], told.end == times[-1]
    return Cut(*(bool(edge and own.all()) for edge, own in zip(at_edge, outside, strict=True)))


def require_values(seen: Seen, stage: Stage, owner: str) -> None:
    """Require what is seen to be whole; of sums over hours before, the first times may be missing everywhere.

    Raises:
        UserError: A value is missing in the region, or all are.
    """
    gaps = np.isnan(seen.index) & stage.inside
    is_known = ~gaps[:, stage.inside].all(axis=1)
    start = int(is_known.argmax()) if is_known.any() else 0
    for time, row, column in np.argwhere(gaps[start:])[:1]:
        place = write_place(stage.grid.latitude[row], stage.grid.longitude[column])
        raise UserError(
            f"{owner} has no value of {seen.name} at {seen.times[start + time]:.16}, {place}"
            f" ({gaps[start:].sum() / (stage.inside.sum() * len(gaps[start:])):.2g} of all values are missing); give"
            " whole fields"
        )


def shares(seen: Seen, stage: Stage) -> np.ndarray:
    """Return the share of the region's area in the event at each time `[time]`."""
    share: np.ndarray = (seen.event * stage.weights).sum(axis=(1, 2))
    return np.asarray(np.minimum(share, 1))


def completed(seen: Seen, stage: Stage) -> Seen | None:
    """Return a member at all times of the period: until it began, the truth; None where it does not reach the end."""
    if not len(seen.times):
        return None
    known = stage.times < seen.times[0]
    ahead = stage.times[~known]
    if not len(ahead) or not np.isin(ahead, seen.times).all():
        return None
    own, past = seen.only(np.isin(seen.times, ahead)), stage.true.only(known)
    return replace(
        own,
        times=stage.times,
        event=np.concatenate([past.event, own.event]),
        index=np.concatenate([past.index, own.index]),
    )


def _place(seen: Seen, stage: Stage, at: int) -> tuple[float, float]:
    if not seen.event.any():
        return np.nan, np.nan
    rows, columns = np.array(stage.grid.latitude), np.array(stage.grid.longitude)
    if stage.hazard.summary != "mean":
        find = np.nanargmin if stage.hazard.summary == "minimum" else np.nanargmax
        row, column = np.unravel_index(find(seen.index[at]), stage.grid.shape)
        return float(rows[row]), float(columns[column])
    n_times = (seen.event.sum(axis=0) * stage.weights).ravel()
    latitude, longitude = np.meshgrid(rows, columns, indexing="ij")
    return mean_place(latitude.ravel(), longitude.ravel(), n_times)
