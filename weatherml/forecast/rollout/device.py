"""One device with all that a forecast needs there, and the batches of members on their way through it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from weatherml.forecast.guards.step_modifiers import Failure, Members, StepInputs, StepModifiers
from weatherml.forecast.guards.units import Units
from weatherml.forecast.perturbation.base import member_keys
from weatherml.forecast.perturbation.noise_conditioned import Draws
from weatherml.forecast.perturbation.sppt import StochasticTendencies, TendencyNoise
from weatherml.forecast.plan.batches import Batch
from weatherml.forecast.plan.lead_plan import Segment
from weatherml.forecast.rollout.setup import RolloutSetup
from weatherml.forecast.rollout.step_loop import advance, to_physical
from weatherml.forecast.workdir import Stopped
from weatherml.parallel.programs.compiled import memory_of


@dataclass(frozen=True, eq=False)
class DeviceRollout:
    """A device with the models of a forecast.

    Attributes:
        device: Which.
        setup: What batches go through.
    """

    device: jax.Device
    setup: RolloutSetup

    @cached_property
    def weights(self) -> dict[int, Any]:
        """By step, the parameters of its program, on the device: whatever else that is given, it runs there."""
        networks = self.setup.networks.items()
        return {step: (jax.device_put(parameters, self.device), self.modifiers) for step, (_, parameters) in networks}

    @cached_property
    def modifiers(self) -> StepModifiers:
        """What else acts on every step, on the device."""
        modifiers: StepModifiers = jax.device_put(self.setup.modifiers, self.device)
        return modifiers

    @property
    def tendencies(self) -> StochasticTendencies | None:
        """What perturbs the change over every step: the first of the modifiers where anything does."""
        first = self.modifiers.modifiers[0]
        return first if isinstance(first, StochasticTendencies) else None

    @cached_property
    def units(self) -> Units:
        """Of the kept channels."""
        if self.setup.kept_units is self.setup.units:  # which lies there already, and may be large
            return self.modifiers.bounds.units
        units: Units = jax.device_put(self.setup.kept_units, self.device)
        return units

    def begin(self, batch: Batch, n_slots: int) -> "BatchRollout":
        """Return a batch at its initial times."""
        init_times, numbers = self.setup.layout.slots(batch, n_slots)
        states = jax.device_put(self.setup.initial_states(init_times, numbers), self.device)
        begun = self.setup.modifiers.begin(states, self.setup.normalizer.terms(init_times))
        members = jax.device_put(begun, self.device)  # what is not committed to it would be compiled for once more
        noise = MemberNoise(self.setup, self.tendencies, init_times, numbers)
        return BatchRollout(self, batch, init_times, noise, {0: members}, jax.tree.map(jnp.array, members.failure))

    def arguments(self, segment: Segment, members: Members, inputs: StepInputs) -> tuple[Any, ...]:
        """Return what `step_loop.advance` takes."""
        graph, _ = self.setup.networks[segment.step]
        n_calls, n_outputs = np.int32(len(segment.wanted)), self.setup.room[segment.step][1]
        weights = self.weights[segment.step]
        return graph, weights, members, inputs, n_calls, n_outputs, self.setup.kept_channels

    def needed_bytes(self, n_slots: int) -> tuple[int, int]:
        """Return the memory that a batch takes: what any batch does, and what `n_slots` members add.

        Programs are compiled for it, and are not compiled again when they run.
        """
        setup = self.setup
        init_times = np.full(n_slots, setup.layout.init_times[0])
        states = self._abstract(jnp.float32, (n_slots, *setup.normalizer.spec.shape))
        begun = jax.eval_shape(setup.modifiers.begin, states, setup.normalizer.terms(init_times))
        members = jax.tree.map(lambda array: self._abstract(array.dtype, array.shape), begun)
        noise = MemberNoise(setup, self.tendencies, init_times, np.arange(n_slots))
        any_batch = BatchRollout(self, (), init_times, noise, {}, begun.failure)
        kinds = {segment.step: segment for segments in setup.chunks for segment in segments}.values()
        added = [
            self._compiled_bytes(segment, members, any_batch.inputs(segment)) - _tree_bytes(self.weights[segment.step])
            for segment in kinds
        ]
        parameters, modifiers = zip(*self.weights.values(), strict=True)
        fixed = _tree_bytes((parameters, modifiers[0]))  # those of all models, one of which runs; modifiers are shared
        # Beside the program that runs: states that others start from, and a chunk that is being written.
        waiting = (setup.plan.peak_states - 1) * _tree_bytes(members)
        return fixed, max(added) + waiting + 2 * setup.layout.chunk_bytes

    def _compiled_bytes(self, segment: Segment, members: Members, inputs: StepInputs) -> int:
        """Return the memory that the program of a segment takes while it runs, weights among it."""
        return memory_of(advance.lower(*self.arguments(segment, members, inputs)).compile()).total

    def _abstract(self, dtype: Any, shape: tuple[int, ...]) -> jax.ShapeDtypeStruct:
        place = jax.sharding.SingleDeviceSharding(self.device)
        return jax.ShapeDtypeStruct(shape, dtype, sharding=place)  # type: ignore[no-untyped-call]


@dataclass(frozen=True, eq=False)
class MemberNoise:
    """What is random in the steps of a batch, from the members' keys alone.

    Attributes:
        setup: What is asked for.
        tendencies: What perturbs the change over every step, on the device; None where nothing does.
        init_times: `datetime64` [batch].
        numbers: Of the members [batch].
    """

    setup: RolloutSetup
    tendencies: StochasticTendencies | None
    init_times: np.ndarray
    numbers: np.ndarray

    def patterns(self, ends: np.ndarray) -> Array | None:
        """Return the patterns of steps that end at some ticks `[step]`; see `TendencyNoise`."""
        return None if self._noise is None else self._noise.during(ends)

    def draws(self, ends: np.ndarray) -> Draws | None:
        """Return what random maps are drawn from in those steps."""
        perturbation = self.setup.config.perturbation
        if perturbation is None or perturbation.map_scale is None:
            return None
        return Draws.at(ends, self.setup.config.seed, self.init_times, self.numbers, perturbation.map_scale)

    @cached_property
    def _noise(self) -> TendencyNoise | None:
        if self.tendencies is None:
            return None
        keys = member_keys(self.setup.config.seed, self.init_times, self.numbers)
        return TendencyNoise(self.tendencies, keys, self.numbers)


@dataclass(eq=False)
class BatchRollout:
    """A batch on its way.

    Attributes:
        rollout: Where.
        batch: Who.
        init_times: Of each slot, `datetime64` [batch].
        noise: What is random in its steps.
        members: By duration in units of the plan, states that calls still start from.
        failure: When and by what members first stopped, on any branch of the plan.
    """

    rollout: DeviceRollout
    batch: Batch
    init_times: np.ndarray
    noise: MemberNoise
    members: dict[int, Members]
    failure: Failure

    def advance(self, position: int) -> list[Array]:
        """Return the next chunk in SI units, for each slice of the batch `[lead, number, channel, lat, lon]`."""
        setup = self.rollout.setup
        segments, leads = setup.chunks[position], setup.layout.chunks[position]
        kept = _join([self._run(segment) for segment in segments], segments)
        lead_times = setup.layout.lead_times[leads.start : leads.stop]
        init_times = setup.layout.init_times[[part.init for part in self.batch]]
        terms = setup.normalizer.terms(init_times[:, None] + lead_times)
        units, floor, quantum = self.rollout.units, setup.floor, setup.quantum
        return [
            to_physical(kept, np.array(part.slots), units, own, floor, quantum)
            for part, own in zip(self.batch, terms, strict=True)
        ]

    def inputs(self, segment: Segment) -> StepInputs:
        """Return what the calls of a segment are given; filled up to what its program has room for."""
        setup = self.rollout.setup
        own, init = np.unique(self.init_times, return_inverse=True)
        inputs = setup.inputs(segment, np.resize(own, setup.layout.most_init_times))
        ends = np.asarray(inputs.tick)
        told = setup.models[segment.step].is_told_maps
        pattern, draws = self.noise.patterns(ends), self.noise.draws(ends) if told else None
        random = replace(inputs, pattern=pattern, draws=draws, init=init.astype(np.int32))
        placed: StepInputs = jax.device_put(random, self.rollout.device)
        return placed

    def stopped(self) -> list[Stopped]:
        """Return which members stopped, when and by what; waits for the computation."""
        setup, failure = self.rollout.setup, jax.device_get(self.failure)
        lead, channels, found = int(setup.plan.unit.astype(np.int64)), setup.normalizer.spec.names, []
        for part in self.batch:
            for number, slot in zip(part.numbers, part.slots, strict=True):
                if tick := int(failure.tick[slot]):
                    channel, value = channels[failure.channel[slot]], float(failure.value[slot])
                    found.append(Stopped(init=part.init, number=number, lead=tick * lead, channel=channel, value=value))
        return found

    def _run(self, segment: Segment) -> Array:
        """Return the outputs of a segment `[output, batch, channel, lat, lon]`; keep where it ends while needed."""
        last_use = self.rollout.setup.plan.last_use
        # Programs consume what they are given.
        is_last = last_use[segment.start] == segment.start + segment.step
        start = self.members.pop(segment.start) if is_last else jax.tree.map(jnp.array, self.members[segment.start])
        arguments = self.rollout.arguments(segment, start, self.inputs(segment))
        result: tuple[Members, Array] = advance(*arguments)
        last, outputs = result
        self.failure = _earlier(self.failure, last.failure)
        if segment.end in last_use:
            self.members[segment.end] = last
        return outputs


_earlier = jax.jit(Failure.earlier)


def _join(outputs: Sequence[Array], segments: Sequence[Segment]) -> Array:
    """Join the wanted outputs of a chunk; one program's alone stay as they are, with room for more than were asked."""
    wanted = [(output, sum(own.wanted)) for output, own in zip(outputs, segments, strict=True) if any(own.wanted)]
    if len(wanted) == 1:
        (only,) = wanted
        return only[0]
    joined: Array = jnp.concatenate([output[:n_outputs] for output, n_outputs in wanted])
    return joined


def _tree_bytes(tree: Any) -> int:
    """Return the size of all arrays of a tree, which may be abstract."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
