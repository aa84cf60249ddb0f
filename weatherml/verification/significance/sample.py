"""What is judged: sums of statistics, forecast by forecast, and a function of their means."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

_AT_ONCE = 2**20
"""Numbers of a part that are held at once: few enough to stay near the processor while they are resampled."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Forecasts that are drawn from all that could have been made.

    Attributes:
        sums: Of a statistic over the area of each forecast, `[init, cell, *axes]`, one array for each argument of
            `function`.
        weights: The area that counted in each, `[init, cell]`; 0 where a forecast has no part in a cell.
        function: Of means `[..., cell, *axes]`, to `[..., cell, *own axes]`.
        init_times: When each forecast began, `datetime64[ns]` `[init]`.
    """

    sums: Sequence[np.ndarray]
    weights: Sequence[np.ndarray]
    function: Callable[..., np.ndarray]
    init_times: np.ndarray

    @property
    def n_init(self) -> int:
        """How many forecasts there are."""
        return len(self.init_times)

    @cached_property
    def n_used(self) -> np.ndarray:
        """How many forecasts have a part in each cell, `[cell, *1 for each own axis]`."""
        used = np.count_nonzero(np.logical_and.reduce([own > 0 for own in self._distinct_weights]), axis=0)
        return np.asarray(used).reshape(-1, *[1] * (self.estimate.ndim - 1))

    @cached_property
    def estimate(self) -> np.ndarray:
        """The function of the means over all forecasts, `[cell, *own axes]`."""
        estimate: np.ndarray = self.of(np.ones((1, self.n_init)))[0]
        return estimate

    def of(self, draws: np.ndarray) -> np.ndarray:
        """Return the function `[resample, cell, *own axes]` of forecasts drawn so often each, `[resample, init]`."""
        n_each = max(1, _AT_ONCE * self.n_init // self._numbers)
        batches = [draws[first : first + n_each] for first in range(0, len(draws), n_each)]
        return np.concatenate([self._of(batch) for batch in batches])

    def deviations(self) -> np.ndarray:
        """Return how far each forecast's pseudo-value is from the mean of all, `[init, cell, *own axes]`.

        The pseudo-value of one of n is n times the estimate less n - 1 times that without it (Tukey's jackknife). Their
        variance is to the estimate what that of values is to their mean; of a plain mean they are the values. They are
        0 where a forecast has no part.
        """
        without = self._function_of(*(lambda own: own.sum(axis=0) - own,) * 2)
        own = (self.n_used - 1) * (self.estimate - without)
        used = np.logical_and.reduce([own > 0 for own in self._distinct_weights])
        if used.all():
            return np.asarray(own - own.mean(axis=0))
        used = used.reshape(*used.shape, *[1] * (own.ndim - 2))
        return np.where(used, own - np.where(used, own, 0).sum(axis=0) / self.n_used, 0)

    def used(self) -> "Sample":
        """Return the sample in the order of time, without forecasts that have a part in no cell."""
        kept = np.logical_or.reduce([own.any(axis=1) for own in self._distinct_weights])
        order = np.argsort(self.init_times, kind="stable")
        order = order[kept[order]]
        if np.array_equal(order, np.arange(self.n_init)):
            return self
        weights = {id(own): own[order] for own in self._distinct_weights}
        return replace(
            self,
            sums=[own[order] for own in self.sums],
            weights=[weights[id(own)] for own in self.weights],
            init_times=self.init_times[order],
        )

    def cells(self, chosen: slice | np.ndarray) -> "Sample":
        """Return the sample of some cells."""
        kept = {id(own): np.ascontiguousarray(own[:, chosen]) for own in self._distinct_weights}
        sums = [np.ascontiguousarray(own[:, chosen]) for own in self.sums]
        return replace(self, sums=sums, weights=[kept[id(own)] for own in self.weights])

    def parts(self) -> Iterator["Sample"]:
        """Yield some cells after another, so that little memory is needed."""
        n_cells = self.weights[0].shape[1]
        n_each = max(1, n_cells * _AT_ONCE // self._numbers)
        yield from (self.cells(slice(first, first + n_each)) for first in range(0, n_cells, n_each))

    @cached_property
    def _distinct_weights(self) -> list[np.ndarray]:
        return list({id(own): own for own in self.weights}.values())

    @property
    def _numbers(self) -> int:
        return max(1, sum(own.size for own in self.sums))

    def _of(self, draws: np.ndarray) -> np.ndarray:
        def area(own: np.ndarray) -> np.ndarray:  # mostly the same for all forecasts
            return np.asarray(draws.sum(axis=1)[:, None] * own[0] if (own == own[0]).all() else draws @ own)

        return self._function_of(lambda own: np.tensordot(draws, own, axes=1), area)

    def _function_of(
        self, total: Callable[[np.ndarray], np.ndarray], total_area: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Apply the function to means, of sums and areas that are totalled alike; areas of several statistics, once."""
        areas = {id(own): total_area(own) for own in self._distinct_weights}
        means = []
        with np.errstate(divide="ignore", invalid="ignore"):
            for own, weights in zip(self.sums, self.weights, strict=True):
                area = areas[id(weights)]
                means.append(total(own) / area.reshape(*area.shape, *[1] * (own.ndim - 2)))
            return np.asarray(self.function(*means))
