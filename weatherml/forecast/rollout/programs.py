"""One wave of members on its way: where they are still needed from, and the programs that move them."""

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from weatherml.forecast.guards.bounds import Failure, Members
from weatherml.forecast.plan.lead_plan import Itinerary
from weatherml.forecast.plan.segments import Burst
from weatherml.forecast.rollout.step_loop import Rules, Told, advance


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
        self.itinerary, self.rules, self._kept = itinerary, rules, kept
        self.chunks = itinerary.bursts(chunk)
        split = {model.time_step: nnx.split((model.step, diagnostics)) for model in itinerary.models}
        self._graphs = {step: graph for step, (graph, _) in split.items()}
        self.weights = {step: weights for step, (_, weights) in split.items()}

    def on(self, device: jax.Device) -> "Programs":
        """Return them with weights and rules that lie on a device: whatever they are given, they run there."""
        placed = copy(self)
        placed.weights, placed.rules = jax.device_put((self.weights, self.rules), device)
        return placed

    def run(self, burst: Burst, members: Members, told: Told) -> tuple[Members, Array]:
        """Return where members are after a burst, and its outputs; as `rollout.advance`."""
        result: tuple[Members, Array] = advance(*self._arguments(burst, members, told))
        return result

    def compiled_bytes(self, burst: Burst, members: Members, told: Told) -> int:
        """Return the memory that the program of a burst takes while it runs, weights among it."""
        memory: Any = advance.lower(*self._arguments(burst, members, told)).compile().memory_analysis()
        needed = memory.argument_size_in_bytes + memory.output_size_in_bytes + memory.temp_size_in_bytes
        return int(needed - memory.alias_size_in_bytes)

    def _arguments(self, burst: Burst, members: Members, told: Told) -> tuple[Any, ...]:
        step = self.itinerary.model(burst).time_step
        kept = self._kept if burst.is_wanted else ()
        return self._graphs[step], self.weights[step], self.rules, members, told, burst.n_outputs, kept

    @property
    def kinds(self) -> list[Burst]:
        """One burst of each program."""
        return list({_kind(burst): burst for bursts in self.chunks for burst in bursts}.values())

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
        n_slots: Members, padding among them.
        failure: The first of each member on any of its branches so far.
    """

    def __init__(self, programs: Programs, members: Members) -> None:
        self._programs = programs
        self._members = {0: members}
        self.n_slots = len(members.states)
        self.failure = Failure.none(self.n_slots)

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


def tree_bytes(tree: Any) -> int:
    """Return the size of all arrays of a tree, which may be abstract."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
