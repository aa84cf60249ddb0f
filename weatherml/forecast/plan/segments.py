"""A plan of calls cut into bursts: calls of one model in a row that one compiled program makes."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from weatherml.forecast.plan.aggregation import Plan


@dataclass(frozen=True)
class Burst:
    """Outputs of one model in a row, each so many calls after the one before.

    Attributes:
        step: Which model.
        start: Duration of the state that it starts from.
        n_calls: From one output to the next.
        n_outputs: How many.
        is_wanted: Whether the outputs are leads to keep; else there is one, for others to start from.
    """

    step: int
    start: int
    n_calls: int
    n_outputs: int
    is_wanted: bool

    @property
    def end(self) -> int:
        """Duration of its last state."""
        return self.start + self.step * self.n_calls * self.n_outputs

    @property
    def starts(self) -> np.ndarray:
        """Durations that its calls start from, int64 `[call]`."""
        return np.arange(self.start, self.end, self.step)


Uses = Mapping[int, int]
"""By duration, how many calls start from its state."""


def schedule(plan: Plan, chunk: int) -> list[list[Burst]]:
    """Return the bursts of each chunk of `chunk` leads (the last may have fewer), in order.

    A burst ends where its chunk does, and where another call than its own next one needs the state.
    """
    uses = Counter(call.start for call in plan.calls)
    chunks: list[list[Burst]] = [[]]
    n_leads = 0
    for output in _single_outputs(plan, uses):
        if n_leads == chunk:
            chunks.append([])
            n_leads = 0
        chunks[-1].append(output)
        n_leads += output.is_wanted
    return [list(_merged(outputs, uses)) for outputs in chunks]


def _single_outputs(plan: Plan, uses: Uses) -> Iterator[Burst]:
    """Yield a burst for each state that is wanted, or that several calls or another model start from."""
    leads = set(plan.leads)
    done: Burst | None = None
    for call in plan.calls:
        one = Burst(call.step, call.start, 1, 1, call.end in leads)
        if done and _follows(one, done, uses) and not done.is_wanted:
            done = replace(done, n_calls=done.n_calls + 1, is_wanted=one.is_wanted)
        else:
            yield from [done] if done else []
            done = one
    yield from [done] if done else []


def _merged(outputs: Iterable[Burst], uses: Uses) -> Iterator[Burst]:
    """Join wanted outputs that follow from each other by as many calls of one model."""
    done: Burst | None = None
    for one in outputs:
        if done and _follows(one, done, uses) and done.is_wanted and one.is_wanted and one.n_calls == done.n_calls:
            done = replace(done, n_outputs=done.n_outputs + 1)
        else:
            yield from [done] if done else []
            done = one
    yield from [done] if done else []


def _follows(one: Burst, done: Burst, uses: Uses) -> bool:
    """Return whether a burst goes on from another by the same model, and nothing else starts from there."""
    return one.start == done.end and one.step == done.step and uses[one.start] == 1
