"""Files that differ in nothing but their times, put together before they are joined with others."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from weatherml.data.reading.file_index.contents import Structure
from weatherml.data.reading.file_index.rows import Place


class Portion(NamedTuple):
    """What is wanted of one canonical dataset of a file.

    Attributes:
        place: Where it is, with the times that are kept.
        key: Equal for portions that differ in nothing but their times.
        structure: Its coordinates and variables.
    """

    place: Place
    key: str
    structure: Structure


def put_together(portions: Sequence[Portion]) -> list[list[Portion]]:
    """Return portions in groups of one structure whose times follow one another, in the order of the first of each.

    Portions that share a time with another of the same variables and levels stay alone, so that a difference between
    two files can be told by their names.
    """
    is_shared = _shares_times(portions)
    groups: dict[str, list[int]] = defaultdict(list)
    alone = []
    for index, portion in enumerate(portions):
        if is_shared[index]:
            alone.append([index])
        else:
            groups[portion.key].append(index)
    chains = [chain for members in groups.values() for chain in _chains(portions, members)]
    return [[portions[i] for i in chain] for chain in sorted([*alone, *chains], key=min)]


def _chains(portions: Sequence[Portion], members: list[int]) -> list[list[int]]:
    """Return members in as few chains as have rising times; one of all copies where there are no times."""
    if portions[members[0]].place.times is None:
        return [members[:1]]
    chains: list[list[int]] = []
    for index in sorted(members, key=lambda i: int(_times(portions[i])[0])):
        fitting = next((c for c in chains if _times(portions[c[-1]])[-1] < _times(portions[index])[0]), None)
        if fitting is None:
            chains.append([index])
        else:
            fitting.append(index)
    return chains


def _shares_times(portions: Sequence[Portion]) -> npt.NDArray[np.bool_]:
    by_field: dict[tuple[str, tuple[int, ...]], list[int]] = defaultdict(list)
    levels_of: dict[str, set[tuple[int, ...]]] = defaultdict(set)
    for index, portion in enumerate(portions):
        for name, field in portion.structure.fields.items():
            if "time" in field.dims:
                levels = tuple(portion.structure.coordinates["level"].tolist()) if "level" in field.dims else ()
                by_field[name, levels].append(index)
                levels_of[name].add(levels)
    shared = np.zeros(len(portions), bool)
    for (name, levels), members in by_field.items():
        overlapping = any(set(levels) & set(other) for other in levels_of[name] if other != levels)
        shared[members] |= overlapping or _have_copies(portions, members)
    return shared


def _have_copies(portions: Sequence[Portion], members: list[int]) -> npt.NDArray[np.bool_]:
    times = [_times(portions[i]) for i in members]
    values, counts = np.unique(np.concatenate(times), return_counts=True)
    twice = values[counts > 1]
    if not twice.size:
        return np.zeros(len(members), bool)
    return np.array([np.isin(own, twice).any() for own in times])


def _times(portion: Portion) -> npt.NDArray[np.int64]:
    assert portion.place.times is not None
    return portion.place.times
