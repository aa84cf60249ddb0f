"""What is kept of judged forecasts: sums over area of each statistic, by initial time and lead."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Self

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.storage.files import write_netcdf
from weatherml.verification.statistics.base import Statistic

DIMS = ("init_time", "lead_time", "channel", "region")
WEIGHT, COUNTED, EXPECTED = "weight", "counted", "expected"


@dataclass(frozen=True)
class StatisticSums:
    """Sums of statistics over area: small, whatever was judged.

    Parts add up in any order, over init times, lead times, channels or regions; what two parts both hold counts once.

    Attributes:
        dataset: One variable for each statistic, dims (init_time, lead_time, channel, region, ...), by the statistic's
            name; by the same dims the area that counted (`weight`) and that which would have, had nothing been missing
            (`expected`), both steradian; and how often each cell was looked at (`counted`). A statistic that a channel
            does not have is NaN. Attributes say what was judged, such as how many members.
    """

    dataset: xr.Dataset

    def __add__(self, other: "StatisticSums") -> "StatisticSums":
        with xr.set_options(arithmetic_join="exact"):  # type: ignore[no-untyped-call]
            attributes = self._shared_attributes(other)
            left, right = xr.align(self.dataset, other.dataset, join="outer", fill_value=0)
            apart = {name: own for part in (left, right) for name, own in part.items()}
            both = left + right  # has what both have: of times without any truth there are areas alone
            alone = {name: own for name, own in apart.items() if name not in both}
            return StatisticSums(both.assign(alone).assign_attrs(attributes))

    def described(self, **attributes: int | str) -> "StatisticSums":
        """Return the same with attributes, which parts that are added up have in common."""
        return StatisticSums(self.dataset.assign_attrs(attributes))

    @classmethod
    def total(cls, parts: Iterable["StatisticSums"]) -> "StatisticSums":
        """Add up parts as they come, those of equally many at a time: each is copied a few times, and few are held."""
        waiting: list[tuple[int, StatisticSums]] = []
        for part in parts:
            waiting.append((1, part))
            while len(waiting) > 1 and waiting[-2][0] == waiting[-1][0]:
                (n, left), (_, right) = waiting[-2:]
                waiting[-2:] = [(2 * n, left + right)]
        return reduce(add, (sums for _, sums in waiting))

    def of(self, statistics: Iterable[Statistic]) -> list[np.ndarray]:
        """Return the sums of statistics, `[init, lead, channel, region, ...]`.

        Raises:
            UserError: Some init time was not judged at some lead time or for some channel, or a statistic was not
                taken.
        """
        self._require_whole()
        statistics = list(statistics)
        for absent in (own.name for own in statistics if own.name not in self.dataset):
            raise UserError(f"there are no sums of {absent}; name the metric that needs it where forecasts are judged")
        return [self.dataset[statistic.name].transpose(*DIMS, ...).values for statistic in statistics]

    @property
    def weights(self) -> np.ndarray:
        """Areas that counted, `[init, lead, channel, region]`."""
        weights: np.ndarray = self.dataset[WEIGHT].transpose(*DIMS).values
        return weights

    @property
    def share_judged(self) -> xr.DataArray:
        """The share of area, over all init times, that counted: dims (lead_time, channel, region)."""
        whole = self.dataset[[WEIGHT, EXPECTED]].sum("init_time")
        return whole[WEIGHT] / whole[EXPECTED]

    def save(self, path: str | Path) -> None:
        """Write as NetCDF, whole or not at all."""
        write_netcdf(Path(path), self.dataset)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            UserError: It is no such file.
        """
        try:
            with xr.open_dataset(path, decode_timedelta=True) as opened:
                dataset = opened.load()
        except (OSError, ValueError) as error:
            raise UserError(f"{path} holds no sums of statistics: {error}; make it with weatherml evaluate") from None
        if not {WEIGHT, COUNTED, EXPECTED} <= set(dataset.data_vars):
            raise UserError(f"{path} holds no sums of statistics; make it with weatherml evaluate")
        return cls(dataset)

    def _shared_attributes(self, other: "StatisticSums") -> dict[str, object]:
        """Return the attributes of two parts of one whole.

        Raises:
            UserError: They are of ensembles that differ.
        """
        first, second = self.dataset.attrs, other.dataset.attrs
        for name in sorted(name for name in first.keys() & second.keys() if first[name] != second[name]):
            raise UserError(
                f"parts of one sum were judged with {name} {first[name]} and {second[name]}; judge all init times"
                " with the same members"
            )
        return {str(name): value for name, value in (first | second).items()}

    def _require_whole(self) -> None:
        counted = self.dataset[COUNTED].transpose(*DIMS)
        if not counted.all():
            hole = counted.where(counted == 0).stack(cell=DIMS).dropna("cell").cell.values[0]
            raise UserError(
                f"nothing was evaluated at init_time, lead_time, channel, region = {hole}; add that part, "
                "or select what all init times have"
            )
