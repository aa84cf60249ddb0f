"""What had to be put right in a file, kept as sentences among the attributes."""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from weatherml.errors import UserError

LAYOUT = "weatherml_source_layout"
"""Dataset attribute: what had to be put right, one sentence each."""
PRELIMINARY = "weatherml_preliminary"
"""Dataset attribute: spans of times that are preliminary, `FIRST/LAST` as in ISO 8601; a sentence where none is known.

They are not counted before the times are chosen, so that what is said is true of those that are left.
"""
ERA5T = "preliminary ERA5T (expver 5)"
_SPAN = re.compile(r"(?P<first>\d{4}-\S+)/(?P<last>\d{4}-\S+)")
SOURCE_NAME = "weatherml_source_name"
"""Variable attribute: what the file called it."""


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


def write_span(first: np.datetime64, last: np.datetime64) -> str:
    """Return a span of times as text, both ends included."""
    return f"{first}/{last}"


def preliminary(dataset: xr.Dataset) -> list[str]:
    """Return what is to be said of preliminary values at the times of a dataset, one sentence each."""
    told = notes(dataset, PRELIMINARY)
    spans = [found for found in map(_SPAN.fullmatch, told) if found]
    sentences = [text for text in told if not _SPAN.fullmatch(text)]
    if not spans or "time" not in dataset.coords:
        return sentences
    times = np.atleast_1d(dataset["time"].values)
    is_within = np.zeros(times.shape, bool)
    for span in spans:
        is_within |= (times >= np.datetime64(span["first"])) & (times <= np.datetime64(span["last"]))
    if is_within.any():
        first, last = map(iso, (times[is_within].min(), times[is_within].max()))
        sentences.append(f"{ERA5T}: {is_within.sum()} of {times.size} times, {first} .. {last}")
    return sentences


def iso(time: np.datetime64) -> str:
    """Write a time to the minute, or to the hour where it is a full one."""
    return str(time.astype("datetime64[m]")).removesuffix(":00")


class PassedOverError(UserError):
    """What a file holds is not read, which is an error only where nothing else is.

    Attributes:
        note: The sentence to keep beside what is read.
    """

    def __init__(self, message: str, note: str) -> None:
        super().__init__(message)
        self.note = note

    def __reduce__(self) -> tuple[Any, ...]:
        return PassedOverError, (str(self), self.note)
