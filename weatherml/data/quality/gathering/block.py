"""What a block of times of one variable adds to the evidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from weatherml.data.quality.gathering.coarsening import Coarsening
from weatherml.data.quality.gathering.numbers.fields import FieldNumbers, measure
from weatherml.data.quality.gathering.numbers.lags import Lagged
from weatherml.data.quality.gathering.numbers.moments import Moments
from weatherml.data.quality.gathering.numbers.rows import RowSums

_BATCH_BYTES = 2**20
"""Of what is looked at in one go: it stays in a core's cache, and Python takes little of the time."""
Group = tuple[str, int]
"""`month` 0 .. 11, or `hour` 0 .. 23."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """Times of one block `[time]`, and those of them that are looked at more closely.

    Attributes:
        times: `datetime64[ns]`, or numbers where the data have none.
        rows: Positions of those whose rows are compared.
        snapshots: Positions of those that are kept.
    """

    times: np.ndarray
    rows: np.ndarray
    snapshots: np.ndarray


@dataclass(frozen=True, eq=False)
class Partial:
    """Evidence of one variable from one block of times.

    Attributes:
        numbers: By time and level `[time, level]`.
        change: RMS of the change since the time before `[time, level]`; NaN where that is not in the block.
        day_change: Since the day before.
        first: Coarse fields of the first day.
        last: Coarse fields of the last day.
        cells: Moments on the coarse grid `[level, lat, lon]`.
        groups: Sums of the months and hours that are there, and their numbers `[level, lat, lon]`.
        found: How often each cell is finite `[level, lat, lon]`; None where all always are.
        n_filled: Fields that have any finite value `[level]`.
        n_fields: Times, times members.
        rows: Sums of the times that were chosen; None where none were.
        snapshots: Coarse fields of the first member `[snapshot, level, lat, lon]`.
    """

    numbers: FieldNumbers
    change: np.ndarray
    day_change: np.ndarray
    first: Lagged
    last: Lagged
    cells: Moments
    groups: Mapping[Group, tuple[np.ndarray, np.ndarray]]
    found: np.ndarray | None
    n_filled: np.ndarray
    n_fields: int
    rows: RowSums | None
    snapshots: np.ndarray


def look_at(values: Any, chosen: Chosen, coarsening: Coarsening) -> Partial:
    """Return what a block holds.

    Args:
        values: `[time, member, level, lat, lon]`, in memory.
        chosen: Its times.
        coarsening: Of its fields.
    """
    block = np.asarray(values, np.float32)
    numbers, coarse, found = _by_field(block, coarsening)
    lagged = Lagged(chosen.times, coarse)
    change, day_change = lagged.changes(coarsening.coarse.area_weights())
    flat = coarse.reshape(-1, *coarse.shape[2:])
    return Partial(
        numbers=_over_members(numbers),
        change=change,
        day_change=day_change,
        first=lagged.first_day(),
        last=lagged.last_day(),
        cells=Moments.of(flat),
        groups=_by_group(coarse, chosen.times),
        found=found,
        n_filled=np.isfinite(numbers.mean).sum((0, 1)),
        n_fields=len(flat),
        rows=RowSums.of(block[chosen.rows].reshape(-1, *block.shape[2:])) if len(chosen.rows) else None,
        snapshots=coarse[chosen.snapshots, 0],
    )


def _by_field(block: np.ndarray, coarsening: Coarsening) -> tuple[FieldNumbers, np.ndarray, np.ndarray | None]:
    """Return the numbers of each field `[time, member, level]`, the coarse fields, and how often cells are finite."""
    areas, lead = coarsening.grid.cell_areas(), block.shape[:3]
    fields = block.reshape(-1, *block.shape[3:])
    length = max(1, _BATCH_BYTES // max(fields[0].nbytes, 1))
    measured, coarse, is_missing = [], [], False
    for start in range(0, len(fields), length):
        batch, finite = _filled(fields[start : start + length])
        measured.append(measure(batch, finite, areas))
        coarse.append(coarsening.means(batch, finite))
        is_missing |= finite is not None
    numbers = FieldNumbers(*(np.concatenate(parts).reshape(lead) for parts in zip(*measured, strict=True)))
    found = np.isfinite(block).sum((0, 1), dtype=np.int32) if is_missing else None
    whole = np.concatenate(coarse)
    return numbers, whole.reshape(*lead, *whole.shape[1:]), found


def _filled(fields: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return fields with 0 for what is not finite, and where they are finite; None where all is."""
    if np.isfinite(fields.min()) and np.isfinite(fields.max()):
        return fields, None
    finite = np.isfinite(fields)
    return np.where(finite, fields, np.float32(0)), finite


def _over_members(numbers: FieldNumbers) -> FieldNumbers:
    """Return numbers of the members of a time together."""
    if numbers.mean.shape[1] == 1:
        return FieldNumbers(*(number[:, 0] for number in numbers))
    joined = numbers.fingerprint[:, 0]
    for member in range(1, numbers.fingerprint.shape[1]):
        joined = joined * np.uint64(0x9E3779B97F4A7C15) + numbers.fingerprint[:, member]
    return FieldNumbers(
        mean=_mean(numbers.mean),
        variance=_mean(numbers.variance),
        minimum=np.fmin.reduce(numbers.minimum, axis=1),
        maximum=np.fmax.reduce(numbers.maximum, axis=1),
        n_missing=numbers.n_missing.sum(1),
        n_zero=numbers.n_zero.sum(1),
        fingerprint=joined,
    )


def _mean(numbers: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nansum(numbers, axis=1) / np.isfinite(numbers).sum(1))


def _by_group(coarse: np.ndarray, times: np.ndarray) -> Mapping[Group, tuple[np.ndarray, np.ndarray]]:
    if times.dtype.kind != "M":
        return {}
    labels = {
        "month": times.astype("datetime64[M]").astype(int) % 12,
        "hour": times.astype("datetime64[h]").astype(int) % 24,
    }
    return {
        (kind, int(group)): _sum(coarse[of_each == group]) for kind, of_each in labels.items() for group in set(of_each)
    }


def _sum(coarse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of the finite values over times and members, and their number."""
    total = coarse.sum((0, 1))
    if np.isfinite(total).all():
        return total, np.array(coarse.shape[0] * coarse.shape[1])
    finite = np.isfinite(coarse)
    return np.where(finite, coarse, 0).sum((0, 1)), finite.sum((0, 1))
