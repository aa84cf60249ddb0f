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

import numpy as np

from weatherml.durations import format_duration
from weatherml.errors import UserError

_UNIT = np.timedelta64(1, "ns")


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
class Segment:
    """Calls of one model in a row, each from where the one before ended, that one run of a compiled program makes.

    Attributes:
        step: Which model.
        start: Duration of the state that it starts from.
        wanted: For each call, whether its state is a lead to keep.
    """

    step: int
    start: int
    wanted: tuple[bool, ...]

    @cached_property
    def end(self) -> int:
        """Duration of its last state."""
        return self.start + self.step * len(self.wanted)

    @cached_property
    def ends(self) -> np.ndarray:
        """Durations that its calls end at, int64 `[call]`."""
        return np.arange(self.start, self.end, self.step) + self.step


@dataclass(frozen=True)
class LeadPlan:
    """Calls in the order of the durations they reach; each starts from the analysis or from where another has ended.

    Attributes:
        calls: Which calls to make.
        leads: Durations whose states are wanted, rising.
        unit: What durations count, `timedelta64[ns]`.
    """

    calls: tuple[Call, ...]
    leads: tuple[int, ...]
    unit: np.timedelta64

    @cached_property
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

    def segments(self, most_leads: int, most_calls: Mapping[int, int]) -> list[list[Segment]]:
        """Return the segments of each chunk of `most_leads` leads (the last chunk may have fewer), in order.

        A segment ends where its chunk does, where another call than its own next one needs the state, and after as many
        calls as `most_calls` says of its step.
        """
        uses, leads = Counter(call.start for call in self.calls), frozenset(self.leads)
        chunks: list[list[Segment]] = [[]]
        n_leads = 0
        for call in self.calls:
            if n_leads == most_leads:
                chunks.append([])
                n_leads = 0
            is_wanted = call.end in leads
            n_leads += is_wanted
            before = chunks[-1][-1] if chunks[-1] else None
            if before and _follows(call, before, uses) and len(before.wanted) < most_calls[call.step]:
                chunks[-1][-1] = Segment(before.step, before.start, (*before.wanted, is_wanted))
            else:
                chunks[-1].append(Segment(call.step, call.start, (is_wanted,)))
        return chunks

    @cached_property
    def _starts(self) -> dict[int, int]:
        return {call.end: call.start for call in self.calls}


def _follows(call: Call, before: Segment, uses: Counter[int]) -> bool:
    """Return whether a call goes on from a segment by the same model, and nothing else starts from there."""
    return call.start == before.end and call.step == before.step and uses[call.start] == 1


def plan_to(lead_times: np.ndarray, steps: Sequence[np.timedelta64]) -> LeadPlan:
    """Return the plan to `lead_times` by models of `steps`, both `timedelta64[ns]`.

    Raises:
        UserError: Two models take the same step, or a lead cannot be reached.
    """
    for index, step in enumerate(steps):
        if step in steps[:index]:
            raise UserError(f"two models take steps of {format_duration(step)}; pass one model for each step")
    durations = [np.asarray(values, "timedelta64[ns]").astype(np.int64) for values in (steps, lead_times)]
    unit = np.timedelta64(int(np.gcd.reduce(np.concatenate(durations))), "ns")
    whole_steps, leads = ((values // unit.astype(np.int64)).tolist() for values in durations)
    return plan(whole_steps, leads, unit, lambda duration: format_duration(duration * unit))


def plan(
    steps: Iterable[int],
    leads: Iterable[int],
    unit: np.timedelta64 = _UNIT,
    describe: Callable[[int], str] = str,
) -> LeadPlan:
    """Plan the calls that reach every lead by the fewest steps, long steps first.

    How a lead is reached follows from the lead and the steps alone, so that what else is asked for changes no forecast;
    leads share what their ways have in common.

    Args:
        steps: Steps of the models, positive.
        leads: Durations to reach, positive.
        unit: What durations count.
        describe: How messages write a duration.

    Raises:
        UserError: There is no step or no lead, or a lead cannot be reached.
    """
    sizes, wanted = tuple(sorted(set(steps))), tuple(sorted(set(leads)))
    if not sizes or sizes[0] <= 0 or not wanted or wanted[0] <= 0:
        raise UserError(f"a plan needs positive steps and leads, got steps {list(sizes)} and leads {list(wanted)}")
    depths = fewest_steps(sizes, wanted[-1])
    starts: dict[int, int] = {}
    for end in wanted:
        if depths[end] is None:
            raise UserError(_unreachable(end, sizes, describe))
        while end and end not in starts:
            starts[end] = _start(end, sizes, depths)
            end = starts[end]
    return LeadPlan(tuple(Call(starts[end], end) for end in sorted(starts)), wanted, unit)


def fewest_steps(steps: Sequence[int], longest: int) -> list[int | None]:
    """Return the least number of steps that add up to each of 0 .. `longest`; None where none do."""
    depths: list[int | None] = [0]
    for duration in range(1, longest + 1):
        before = [depths[duration - step] for step in steps if step <= duration]
        depths.append(min((depth + 1 for depth in before if depth is not None), default=None))
    return depths


def _start(end: int, steps: Sequence[int], depths: Sequence[int | None]) -> int:
    """Return where the last step to `end` starts: the shortest that will do, so that long steps come first."""
    depth = depths[end] or 0
    return next(end - step for step in steps if step <= end and depths[end - step] == depth - 1)


def _unreachable(lead: int, steps: tuple[int, ...], describe: Callable[[int], str]) -> str:
    reachable = fewest_steps(steps, lead + steps[0])
    below, above = ([d for d, depth in enumerate(reachable) if depth and sign * (d - lead) > 0] for sign in (-1, 1))
    nearest = " and ".join(map(describe, [*below[-1:], above[0]]))
    verb, known = "are" if below else "is", ", ".join(map(describe, steps))
    return f"lead {describe(lead)} cannot be reached by steps of {known}; the nearest that can {verb} {nearest}"
