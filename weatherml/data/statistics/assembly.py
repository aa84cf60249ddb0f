"""Statistics of a period from parts in a folder: which there are, which are missing, and what has come since."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import xarray as xr

from weatherml.data.blocks import Progress, read_block
from weatherml.data.period import select
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.data.statistics.fitting import Fit, write_fit
from weatherml.data.statistics.sums.gathering import Gathering, run_of
from weatherml.data.statistics.sums.parts import Part, Provenance, merged, write_part
from weatherml.data.statistics.sums.streaming import MEMORY
from weatherml.errors import UserError
from weatherml.storage.share import Share
from weatherml.wording import counted, listed

FOLDER = "statistics_parts"
"""Of the parts, in the folder of a run."""


def make_part(
    dataset: xr.Dataset,
    wanted: Fit,
    share: Share,
    folder: Path,
    progress: Progress | None = None,
    memory: int = MEMORY,
) -> Path:
    """Write the sums of one of several runs of times of a period; return where they are.

    Args:
        dataset: Canonical analyses.
        wanted: What is fitted.
        share: Which run.
        folder: Of the run of an experiment.
        progress: Told how much is read, and how much there is to read.
        memory: Bytes that may be held.

    Raises:
        UserError: There are fewer times than parts, or as `weatherml.data.statistics.fitting.fit`.
    """
    _require_plain(wanted)
    chosen = select(dataset, wanted.period)
    n_times = chosen.sizes["time"]
    if share.count > n_times:
        raise UserError(f"part {share.index}/{share.count} of {counted(n_times, 'time')} is empty; make fewer parts")
    path = folder / FOLDER / f"part-{share.index}-of-{share.count}.nc"
    _write(chosen, wanted, run_of(n_times, share), path, f"{share.index}/{share.count}", progress, memory)
    return path


def merge_parts(dataset: xr.Dataset, wanted: Fit, folder: Path, memory: int = MEMORY) -> Statistics:
    """Write `climatology.nc` and `statistics.nc` from the parts in a folder.

    Args:
        dataset: Canonical analyses, of which almost nothing is read.
        wanted: What is fitted.
        folder: Of the run of an experiment.
        memory: Bytes that may be held.

    Raises:
        UserError: Parts are missing, damaged, of other data or of another configuration, or share times.
    """
    chosen = select(dataset, wanted.period)
    parts = _fitting_parts(chosen, wanted, folder)
    rest = np.setdiff1d(chosen["time"].values, _times_of(parts))
    if rest.size:
        raise UserError(_missing(parts, rest, folder))
    return write_fit(merged(parts, memory), wanted, parts[0].harmonics, folder, str(chosen.attrs.get("digest", "")))


def extend_parts(
    dataset: xr.Dataset, wanted: Fit, folder: Path, progress: Progress | None = None, memory: int = MEMORY
) -> Statistics:
    """Add the times that have come after those of the parts in a folder, and write both files anew.

    Args:
        dataset: Canonical analyses; only what is new is read, and a few fields to see that the old are the same.
        wanted: What is fitted.
        folder: Of the run of an experiment.
        progress: Told how much is read, and how much there is to read.
        memory: Bytes that may be held.

    Raises:
        UserError: As `merge_parts`.
    """
    chosen = select(dataset, wanted.period)
    parts, times = _fitting_parts(chosen, wanted, folder), chosen["time"].values
    last = _times_of(parts)[-1]
    inside = np.setdiff1d(times[times <= last], _times_of(parts))
    if inside.size:
        raise UserError(_missing(parts, inside, folder))
    own = slice(int(np.searchsorted(times, last, side="right")), len(times))
    if own.start < own.stop:
        name = str(times[own.start].astype("datetime64[m]")).replace(":", "")
        _write(chosen, wanted, own, folder / FOLDER / f"part-from-{name}.nc", f"from {name}", progress, memory)
    return merge_parts(dataset, wanted, folder, memory)


def _require_plain(wanted: Fit) -> None:
    """Refuse what parts do not hold."""
    if wanted.window_days is not None or wanted.quantiles:
        raise UserError(
            "parts hold no sums for climatology.window_days or climatology.quantiles; leave both out, or compute at"
            " once, without --part, --merge and --extend"
        )


def _write(
    chosen: xr.Dataset, wanted: Fit, own: slice, path: Path, share: str, progress: Progress | None, memory: int
) -> None:
    gathering = wanted.gathering(chosen, memory)
    provenance = Provenance(str(chosen.attrs.get("digest", "")), chosen.sizes["time"], share)
    write_part(path, wanted.spec, gathering.run(chosen, progress, own), provenance)


def _fitting_parts(chosen: xr.Dataset, wanted: Fit, folder: Path) -> list[Part]:
    """Return the parts in a folder, which are of the data and of what is wanted."""
    _require_plain(wanted)
    parts = [Part(path) for path in sorted((folder / FOLDER).glob("part-*.nc"))]
    if not parts:
        raise UserError(f"{folder / FOLDER} holds no parts; make them with weatherml statistics ... --part 0/4")
    gathering = wanted.gathering(chosen)
    for part in parts:
        _require_wanted(part, gathering)
        _require_of_period(part, chosen)
        _require_same_data(part, chosen)
    _require_disjoint_times(parts)
    return parts


def _require_wanted(part: Part, wanted: Gathering) -> None:
    again = "delete it, and make the part again"
    if not part.spec.is_same(wanted.spec):
        what = "channels" if part.spec.channels != wanted.spec.channels else "grid"
        raise UserError(
            f"{part.path} is of another {what} than the configuration; {again}".replace("another c", "other c")
        )
    if part.harmonics != wanted.harmonics:
        raise UserError(
            f"{part.path} has {part.harmonics.n_annual} harmonics of the year and {part.harmonics.n_diurnal} of the"
            f" day, the configuration {wanted.harmonics.n_annual} and {wanted.harmonics.n_diurnal}; {again}"
        )
    if part.steps != wanted.steps:
        steps = [f"{step / np.timedelta64(1, 'h'):g} h" for step in (*part.steps, *wanted.steps)]
        raise UserError(f"{part.path} has changes over {steps[0]}, the configuration asks for {steps[-1]}; {again}")


def _require_of_period(part: Part, chosen: xr.Dataset) -> None:
    strange = np.setdiff1d(part.times, chosen["time"].values)
    if strange.size:
        raise UserError(
            f"{part.path} holds {counted(strange.size, 'time')}, such as {strange[0]:.16}, that the training period of"
            " the data does not; delete it, and make the part again"
        )


def _require_same_data(part: Part, chosen: xr.Dataset) -> None:
    """Require that a part is of the store, or of what it was before later times were added."""
    if part.provenance.store == str(chosen.attrs.get("digest", "")):
        return
    grown = part.provenance.n_times < chosen.sizes["time"]
    if not (grown and _are_still_there(part, chosen)):
        raise UserError(
            f"{part.path} is of another store, or of values that have been replaced since; delete it, and make the"
            " part again"
        )


def _are_still_there(part: Part, chosen: xr.Dataset) -> bool:
    """Return whether the fields at both ends of a part are those of the data."""
    for time, field in part.border_fields():
        position = int(np.searchsorted(chosen["time"].values, time))
        own = read_block(chosen, part.spec, slice(position, position + 1))[0]
        if not np.array_equal(own, field, equal_nan=True):
            return False
    return True


def _require_disjoint_times(parts: Sequence[Part]) -> None:
    ordered = sorted(parts, key=lambda part: part.times[0])
    for earlier, later in pairwise(ordered):
        if later.times[0] <= earlier.times[-1]:
            raise UserError(
                f"{earlier.path} and {later.path} both hold {later.times[0]:.16}; delete the one that is not meant"
            )


def _missing(parts: Sequence[Part], rest: np.ndarray, folder: Path) -> str:
    """Say which parts are not there, or what has come since."""
    shares = {part.provenance.share for part in parts if "/" in part.provenance.share}
    counts = {int(share.split("/")[1]) for share in shares}
    absent = [f"{i}/{n}" for n in counts for i in range(n) if f"{i}/{n}" not in shares]
    if len(counts) == 1 and absent:
        return (
            f"{folder / FOLDER} lacks {'part' if len(absent) == 1 else 'parts'} {listed(absent)}; make"
            f" {'it' if len(absent) == 1 else 'them'} with weatherml statistics ... --part {absent[0]}"
        )
    return (
        f"the store has {counted(rest.size, 'time')} of the training period that no part holds, from {rest[0]:.16} on;"
        " add them with weatherml statistics ... --extend"
    )


def _times_of(parts: Sequence[Part]) -> np.ndarray:
    times: np.ndarray = np.sort(np.concatenate([part.times for part in parts]))
    return times
