"""What is kept of files that are put together, and what is said of the rest."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import xarray as xr

from weatherml.data.notes import noted, notes
from weatherml.data.reading.canonical import SOURCE_NAME
from weatherml.data.reading.canonical.coordinates import ALIASES
from weatherml.data.reading.merge import Part
from weatherml.errors import Option, UserError
from weatherml.errors.wording import listed
from weatherml.registry import nearest
from weatherml.variables import find

FORMAT = "weatherml_source_format"
"""Dataset attribute: the formats the data were read from."""


class NotThereError(UserError):
    """No file has what is to be renamed.

    Attributes:
        name: What that is.
    """

    def __init__(self, name: str, own: Iterable[str]) -> None:
        """Say which, and what there is instead."""
        told = f"rename says what {name!r} is, but no file has such a variable"
        super().__init__(f"{told}; those read are called {listed(sorted(own))}")
        self.name = name

    def __reduce__(self) -> tuple[Any, ...]:
        return UserError, self.args  # which crosses to other processes


def tell_what_was_passed_over(dataset: xr.Dataset, told: Iterable[str]) -> xr.Dataset:
    """Add the sentences to the notes of a dataset, each once."""
    for note in told:
        dataset = noted(dataset, note) if note not in ("", *notes(dataset)) else dataset
    return dataset


def require_read(wanted: Collection[str], merged: xr.Dataset) -> None:
    """Say what was passed over where a variable that was asked for may be among it.

    Raises:
        UserError: One is not there.
    """
    told = "; ".join(note for note in notes(merged) if "passed over" in note)
    for name in wanted:
        if name not in merged and told:
            raise UserError(
                f"the data have no variable {name!r} that is read ({told})", Option("rename", {"OWN": name})
            )


def require_renamed(
    rename: Iterable[tuple[str, str]], found: Iterable[Mapping[str, Any]], told: Iterable[str], wanted: Collection[str]
) -> None:
    """Require that whatever is to be renamed is in some file.

    Args:
        rename: The files' own names, and those that they are given.
        found: Attributes of each variable that is read.
        told: Notes on what was passed over, which may be among it.
        wanted: Canonical names that are kept; all when empty.

    Raises:
        UserError: No file has one.
    """
    own = {str(attrs.get(SOURCE_NAME)) for attrs in found}
    passed = {word for note in told for word in re.findall(r"[^\s,;()]+", note)}
    for name, canonical in rename:
        is_asked = canonical not in ALIASES and (not wanted or find(canonical).name in wanted)
        if is_asked and name not in own | passed:
            raise NotThereError(name, own)


def on_levels(parts: Sequence[Part], levels: Sequence[int] | None) -> Sequence[Part]:
    """Keep those levels that each file has.

    Raises:
        UserError: None has one of them.
    """
    if levels is None:
        return parts
    leveled = [part for part in parts if "level" in part.dataset.dims]
    own = sorted({level for part in leveled for level in part.dataset["level"].values.tolist()})
    _require_levels(levels, own)
    kept = [[level for level in part.dataset["level"].values if level in levels] for part in leveled]
    chosen = [Part(p.origin, p.dataset.sel(level=k)) for p, k in zip(leveled, kept, strict=True) if k]
    return [*(part for part in parts if "level" not in part.dataset.dims), *chosen]


def _require_levels(levels: Sequence[int], own: Sequence[int]) -> None:
    absent = [level for level in levels if level not in own]
    if absent:
        raise UserError(f"the data have no level {absent[0]} hPa; they have {listed(own)}")


def select(
    dataset: xr.Dataset, variables: Sequence[str] | None = None, levels: Sequence[int] | None = None
) -> xr.Dataset:
    """Keep some variables (named in any vocabulary) and pressure levels; all where None.

    Raises:
        UserError: One is not there; the near one, or those there, are named.
    """
    names = [find(v).name for v in variables] if variables is not None else list(dataset.data_vars)
    for name in names:
        if name not in dataset.data_vars:
            raise UserError(f"the data have no variable {name!r}{nearest(str(name), map(str, dataset.data_vars))}")
    dataset = dataset[names]
    _require_levels(levels or (), dataset["level"].values.tolist() if "level" in dataset.dims else [])
    return dataset.sel(level=sorted(levels)) if levels is not None else dataset
