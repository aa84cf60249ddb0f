"""Hierarchical temporal aggregation as a plan: which model is called when, so that every lead takes the fewest steps.

Errors grow with every call of a model more than with the length of its step, so the fewest steps are the best
forecast (Pangu-Weather, arXiv 2211.02556). Pangu's rule, the longest step that still fits, is the special case of
steps that divide one another. Durations are whole numbers of one unit; zero is the analysis.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import heapify, heappop, heappush

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from weatherml.errors import UserError

Candidates = Mapping[int, tuple[int, ...]]
"""By duration, those it may be reached from on a shortest path; the longest first, so that long steps come first."""

# A limit on time would make the plan, and so the forecast, depend on the machine.
_MOST_BRANCHES = 300


@dataclass(frozen=True)
class Call:
    """One call of the model whose step is `end - start`."""

    start: int
    end: int

    @property
    def step(self) -> int:
        """How far it goes."""
        return self.end - self.start


@dataclass(frozen=True)
class Plan:
    """Calls in the order of the durations they reach; each starts from the analysis or from where another has ended.

    Attributes:
        calls: Which calls to make.
        leads: Durations whose states are wanted, rising.
    """

    calls: tuple[Call, ...]
    leads: tuple[int, ...]

    @property
    def n_calls(self) -> dict[int, int]:
        """Number of calls by step, the longest step first."""
        counts = Counter(call.step for call in self.calls)
        return dict(sorted(counts.items(), reverse=True))

    @cached_property
    def last_use(self) -> dict[int, int]:
        """By duration, where the last call ends that starts from its state: until then the state must be kept."""
        return {call.start: call.end for call in self.calls}

    @property
    def peak_states(self) -> int:
        """Largest number of states that exist at once: those that are still needed, and the one being computed."""
        begun, ended = sorted(self.last_use), sorted(self.last_use.values())
        return max(1 + bisect_left(begun, call.end) - bisect_left(ended, call.end) for call in self.calls)

    @cached_property
    def depths(self) -> dict[int, int]:
        """By duration, how many steps lead to its state from the analysis."""
        depths = {0: 0}
        for call in self.calls:
            depths[call.end] = depths[call.start] + 1
        return depths

    def path(self, lead: int) -> tuple[int, ...]:
        """Return the steps that lead from the analysis to `lead`, in order."""
        steps: list[int] = []
        while lead:
            steps.append(lead - self._starts[lead])
            lead = self._starts[lead]
        return tuple(reversed(steps))

    @cached_property
    def _starts(self) -> dict[int, int]:
        return {call.end: call.start for call in self.calls}


def plan(steps: Iterable[int], leads: Iterable[int], describe: Callable[[int], str] = str) -> Plan:
    """Plan the calls that reach every lead by the fewest steps, sharing as many of them as can be shared.

    The number of steps to each lead is minimal. The number of calls in all is, too, unless the search is cut short
    after a fixed number of branches (some sparse sets of leads with many ways to each); then it is the least found.

    Args:
        steps: Steps of the models, positive.
        leads: Durations to reach, positive.
        describe: How messages write a duration.

    Raises:
        UserError: There is no step or no lead, or a lead cannot be reached.
    """
    sizes, wanted = tuple(sorted(set(steps))), tuple(sorted(set(leads)))
    if not sizes or sizes[0] <= 0 or not wanted or wanted[0] <= 0:
        raise UserError(f"a plan needs positive steps and leads, got steps {list(sizes)} and leads {list(wanted)}")
    depths = fewest_steps(sizes, wanted[-1])
    for lead in wanted:
        if depths[lead] is None:
            raise UserError(_unreachable(lead, sizes, describe))
    candidates = _candidates(sizes, wanted, depths)
    starts = _longest_first(candidates, wanted)
    if len(starts) > max(len(wanted), depths[wanted[-1]] or 0):  # else nothing can be saved
        starts = min(starts, _fewest_calls(candidates, wanted) or starts, key=len)
    return Plan(tuple(Call(starts[end], end) for end in sorted(starts)), wanted)


def fewest_steps(steps: Sequence[int], longest: int) -> list[int | None]:
    """Return the least number of steps that add up to each of 0 .. `longest`; None where none do."""
    depths: list[int | None] = [0]
    for duration in range(1, longest + 1):
        before = [depths[duration - step] for step in steps if step <= duration]
        depths.append(min((depth + 1 for depth in before if depth is not None), default=None))
    return depths


def _unreachable(lead: int, steps: tuple[int, ...], describe: Callable[[int], str]) -> str:
    reachable = fewest_steps(steps, lead + steps[0])
    below, above = ([d for d, depth in enumerate(reachable) if depth and sign * (d - lead) > 0] for sign in (-1, 1))
    nearest = " and ".join(map(describe, [*below[-1:], above[0]]))
    verb, known = "are" if below else "is", ", ".join(map(describe, steps))
    return f"lead {describe(lead)} cannot be reached by steps of {known}; the nearest that can {verb} {nearest}"


def _candidates(steps: tuple[int, ...], leads: tuple[int, ...], depths: list[int | None]) -> Candidates:
    """Collect every duration on some shortest path to a lead."""
    found: dict[int, tuple[int, ...]] = {}
    waiting = list(leads)
    while waiting:
        end = waiting.pop()
        if end and end not in found:
            depth = depths[end] or 0
            found[end] = tuple(end - step for step in steps if step <= end and depths[end - step] == depth - 1)
            waiting += found[end]
    return found


def _longest_first(candidates: Candidates, leads: tuple[int, ...]) -> dict[int, int]:
    """Return the start of each call, by its end: from a state that is there anyway, else by the shortest step last."""
    starts: dict[int, int] = {}
    needed, waiting = {0, *leads}, [-lead for lead in leads]
    heapify(waiting)
    while waiting:
        end = -heappop(waiting)
        starts[end] = _start(candidates[end], needed)
        if starts[end] not in needed:
            needed.add(starts[end])
            heappush(waiting, -starts[end])
    return starts


def _fewest_calls(candidates: Candidates, leads: tuple[int, ...]) -> dict[int, int] | None:
    """Return the start of each call, by its end, such that they are fewest; None where no answer is found in time.

    An integer programme: choose durations, the leads among them, so that each can start from another that is chosen.
    """
    ends = sorted(candidates)
    position = {end: row for row, end in enumerate(ends)}
    entries = [(row, row, 1) for row in range(len(ends))]
    entries += [(position[end], position[start], -1) for end in ends for start in candidates[end] if start]
    rows, columns, values = zip(*entries, strict=True)
    matrix = coo_array((values, (rows, columns)), shape=(len(ends), len(ends)))
    from_analysis = np.array([float(0 in candidates[end]) for end in ends])
    solution = milp(
        np.ones(len(ends)),
        integrality=np.ones(len(ends)),
        bounds=Bounds(np.isin(ends, leads).astype(float), 1),
        constraints=LinearConstraint(matrix.tocsr(), -np.inf, from_analysis),
        options={"node_limit": _MOST_BRANCHES},
    )
    if solution.x is None:
        return None
    chosen = {end for end, share in zip(ends, solution.x, strict=True) if share > 0.5}
    return {end: _start(candidates[end], {0, *chosen}) for end in chosen}


def _start(candidates: tuple[int, ...], there: set[int]) -> int:
    return next((start for start in candidates if start in there), candidates[0])
