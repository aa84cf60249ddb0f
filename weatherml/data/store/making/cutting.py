"""How a store is cut into parts that are made apart, and which of them are best made by one."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from weatherml.data.source import Source, inputs_of
from weatherml.data.store.layout import Layout

_LONGEST = 64
"""Shards of a part where the source's pieces never end together with shards: one piece in many is then read twice."""


@dataclass(frozen=True)
class Part:
    """Consecutive shards of one variable, which one worker makes.

    Attributes:
        layout: Of the variable.
        first: The first shard.
        end: The one after the last.
    """

    layout: Layout
    first: int
    end: int

    @property
    def files(self) -> list[str]:
        """Paths of the shards below the store."""
        return [self.layout.file(index) for index in range(self.first, self.end)]

    @property
    def times(self) -> slice:
        """Positions of the times."""
        return slice(self.layout.times(self.first).start, self.layout.times(self.end - 1).stop)


def cut(layout: Layout, starts: npt.NDArray[np.int64], wanted: Iterable[int]) -> list[Part]:
    """Return parts that make the wanted shards.

    A part ends where a piece of the source does, so that no piece is read twice.

    Args:
        layout: Of a variable that varies with time.
        starts: Positions of the times at which pieces of the source begin, rising.
        wanted: Numbers of shards, rising.
    """
    ends = {int(start) for start in starts} | {layout.shape[0]}
    parts: list[Part] = []
    first = end = -1
    for index in wanted:
        if index != end or end - first == _LONGEST:
            parts += [Part(layout, first, end)] if end > first else []
            first = index
        end = index + 1
        if layout.times(index).stop in ends:
            parts.append(Part(layout, first, end))
            first = end = -1
    return parts + ([Part(layout, first, end)] if end > first else [])


def together(parts: Iterable[Part], source: Source) -> list[list[Part]]:
    """Return parts in groups that one worker makes: of the same times, and of variables made of the same others.

    Args:
        parts: In any order; those of the same times follow one another in what is returned, and keep their order.
        source: Where the values come from.
    """
    ordered = sorted(parts, key=lambda part: part.first)
    family = _families(dict.fromkeys(part.layout.name for part in ordered), source)
    groups: dict[tuple[int, int], list[Part]] = {}
    for part in ordered:
        groups.setdefault((part.first, family[part.layout.name]), []).append(part)
    return list(groups.values())


def _families(variables: Iterable[str], source: Source) -> dict[str, int]:
    """Return numbers of variables, the same of those that share what they are made of, be it through others."""
    families: list[frozenset[str]] = []
    for name in variables:
        own = inputs_of(source, name) | {name}
        related = [family for family in families if family & own]
        families = [family for family in families if family not in related] + [own.union(*related)]
    return {name: number for number, family in enumerate(families) for name in family}
