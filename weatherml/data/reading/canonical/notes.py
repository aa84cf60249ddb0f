"""What had to be put right in a file, kept as sentences among the attributes."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from weatherml.errors import UserError

LAYOUT = "weatherml_source_layout"
"""Dataset attribute: what had to be put right, one sentence each."""
PRELIMINARY = "weatherml_preliminary"
"""Dataset attribute: which times are preliminary ERA5T (expver 5), one sentence each."""
SOURCE_NAME = "weatherml_source_name"
"""Variable attribute: what the file called it."""


def notes(dataset: xr.Dataset, attribute: str = LAYOUT) -> list[str]:
    """Return the sentences kept under `LAYOUT` or `PRELIMINARY`, also after a round trip through a file."""
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
