"""What is judged and how, as one thing: taken at once, or cut by initial times and taken anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from weatherml.verification.aggregation.adding import digest
from weatherml.verification.aggregation.gathering import Progress, gather
from weatherml.verification.aggregation.regions import Region, region_weights, regions_named
from weatherml.verification.aggregation.sums import StatisticSums
from weatherml.verification.pairing.matched import Matched
from weatherml.verification.statistics.base import Statistic


@dataclass(frozen=True, eq=False)
class Judgement:
    """Forecasts, their truth, and what is taken of them.

    Attributes:
        matched: Forecasts and their truth.
        statistics: What is wanted.
        regions: Over which parts of the globe, by name or with their bounds; all that the forecast covers when None.
        attributes: Of the sums: what was judged, such as how many members.
    """

    matched: Matched
    statistics: Sequence[Statistic]
    regions: Sequence[str] | Mapping[str, Region] | None = None
    attributes: Mapping[str, int | str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Of the statistics, each once, in order of the alphabet."""
        return sorted({own.name for own in self.statistics})

    @property
    def bounds(self) -> dict[str, Region]:
        """Regions by name."""
        return regions_named(self.regions)

    @property
    def cells_of_regions(self) -> dict[str, str]:
        """Letters that tell apart which cells lie in each region, and so, too, where land is.

        Raises:
            UserError: As `sums`.
        """
        areas = region_weights(self.matched.grid, self.bounds, self.matched.truth)
        return {name: digest(own > 0) for name, own in zip(self.bounds, areas, strict=True)}

    def only(self, places: Sequence[int]) -> "Judgement":
        """Return what concerns some initial times: of one it is small enough to be sent to whoever judges it."""
        return replace(self, matched=self.matched.only(places))

    def sums(self, progress: Progress | None = None) -> StatisticSums:
        """Take all of it, one initial time after the other.

        Raises:
            UserError: As `pairing.matched.Matched` says, or a region holds nothing.
        """
        return gather(self.matched, self.statistics, self.regions, progress).described(**self.attributes)
