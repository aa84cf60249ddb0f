"""What the labels of the times tell: none, out of order, with gaps, irregular."""

from collections.abc import Iterator

import numpy as np
import xarray as xr

from weatherml.data.notes import iso
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.registry import LABEL_RULES
from weatherml.data.reading.canonical import STATIC
from weatherml.errors.wording import counted


@LABEL_RULES.register("no-time")
def find_lost_times(dataset: xr.Dataset) -> Iterator[Finding]:
    """Fields that vary in time do not say when they are."""
    if not {"time", "init_time"} & set(dataset.dims) and not set(map(str, dataset.data_vars)) <= set(STATIC):
        text = "there is none, so nothing can be ingested; the file must say it, as a coordinate"
        yield Finding("warning", "time", text)


@LABEL_RULES.register("time-order")
def find_unordered_times(dataset: xr.Dataset) -> Iterator[Finding]:
    """The labels of the times do not ascend, or come twice."""
    steps = _steps(dataset)
    if np.isnat(steps).any():
        n_lost = int(np.isnat(dataset["time"].values).sum())
        yield Finding(
            "error", "time", f"{counted(n_lost, 'time')} of {len(steps) + 1} cannot be told; correct the file"
        )
    elif _is_unordered(steps):
        worst = dataset["time"].values[int(np.argmin(steps)) + 1]
        yield Finding("error", "time", f"must ascend, each once; {iso(worst)} comes out of turn; sort and drop repeats")


@LABEL_RULES.register("time-steps")
def find_gaps(dataset: xr.Dataset) -> Iterator[Finding]:
    """Times are missing among the labels, or are irregular."""
    steps = _steps(dataset)
    if not steps.size or _is_unordered(steps):
        return
    values, counts = np.unique(steps, return_counts=True)
    usual = values[counts.argmax()]
    odd = np.flatnonzero(steps != usual)
    if odd.size == 0:
        return
    after, hours = iso(dataset["time"].values[odd[0]]), usual / np.timedelta64(1, "h")
    if np.all(steps[odd] % usual == np.timedelta64(0, "ns")):
        missing = counted(int((steps[odd] // usual - 1).sum()), "time")
        text = f"{counted(odd.size, 'gap')} in the {hours:g} h step, {missing} missing, the first after {after}"
    else:
        text = f"irregular: {odd.size} of {steps.size} steps are not the usual {hours:g} h, the first after {after}"
    yield Finding("warning", "time", text)


def _steps(dataset: xr.Dataset) -> np.ndarray:
    times = dataset["time"].values if "time" in dataset.dims else np.zeros(0, "datetime64[ns]")
    return np.asarray(np.diff(times))


def _is_unordered(steps: np.ndarray) -> bool:
    return not np.all(steps > np.timedelta64(0, "ns"))
