"""Where the truth lies among the members."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from weatherml.verification import formulas
from weatherml.verification.pairing.pair import Pair
from weatherml.verification.statistics.base import ClassStatistic, PointStatistic, Statistic, class_sums


@dataclass(frozen=True)
class RankCounts(Statistic):
    """The area where so many members lie below the truth, axis `rank` from 0 to their number.

    Where members equal the truth, such as none of the rain, a point is shared out among the ranks that it may have.
    """

    axes: ClassVar[tuple[str, ...]] = ("rank",)
    needs_members: ClassVar[bool] = True
    of_members: ClassVar[bool] = True
    is_local: ClassVar[bool] = True

    def sums(self, pair: Pair, weights: np.ndarray, **_: Any) -> np.ndarray:
        """Return `[lead, region, rank]`."""
        below, ties = formulas.members_below(pair.members, pair.truth)
        n_ranks = pair.n_members + 1
        if not ties.any():
            return class_sums(below, n_ranks, weights)
        share = weights / (ties + 1)  # from the first rank on to the last, as steps up and down
        steps = class_sums(below, n_ranks + 1, share) - class_sums(below + ties + 1, n_ranks + 1, share)
        counts: np.ndarray = steps.cumsum(axis=-1)[..., :-1]
        return counts


@dataclass(frozen=True)
class CrpsTerms(PointStatistic):
    """What the decomposition of the CRPS is made of: axis `term` as in `formulas.crps_terms`, axis `interval`."""

    axes: ClassVar[tuple[str, ...]] = ("term", "interval")
    needs_members: ClassVar[bool] = True
    of_members: ClassVar[bool] = True

    def at(self, pair: Pair) -> np.ndarray:
        """Return `[term, interval, *point]` in the units of the field."""
        return np.asarray(formulas.crps_terms(pair.members, pair.truth))


@dataclass(frozen=True)
class TruthCounts(ClassStatistic):
    """The area where the truth lies in each of some bins: axis `truth_bin`, below, from `lowest` to `highest`, above.

    Both bounds are inside, as the truth's own numbers have them: a sky that is all cloud is within 0 to 1.

    Attributes:
        lowest: In the units of the field.
        highest: In the units of the field.
        n_bins: Between these.
    """

    lowest: float
    highest: float
    n_bins: int = 400

    axes: ClassVar[tuple[str, ...]] = ("truth_bin",)

    def classes(self, pair: Pair) -> tuple[np.ndarray, tuple[int, ...]]:
        """Return the bin of each point, and how many there are."""
        lowest, highest = np.array([self.lowest, self.highest]).astype(pair.truth.dtype).astype(np.float64)
        place = np.floor((pair.truth.astype(np.float64) - lowest) * (self.n_bins / (highest - lowest)))
        place = np.where(pair.truth <= highest, np.minimum(place, self.n_bins - 1), self.n_bins)
        return (np.maximum(place, -1) + 1).astype(np.int64), (self.n_bins + 2,)
