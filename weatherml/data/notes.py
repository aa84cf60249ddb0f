"""What had to be put right in a file, kept as sentences among the attributes."""

import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.errors.wording import listed

LAYOUT = "weatherml_source_layout"
"""Dataset attribute: what had to be put right, one sentence each."""
PRELIMINARY = "weatherml_preliminary"
"""Dataset attribute: spans of times that are preliminary, `FIRST/LAST` as in ISO 8601; a sentence where none is known.

They are not counted before the times are chosen, so that what is said is true of those that are left.
"""
ERA5T = "preliminary ERA5T (expver 5)"
_EXPVER = 5
_SPAN = re.compile(r"(?P<first>\d{4}-\S+)/(?P<last>\d{4}-\S+)")


def notes(dataset: xr.Dataset, attribute: str = LAYOUT) -> list[str]:
    """Return the texts kept under `LAYOUT` or `PRELIMINARY`, also after a round trip through a file."""
    kept = dataset.attrs.get(attribute, [])
    return [kept] if isinstance(kept, str) else list(kept)


def noted(dataset: xr.Dataset, text: str, attribute: str = LAYOUT) -> xr.Dataset:
    """Return the dataset with one more sentence under an attribute."""
    return dataset.assign_attrs({attribute: [*notes(dataset, attribute), text]})


def join_notes(datasets: Iterable[xr.Dataset]) -> dict[str, list[str]]:
    """Return the notes of several datasets as attributes of one, each sentence once."""
    datasets = list(datasets)
    joined = {
        key: list(dict.fromkeys(text for d in datasets for text in notes(d, key))) for key in (LAYOUT, PRELIMINARY)
    }
    return {key: texts for key, texts in joined.items() if texts}


def is_preliminary(version: object) -> bool:
    """Return whether ECMWF's number of an experiment, as text, bytes or a number, is that of ERA5T."""
    try:
        return float(version.decode() if isinstance(version, bytes) else str(version)) == _EXPVER
    except ValueError:
        return False


def preliminary_times(dataset: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Return which times of a dataset lie within a span of preliminary ones `[time]`."""
    times = np.atleast_1d(dataset["time"].values)
    is_within = np.zeros(times.shape, bool)
    for span in filter(None, map(_SPAN.fullmatch, notes(dataset, PRELIMINARY))):
        is_within |= (times >= np.datetime64(span["first"])) & (times <= np.datetime64(span["last"]))
    return is_within


def spans_of(times: npt.NDArray[np.datetime64], mask: npt.NDArray[np.bool_]) -> list[str]:
    """Return the times of a mask as spans, one for each run of them."""
    chosen = np.flatnonzero(mask)
    runs = np.split(chosen, np.flatnonzero(np.diff(chosen) > 1) + 1) if chosen.size else []
    return [f"{times[run[0]]}/{times[run[-1]]}" for run in runs]


def without_spans(texts: Iterable[str]) -> list[str]:
    """Return what is said under `PRELIMINARY` of times that are not known."""
    return [text for text in texts if not _SPAN.fullmatch(text)]


def preliminary(dataset: xr.Dataset) -> list[str]:
    """Return what is to be said of preliminary values at the times of a dataset, one sentence each."""
    sentences = without_spans(notes(dataset, PRELIMINARY))
    if "time" not in dataset.coords:
        return sentences
    times, is_within = np.atleast_1d(dataset["time"].values), preliminary_times(dataset)
    if is_within.any():
        ends = [[iso(np.datetime64(end)) for end in span.split("/")] for span in spans_of(times, is_within)]
        told = listed(" .. ".join(dict.fromkeys(span)) for span in ends)
        sentences.append(f"{ERA5T}: {is_within.sum()} of {times.size} times, {told}")
    return sentences


def iso(time: np.datetime64) -> str:
    """Write a time to the minute, or to the hour where it is a full one."""
    return str(time.astype("datetime64[m]")).removesuffix(":00")
