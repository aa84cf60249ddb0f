"""The pass over forecasts and truth that takes sums of statistics, each byte read once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

import numpy as np
import xarray as xr

from weatherml.state import Channel
from weatherml.verification.aggregation.regions import Region, region_weights, regions_named
from weatherml.verification.aggregation.sums import COUNTED, DIMS, EXPECTED, WEIGHT, StatisticSums
from weatherml.verification.pairing.matched import Block, Judged, Matched
from weatherml.verification.statistics.base import Statistic

Progress = Callable[[int, int], None]
"""Called with the number of init times done and the number of all."""

TILE_BYTES = 2**20
"""Of members that are judged at once: they stay in a processor's cache while all statistics are taken of them."""
_TILE_POINTS = 2**13
"""And no more points: OpenBLAS has threads wait for each other in sums of more than 10,000."""


def gather(
    matched: Matched,
    statistics: Sequence[Statistic],
    regions: Sequence[str] | Mapping[str, Region] | None = None,
    progress: Progress | None = None,
) -> StatisticSums:
    """Take sums of statistics, reading one init time and some lead times at once.

    Args:
        matched: Forecasts and their truth.
        statistics: What is wanted; of two with one name one is taken.
        regions: Over which parts of the globe, by name or with their bounds; all that the forecast covers when None.
        progress: Called after each init time.

    Raises:
        UserError: As `pairing.matched.Matched` says, or a region holds nothing.
    """
    wanted = regions_named(regions)
    areas = region_weights(matched.grid, wanted, matched.truth)
    pass_ = _Pass(matched, {own.name: own for own in statistics}, wanted, areas)
    for init in range(matched.shape[0]):
        pass_.judge(init)
        if progress:
            progress(init + 1, matched.shape[0])
    return pass_.sums()


@dataclass(frozen=True, eq=False)
class _Pass:
    """Sums that grow as initial times are judged.

    Attributes:
        matched: What is judged.
        statistics: By name.
        regions: By name.
        areas: Of each cell in each region, `[region, lat, lon]`.
        totals: Of each statistic, `[init, lead, channel, region, *axes]`, and of areas.
    """

    matched: Matched
    statistics: Mapping[str, Statistic]
    regions: Mapping[str, Region]
    areas: np.ndarray
    totals: dict[str, np.ndarray] = field(default_factory=dict)

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

    @cached_property
    def shape(self) -> tuple[int, int, int, int]:
        """(init, lead, channel, region)."""
        n_init, n_leads, _ = self.matched.shape
        return n_init, n_leads, len(self.channels), len(self.regions)

    @cached_property
    def groups(self) -> list[list[str]]:
        """Variables that are read together, because a statistic takes them together."""
        groups = [{name} for name in self.matched.levels]
        for names in ({channel.variable for channel in own} for own in self.taken.values()):
            joined = [own for own in groups if own & names]
            groups = [own for own in groups if own not in joined] + [set[str]().union(*joined)]
        order = list(self.matched.levels)
        return sorted((sorted(own, key=order.index) for own in groups), key=lambda own: order.index(own[0]))

    def judge(self, init: int) -> None:
        """Add an initial time."""
        for group in self.groups:
            for block in self.matched.blocks(init, group):
                for place, (judged, statistics) in self._work(block).items():
                    self._add(block, place, judged, statistics)

    def sums(self) -> StatisticSums:
        """Return what has been added."""
        matched, zero = self.matched, np.zeros(self.shape)
        variables = {
            name: ((*DIMS, *self.statistics[name].axes), total)
            for name, total in self.totals.items()
            if name in self.statistics
        }
        variables[WEIGHT] = (DIMS, self.totals.get(WEIGHT, zero))
        variables[EXPECTED] = (DIMS, np.broadcast_to(self._expected, self.shape).copy())
        variables[COUNTED] = (DIMS, np.ones(self.shape, np.int64))
        coords = {name: matched.forecast[name].values for name in DIMS[:2]}
        return StatisticSums(
            xr.Dataset(variables, {**coords, "channel": list(self.channels), "region": list(self.regions)})
        )

    @cached_property
    def _expected(self) -> np.ndarray:
        """Areas that count where nothing is missing, `[channel, region]`."""
        own = [self._mask(channels) for channels in self.taken.values()]
        return np.stack([np.tensordot(mask, self.areas, axes=([0, 1], [1, 2])) for mask in own])

    def _mask(self, channels: Sequence[Channel]) -> np.ndarray:
        """Return where the truth of all channels is defined, `[lat, lon]`."""
        domain, levels = self.matched.domain, self.matched.levels
        places = [
            (own.variable, levels[own.variable].index(own.level) if own.level is not None else 0) for own in channels
        ]
        mask: np.ndarray = np.logical_and.reduce([domain.masks[name][place] for name, place in places])
        return mask

    def _work(self, block: Block) -> dict[int, tuple[list[Judged], list[Statistic]]]:
        """Return by the position of a channel what is judged there, by which statistics."""
        judged = {own.channel: own for channels in block.judged.values() for own in channels}
        return {
            place: (
                [judged[channel] for channel in channels],
                [self.statistics[own] for own, outputs in self.outputs.items() if name in outputs],
            )
            for place, (name, channels) in enumerate(self.taken.items())
            if all(channel in judged for channel in channels)
        }

    def _add(self, block: Block, place: int, judged: Sequence[Judged], statistics: Sequence[Statistic]) -> None:
        mask = np.logical_and.reduce([own.mask for own in judged])
        weights = self.areas[:, None] * mask
        cells = (block.init, block.leads, place)
        self._put(WEIGHT, np.broadcast_to(weights.sum(axis=(2, 3)).T, (len(block.leads), len(self.regions))), cells)
        for statistic in (own for own in statistics if not own.is_local):
            pairs = [own.pair for own in judged]
            self._put(statistic.name, statistic.sums(*pairs, weights=weights, mask=mask), cells)
        local = [own for own in statistics if own.is_local]
        flat, flat_weights = [own.pair.flat() for own in judged], weights.reshape(*weights.shape[:2], -1)
        for leads, points in self._tiles(flat[0].members.shape) if local else ():
            pairs = [own.part(leads, points) for own in flat]
            own_weights = flat_weights[:, leads if flat_weights.shape[1] > 1 else slice(None), points]
            own_cells = (block.init, block.leads[leads], place)
            for statistic in local:
                self._put(statistic.name, statistic.sums(*pairs, weights=own_weights), own_cells)

    def _put(self, name: str, sums: np.ndarray, cells: tuple[int, np.ndarray, int]) -> None:
        """Add sums `[lead, region, *axes]`."""
        if name not in self.totals:
            self.totals[name] = np.full((*self.shape, *sums.shape[2:]), np.nan if name in self.statistics else 0.0)
            self._begin(name)
        self.totals[name][cells] += sums

    def _begin(self, name: str) -> None:
        """Set to nothing what a statistic is taken of."""
        if name in self.statistics:
            self.totals[name][:, :, [self.channels.index(output) for output in self.outputs[name]]] = 0

    @staticmethod
    def _tiles(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
        """Cut `[member, lead, point]` into parts that fit in a cache."""
        n_members, n_leads, n_points = shape
        n_each = min(_TILE_POINTS, max(1, TILE_BYTES // (4 * n_members)))
        n_leads_each = max(1, n_each // n_points)
        for lead in range(0, n_leads, n_leads_each):
            for point in range(0, n_points, n_each):
                yield slice(lead, lead + n_leads_each), slice(point, point + n_each)
