"""One wave of members on its way: where they are still needed from, and the programs that move them."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from weatherml.forecast.guards import Failure, Members
from weatherml.forecast.itinerary import Itinerary
from weatherml.forecast.rollout import Rules, Told, advance
from weatherml.forecast.schedule import Burst


class Programs:
    """The models of an itinerary, ready to run.

    Args:
        itinerary: Which model moves which state when.
        diagnostics: Modules from normalised states to further channels.
        kept: Positions of the channels that leave the device: first come the state's, then those of the diagnostics.
        chunk: Number of leads in each chunk but the last.
        rules: What acts on every step beside the model.
    """

    def __init__(
        self, itinerary: Itinerary, diagnostics: tuple[nnx.Module, ...], kept: tuple[int, ...], chunk: int, rules: Rules
    ) -> None:
        self.itinerary, self._kept, self._rules = itinerary, kept, rules
        self.chunks = itinerary.bursts(chunk)
        self._split = {m.time_step: nnx.split((m.step, diagnostics)) for m in itinerary.models}

    def run(self, burst: Burst, members: Members, told: Told) -> tuple[Members, Array]:
        """Return where members are after a burst, and its outputs; as `rollout.advance`."""
        graph, weights = self._split[self.itinerary.model(burst).time_step]
        kept = self._kept if burst.is_wanted else ()
        result: tuple[Members, Array] = advance(graph, weights, self._rules, members, told, burst.n_outputs, kept)
        return result

    def capacity(self, burst: Burst) -> int:
        """Return how many outputs the program of a burst has room for: bursts of one kind share a program."""
        return self._capacities[_kind(burst)]

    @cached_property
    def _capacities(self) -> dict[Any, int]:
        capacities: dict[Any, int] = {}
        for burst in (burst for bursts in self.chunks for burst in bursts):
            capacities[_kind(burst)] = max(capacities.get(_kind(burst), 0), burst.n_outputs)
        return capacities


def _kind(burst: Burst) -> tuple[int, int, bool]:
    return burst.step, burst.n_calls, burst.is_wanted


class Trajectory:
    """The members of one wave.

    Args:
        programs: What moves them.
        members: At the initial time.

    Attributes:
        failure: The first of each member on any of its branches so far.
    """

    def __init__(self, programs: Programs, members: Members) -> None:
        self._programs = programs
        self._members = {0: members}
        self.failure = Failure.none(len(members.states))

    def advance(self, burst: Burst, told: Told) -> Array:
        """Return the outputs of a burst `[output, batch, channel, lat, lon]`; keep where it ends while needed."""
        last_use = self._programs.itinerary.plan.last_use
        is_last = last_use[burst.start] == burst.start + burst.step
        # Programs consume what they are given.
        start = self._members.pop(burst.start) if is_last else jax.tree.map(jnp.array, self._members[burst.start])
        last, outputs = self._programs.run(burst, start, told)
        self.failure = _earlier(self.failure, last.failure)
        if burst.end in last_use:
            self._members[burst.end] = last
        return outputs


_earlier = jax.jit(Failure.earlier)


def join(outputs: Sequence[Array], bursts: Sequence[Burst]) -> Array:
    """Join the wanted outputs of a chunk; one program's alone stay as they are, with room for more than were asked."""
    wanted = [(output, burst.n_outputs) for output, burst in zip(outputs, bursts, strict=True) if burst.is_wanted]
    if len(wanted) == 1:
        return wanted[0][0]
    return jnp.concatenate([output[:n_outputs] for output, n_outputs in wanted])
