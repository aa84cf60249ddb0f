"""Workers are started once what is left is more than their start: of small forecasts none are."""

from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import TypeVar

from weatherml.process.workers import HERE, Dask, Workers

Item = TypeVar("Item")
Result = TypeVar("Result")

SECONDS_TO_START = 10.0
"""Of processes of dask on this machine, which import all that is needed, and of a task in each."""


def map_patiently(
    workers: Workers, function: Callable[[Item], Result], items: Iterable[Item], n_items: int
) -> Iterator[Result]:
    """Apply a function to items, in any order; yield results as they come.

    Workers on this machine are started once they pay: until then this process does what they would do, and learns from
    the longest item how long the rest will take. A cluster that is there, or whose workers are jobs, gets all of it.

    Args:
        workers: Who is asked to do it.
        function: What is done.
        items: To what; they are made one by one.
        n_items: How many there are.
    """
    waiting = iter(items)
    if isinstance(workers, Dask) and workers.scheduler is None:
        longest, n_left = 0.0, n_items
        while n_left and not _pays(longest * n_left, workers.workers):
            begun = perf_counter()
            yield function(next(waiting))
            longest, n_left = max(longest, perf_counter() - begun), n_left - 1
        workers = workers if n_left else HERE
    yield from workers.map(function, waiting)


def _pays(seconds: float, n_workers: int) -> bool:
    """Return whether it takes longer here than with workers."""
    return seconds * (1 - 1 / n_workers) > SECONDS_TO_START
