"""What is wrong with a dataset, or worth knowing before it is used."""

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from weatherml.data.blocks import Progress
from weatherml.data.derived.derivations import ACCUMULATIONS
from weatherml.data.notes import LAYOUT, iso, notes, preliminary
from weatherml.data.quality.accumulation import judge_accumulation, judge_windows
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.plausibility import Summary, judge, summarise
from weatherml.data.reading.canonical import STATIC
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.state import LEADING
from weatherml.variables import VARIABLES
from weatherml.wording import counted, listed

_RANK = {"error": 0, "warning": 1, "note": 2}

__all__ = ["Finding", "check_dataset"]


def check_dataset(dataset: xr.Dataset, progress: Progress | None = None) -> list[Finding]:
    """Check a canonical dataset: layout, grid, times, missing values and plausibility.

    Every value is read once, variable by variable and chunk by chunk.

    Args:
        dataset: Canonical.
        progress: Told how many variables are read, and how many there are.

    Returns:
        Findings, errors first; what `open_files` had to put right is among the notes.
    """
    findings = [*_check_origin(dataset), *_check_layout(dataset), *_check_times(dataset)]
    if not any(f.severity == "error" and f.subject == "grid" for f in findings):
        findings += _check_values(dataset, LatLonGrid.from_dataset(dataset), progress)
    return sorted(findings, key=lambda finding: _RANK[finding.severity])


def _check_origin(dataset: xr.Dataset) -> Iterator[Finding]:
    yield from (Finding("warning", "time", text) for text in preliminary(dataset))
    yield from (Finding("note", "layout", text) for text in notes(dataset, LAYOUT))


def _check_layout(dataset: xr.Dataset) -> Iterator[Finding]:
    yield from _check_grid(dataset)
    for name in map(str, dataset.data_vars):
        if name not in VARIABLES:
            yield Finding("error", name, "is not a canonical variable name; weatherml.open_files gives files theirs")
            continue
        if VARIABLES[name].vertical == "pressure" and "level" not in dataset[name].dims:
            yield Finding(
                "warning", name, "has no pressure level; the file must say it, as a coordinate in hPa of one value"
            )
        expected = tuple(d for d in (*LEADING, "level", "latitude", "longitude") if d in dataset[name].dims)
        if dataset[name].dims != expected:
            yield Finding(
                "error", name, f"dimensions {dataset[name].dims} are not in the order {expected}; transpose it"
            )
    if "level" in dataset.dims and np.any(np.diff(dataset["level"].values) <= 0):
        yield Finding("error", "level", f"must ascend in hPa, got {listed(dataset['level'].values.tolist())}; sort it")


def _check_grid(dataset: xr.Dataset) -> Iterator[Finding]:
    try:
        grid = LatLonGrid.from_dataset(dataset)
    except UserError as error:
        yield Finding("error", "grid", str(error))
        return
    if not grid.is_global:
        south, north, (west, east) = grid.latitude[-1], grid.latitude[0], grid.west_east
        yield Finding("note", "grid", f"regional: latitude {south:g} .. {north:g}, longitude {west:g} .. {east:g}")
    if not grid.is_global and grid.gaps:
        after = ", ".join(f"{longitude:g}" for longitude in grid.gaps)
        yield Finding("note", "grid", f"columns are not contiguous: some are missing after longitude {after}")


def _check_times(dataset: xr.Dataset) -> Iterator[Finding]:
    if "time" not in dataset.dims:
        if "init_time" not in dataset.dims and not set(map(str, dataset.data_vars)) <= set(STATIC):
            yield Finding(
                "warning", "time", "there is none, so nothing can be ingested; the file must say it, as a coordinate"
            )
        return
    times = dataset["time"].values
    steps = np.diff(times)
    if steps.size == 0:
        return
    if np.any(steps <= np.timedelta64(0, "ns")):
        worst = times[int(np.argmin(steps)) + 1]
        yield Finding("error", "time", f"must ascend, each once; {iso(worst)} comes out of turn; sort and drop repeats")
        return
    yield from _check_steps(times, steps)


def _check_steps(times: np.ndarray, steps: np.ndarray) -> Iterator[Finding]:
    """Tell gaps (multiples of the usual step) from irregular times."""
    values, counts = np.unique(steps, return_counts=True)
    usual = values[counts.argmax()]
    odd = np.flatnonzero(steps != usual)
    if odd.size == 0:
        return
    after, hours = times[odd[0]], usual / np.timedelta64(1, "h")
    if np.all(steps[odd] % usual == np.timedelta64(0, "ns")):
        missing = int((steps[odd] // usual - 1).sum())
        gaps = f"{counted(odd.size, 'gap')} in the {hours:g} h step, {counted(missing, 'time')} missing"
        text = f"{gaps}, the first after {iso(after)}"
    else:
        text = (
            f"irregular: {odd.size} of {steps.size} steps are not the usual {hours:g} h, the first after {iso(after)}"
        )
    yield Finding("warning", "time", text)


def _check_values(dataset: xr.Dataset, grid: LatLonGrid, progress: Progress | None) -> Iterator[Finding]:
    known = [name for name in dataset.data_vars if name in VARIABLES]
    for position, name in enumerate(known):
        summaries = summarise(dataset[name])
        yield from _check_missing(summaries, dataset)
        yield from judge(summaries, grid)
        yield from judge_windows(dataset[name])
        if name in ACCUMULATIONS and "time" in dataset[name].dims:
            yield from judge_accumulation(summaries[0], dataset["time"].values)
        if progress is not None:
            progress(position + 1, len(known))


def _check_missing(summaries: Sequence[Summary], dataset: xr.Dataset) -> Iterator[Finding]:
    """Tell a mask (the same cells at all times) from holes, and from levels or times without any value."""
    name = summaries[0].channel.variable
    if all(s.is_empty.all() for s in summaries):
        yield Finding("error", name, "has no finite value at all; the file is damaged or the wrong one")
        return
    for summary in summaries:
        subject, empty = str(summary.channel), summary.is_empty
        if empty.all():
            yield Finding("note", subject, "this level has no values; other variables or levels have")
            continue
        if empty.any():
            first = iso(dataset["time"].values[empty.argmax()])
            yield Finding(
                "error", subject, f"no finite value at {empty.sum()} of {empty.size} times, the first {first}"
            )
        yield from _check_mask(subject, summary.presence, 1 - empty.mean())


def _check_mask(subject: str, presence: np.ndarray, full: float) -> Iterator[Finding]:
    """Judge the missing cells of the times that have any value; `full` is the share of those times."""
    never = presence == 0
    sometimes = ~never & ~np.isclose(presence, full)
    if sometimes.any():
        text = f"{sometimes.sum()} of {presence.size} cells are finite at some times only; fill or mask them"
        yield Finding("error", subject, text)
    if never.any():
        yield Finding("note", subject, f"mask: {never.mean():.1%} of the cells never have a value")
