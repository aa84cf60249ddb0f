"""Statistics of a period from parts in a folder: which there are, which are missing, and what has come since."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import xarray as xr

from weatherml.data.blocks import Progress, read_block
from weatherml.data.period import select
from weatherml.data.statistics.accumulators.checksums import ByField, checksums_of
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.data.statistics.engine.gathering import Gathering, run_of
from weatherml.data.statistics.engine.parts import Part, Provenance, merged, write_part
from weatherml.data.statistics.engine.streaming import MEMORY
from weatherml.data.statistics.fitting import Fit, write_fit
from weatherml.data.statistics.versions import first_replaced, versions_of
from weatherml.errors import UserError
from weatherml.errors.wording import counted, listed
from weatherml.state import StateSpec
from weatherml.storage.share import Share

FOLDER = "statistics_parts"
"""Of the parts, in the folder of a run."""
_AGAIN = "delete it, and sum its times again with weatherml statistics ... --extend"


def _all_again(folder: Path) -> str:
    return f"delete all of {folder / FOLDER}, and make the parts again"


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
    path = folder / FOLDER / f"part-{share.index}-of-{share.count}.nc"
    n_times = _n_times_cut(chosen["time"].values, share, path)
    if share.count > n_times:
        raise UserError(f"part {share.index}/{share.count} of {counted(n_times, 'time')} is empty; make fewer parts")
    name = f"{share.index}/{share.count}"
    _write(chosen.isel(time=slice(n_times)), wanted, run_of(n_times, share), path, name, progress, memory)
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
    parts, times = _fitting_parts(chosen, wanted, folder, memory), chosen["time"].values
    rest = np.setdiff1d(times, _times_of(parts))
    if rest.size:
        raise UserError(_missing(parts, rest, times, folder))
    return _put_together(chosen, wanted, parts, folder, memory)


def _put_together(chosen: xr.Dataset, wanted: Fit, parts: Sequence[Part], folder: Path, memory: int) -> Statistics:
    return write_fit(merged(parts, memory), wanted, parts[0].harmonics, folder, str(chosen.attrs.get("digest", "")))


def extend_parts(
    dataset: xr.Dataset, wanted: Fit, folder: Path, progress: Progress | None = None, memory: int = MEMORY
) -> Statistics:
    """Add the times that none of the parts in a folder holds, wherever they lie, and write both files anew.

    Args:
        dataset: Canonical analyses; of a store only what is new is read, and what lies in files that have changed.
        wanted: What is fitted.
        folder: Of the run of an experiment.
        progress: Told how much is read, and how much there is to read.
        memory: Bytes that may be held.

    Raises:
        UserError: There are no parts, or such as `merge_parts` refuses.
    """
    chosen = select(dataset, wanted.period)
    parts, times = _fitting_parts(chosen, wanted, folder, memory), chosen["time"].values
    for own in _runs_of(~np.isin(times, _times_of(parts))):
        name = str(times[own.start].astype("datetime64[m]")).replace(":", "")
        path = folder / FOLDER / f"part-from-{name}.nc"
        _write(chosen, wanted, own, path, f"from {name}", progress, memory)
        parts.append(Part(path))
    return _put_together(chosen, wanted, parts, folder, memory)


def _runs_of(chosen: np.ndarray) -> Iterator[slice]:
    """Yield the runs of positions at which bool `[time]` is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]])))
    for start, stop in edges.reshape(-1, 2).tolist():
        yield slice(start, stop)


def _n_times_cut(times: np.ndarray, share: Share, path: Path) -> int:
    """Return how many times are cut into parts: as many as were for those that are there, if the store has only grown.

    Args:
        times: Of the period, `datetime64[ns]` [time].
        share: Which part is made.
        path: Where it goes.
    """
    sisters = []
    for other in sorted(path.parent.glob(f"part-*-of-{share.count}.nc")):
        with suppress(UserError):  # of a damaged one, which is named when parts are put together
            sisters += [Part(other)] if other != path else []
    n_times = {part.provenance.n_times for part in sisters}
    is_one_cut = len(n_times) == 1 and all(_is_cut_of(part, times) for part in sisters)
    return n_times.pop() if is_one_cut else len(times)


def _is_cut_of(part: Part, times: np.ndarray) -> bool:
    """Return whether a part holds what its name says of the first times of a period `[time]`."""
    n_times, share = part.provenance.n_times, Share.parse(part.provenance.share)
    return n_times <= len(times) and np.array_equal(part.times, times[run_of(n_times, share)])


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
    gathering, times = wanted.gathering(chosen, memory, others=(ByField(),)), chosen["time"].values
    provenance = Provenance(str(chosen.attrs.get("digest", "")), len(times), share, str(times[0]))
    versions = versions_of(
        chosen.isel(time=own), wanted.spec
    )  # before anything is read: later ones would hide a change
    write_part(path, wanted.spec, gathering.run(chosen, progress, own), provenance, versions)


def _fitting_parts(chosen: xr.Dataset, wanted: Fit, folder: Path, memory: int) -> list[Part]:
    """Return the parts in a folder, which are of the data and of what is wanted."""
    _require_plain(wanted)
    parts = [Part(path) for path in sorted((folder / FOLDER).glob("part-*.nc"))]
    if not parts:
        raise UserError(f"{folder / FOLDER} holds no parts; make them with weatherml statistics ... --part 0/4")
    gathering = wanted.gathering(chosen)
    for part in parts:
        _require_wanted(part, gathering)
        _require_of_period(part, chosen["time"].values, folder)
    _require_disjoint_times(parts)
    _require_same_data(parts, chosen, wanted.spec, memory)
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


def _require_of_period(part: Part, times: np.ndarray, folder: Path) -> None:
    strange = np.setdiff1d(part.times, times)
    if strange.size:
        raise UserError(
            f"{part.path} holds {counted(strange.size, 'time')}, such as {strange[0]:.16}, that the training period of"
            " the data does not; delete it, and make the part again"
        )
    if np.datetime64(part.provenance.first) != times[0]:
        raise UserError(
            f"{part.path} is of a training period that began at {part.provenance.first:.16}, where it begins at"
            f" {times[0]:.16} now; {_all_again(folder)}"
        )
    inside = np.setdiff1d(times[(times >= part.times[0]) & (times <= part.times[-1])], part.times)
    if inside.size:
        raise UserError(
            f"{part.path} lacks {counted(inside.size, 'time')} between those that it holds, such as {inside[0]:.16};"
            f" {_AGAIN}"
        )


def _require_same_data(parts: Sequence[Part], chosen: xr.Dataset, spec: StateSpec, memory: int) -> None:
    """Require that parts are of the store, or of one that held the same values at their times."""
    digest = str(chosen.attrs.get("digest", ""))
    others = [part for part in parts if not digest or part.provenance.store != digest]
    if not others:
        return
    versions, first = versions_of(chosen, spec), checksums_of(read_block(chosen, spec, slice(1)))[0]
    for part in others:
        if any(checksums_of(part.origin(c)[None, None]) != first[c] for c in range(spec.n_channels)):
            raise UserError(
                f"{part.path} is of another store, or of values that have been replaced since, those at the first time"
                f" of the training period among them; {_all_again(part.path.parent.parent)}"
            )
        replaced = first_replaced(part, chosen, versions, memory)
        if replaced is not None:
            raise UserError(
                f"{part.path} is of values that have been replaced since, at {replaced:.16} first; {_AGAIN}"
            )


def _require_disjoint_times(parts: Sequence[Part]) -> None:
    ordered = sorted(parts, key=lambda part: part.times[0])
    for earlier, later in pairwise(ordered):
        if later.times[0] <= earlier.times[-1]:
            raise UserError(
                f"{earlier.path} and {later.path} both hold {later.times[0]:.16}; delete the one that is not meant"
            )


def _missing(parts: Sequence[Part], rest: np.ndarray, times: np.ndarray, folder: Path) -> str:
    """Say which parts are not there, or what has come since."""
    cut = [part for part in parts if "/" in part.provenance.share]
    shares = {part.provenance.share for part in cut}
    is_one_cut = len({part.provenance.n_times for part in cut}) == 1 and all(_is_cut_of(part, times) for part in cut)
    counts = {int(share.split("/")[1]) for share in shares}
    absent = [f"{i}/{n}" for n in counts for i in range(n) if f"{i}/{n}" not in shares]
    if len(counts) == 1 and is_one_cut and absent:
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
