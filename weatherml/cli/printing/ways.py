"""The calls that lead to the leads of a plan, summed up: equal calls in a row, counts that differ."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from weatherml.forecast.plan.lead_plan import LeadPlan


@dataclass(frozen=True)
class Run:
    """Calls of one model in a row, as many as any of several counts.

    Attributes:
        step: Which model.
        least: Smallest count.
        most: Largest count.
        every: Difference between neighbouring counts.
    """

    step: int
    least: int
    most: int
    every: int = 1


@dataclass(frozen=True)
class Ways:
    """Leads that are reached by the same models in turn, one for each choice of counts.

    Attributes:
        leads: Durations, rising.
        runs: From the analysis on.
    """

    leads: tuple[int, ...]
    runs: tuple[Run, ...]


def ways_of(plan: LeadPlan) -> list[Ways]:
    """Return how the leads of a plan are reached, in few words; every lead is among those of one of them."""
    ways = [Ways((lead,), _runs(plan.path(lead))) for lead in plan.leads]
    for position in range(1, max(len(own.runs) for own in ways) + 1):
        ways = _merged(ways, position)
    return sorted(ways, key=lambda own: own.leads)


def _runs(path: Sequence[int]) -> tuple[Run, ...]:
    return tuple(Run(step, n, n) for step, n in ((step, len(list(calls))) for step, calls in groupby(path)))


def _merged(ways: Iterable[Ways], position: int) -> list[Ways]:
    """Make one of ways that differ in the count of a run alone, whose position is counted from the last."""
    alike = defaultdict(list)
    for own in ways:
        others = (*own.runs[:-position], *own.runs[len(own.runs) - position + 1 :])
        alike[len(own.runs) < position or own.runs[-position].step, others].append(own)
    return [
        _one(series, position)
        for group in alike.values()
        for series in (_series(group, position) if len(group) > 1 else [group])
    ]


def _series(group: Iterable[Ways], position: int) -> list[list[Ways]]:
    """Split ways into those whose counts rise by the same."""
    found: list[list[Ways]] = []
    for own in sorted(group, key=lambda own: own.runs[-position].least):
        counts = [before.runs[-position].least for before in found[-1]] if found else []
        if counts and (len(counts) == 1 or own.runs[-position].least - counts[-1] == counts[1] - counts[0]):
            found[-1].append(own)
        else:
            found.append([own])
    return found


def _one(series: Sequence[Ways], position: int) -> Ways:
    if len(series) == 1:
        return series[0]
    first, second, *_ = counts = [own.runs[-position].least for own in series]
    run = Run(series[0].runs[-position].step, first, counts[-1], second - first)
    before, after = series[0].runs[:-position], series[0].runs[len(series[0].runs) - position + 1 :]
    return Ways(tuple(sorted(lead for own in series for lead in own.leads)), (*before, run, *after))
