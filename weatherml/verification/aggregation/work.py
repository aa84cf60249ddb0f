"""What is taken of which channels: the work of a pass, block by block, and in tiles that stay in a cache."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np

from weatherml.state import Channel
from weatherml.verification.pairing.matched import Block, Judged, Matched
from weatherml.verification.pairing.pair import Pair
from weatherml.verification.statistics.base import Statistic

TILE_BYTES = 2**20 - 2**14
"""Of members that are judged at once: they stay in a processor's cache while all statistics are taken of them.
A little less than a power of two, or members lie where they share the same few lines of a cache."""
_TILE_POINTS = 2**13 - 2**7
"""And no more points: OpenBLAS has threads wait for each other in sums of more than 10,000."""


@dataclass(frozen=True, eq=False)
class Task:
    """What is judged of a block for one output, and by which statistics.

    Attributes:
        block: Of one init time and some leads.
        place: Position of the output among all channels.
        judged: The channels that it is made of, one but for statistics of several.
        statistics: That are taken of them.
    """

    block: Block
    place: int
    judged: Sequence[Judged]
    statistics: Sequence[Statistic]

    @property
    def mask(self) -> np.ndarray:
        """Points that count, `[lead, lat, lon]`, or `[1, lat, lon]` where they are the same at all leads."""
        mask: np.ndarray = np.logical_and.reduce([own.mask for own in self.judged])
        return mask

    @property
    def pairs(self) -> list[Pair]:
        """Whole fields."""
        return [own.pair for own in self.judged]

    def tiles(self) -> Iterator[tuple[slice, slice, list[Pair]]]:
        """Cut it in parts that fit in a cache: some leads, some points of fields laid out flat, and what is there."""
        flat = [own.pair.flat() for own in self.judged]
        n_members, n_leads, n_points = flat[0].members.shape
        n_each = min(_TILE_POINTS, max(1, TILE_BYTES // (4 * n_members)))
        n_leads_each = max(1, n_each // n_points)
        for lead in range(0, n_leads, n_leads_each):
            for point in range(0, n_points, n_each):
                leads, points = slice(lead, lead + n_leads_each), slice(point, point + n_each)
                yield leads, points, [own.part(leads, points) for own in flat]


@dataclass(frozen=True, eq=False)
class Work:
    """What statistics are taken of.

    Attributes:
        matched: Forecasts and their truth.
        statistics: By name.
    """

    matched: Matched
    statistics: Mapping[str, Statistic]

    @cached_property
    def outputs(self) -> dict[str, dict[str, list[Channel]]]:
        """What each statistic is taken of, by its name."""
        return {name: own.outputs(self.matched.levels) for name, own in self.statistics.items()}

    @cached_property
    def taken(self) -> dict[str, list[Channel]]:
        """What is judged, of which channels: those of the forecast, and what statistics make of several."""
        levels = self.matched.levels.items()
        own = [Channel(name, level) for name, all_levels in levels for level in all_levels or (None,)]
        made = [outputs.items() for outputs in self.outputs.values()]
        return {str(channel): [channel] for channel in own} | dict(chain.from_iterable(made))

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """Names of what is judged."""
        return tuple(self.taken)

    def has(self, statistic: str) -> list[int]:
        """Return the positions of the channels that a statistic is taken of."""
        return [self.channels.index(output) for output in self.outputs[statistic]]

    @cached_property
    def groups(self) -> list[list[str]]:
        """Variables that are read together, because a statistic takes them together."""
        groups = [{name} for name in self.matched.levels]
        for names in ({channel.variable for channel in own} for own in self.taken.values()):
            joined = [own for own in groups if own & names]
            groups = [own for own in groups if own not in joined] + [set[str]().union(*joined)]
        order = list(self.matched.levels)
        return sorted((sorted(own, key=order.index) for own in groups), key=lambda own: order.index(own[0]))

    def masks(self) -> Iterator[np.ndarray]:
        """Give where the truth of each channel is defined, `[lat, lon]`."""
        return (self._mask(channels) for channels in self.taken.values())

    def tasks(self, init: int) -> Iterator[Task]:
        """Read an initial time, block by block of its leads.

        Raises:
            UserError: Something is missing that may not be.
        """
        for group in self.groups:
            for block in self.matched.blocks(init, group):
                yield from self._tasks(block)

    def _tasks(self, block: Block) -> Iterator[Task]:
        judged = {own.channel: own for channels in block.judged.values() for own in channels}
        for place, (name, channels) in enumerate(self.taken.items()):
            if all(channel in judged for channel in channels):
                statistics = [self.statistics[own] for own, outputs in self.outputs.items() if name in outputs]
                yield Task(block, place, [judged[channel] for channel in channels], statistics)

    def _mask(self, channels: Sequence[Channel]) -> np.ndarray:
        """Return where the truth of all channels is defined, `[lat, lon]`."""
        domain, levels = self.matched.domain, self.matched.levels
        places = [
            (own.variable, levels[own.variable].index(own.level) if own.level is not None else 0) for own in channels
        ]
        mask: np.ndarray = np.logical_and.reduce([domain.masks[name][place] for name, place in places])
        return mask
