"""One device with all that a forecast needs there, and the waves that it takes."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from weatherml.forecast.guards.units import Units
from weatherml.forecast.keys import member_keys
from weatherml.forecast.perturbation.noise_conditioned import Draws
from weatherml.forecast.perturbation.sppt import StochasticTendencies, TendencyNoise
from weatherml.forecast.plan.batches import Wave
from weatherml.forecast.plan.segments import Burst
from weatherml.forecast.rollout.programs import Programs, Trajectory, join, tree_bytes
from weatherml.forecast.rollout.setup import Route
from weatherml.forecast.rollout.step_loop import Told, to_physical


@dataclass(frozen=True, eq=False)
class Lane:
    """A device.

    Attributes:
        device: Which.
        route: What waves go through.
    """

    device: jax.Device
    route: Route

    @cached_property
    def programs(self) -> Programs:
        """What moves members, with weights that lie on the device."""
        return self.route.programs.on(self.device)

    @cached_property
    def units(self) -> Units:
        """Of the kept channels."""
        units: Units = jax.device_put(self.route.kept_units, self.device)
        return units

    def embark(self, wave: Wave, n_slots: int) -> "Voyage":
        """Return a wave at its initial times."""
        init_times, numbers = self.route.seats(wave, n_slots)
        states = self.route.initial_states(init_times, numbers)
        begun = self.programs.rules.guards.begin(jax.device_put(states, self.device), self.route.terms(init_times))
        members = jax.device_put(begun, self.device)  # what is not committed to it would be compiled for once more
        chance = Chance(self.programs.rules.tendencies, self.route, init_times, numbers)
        return Voyage(self, wave, Trajectory(self.programs, members), chance)

    def device_bytes(self, n_slots: int) -> tuple[int, int]:
        """Return the memory that a wave takes: what any batch does, and what `n_slots` members add.

        Programs are compiled for it, and are not compiled again when they run.
        """
        route = self.route
        init_times = np.full(n_slots, route.layout.init_times[0])
        states = self._abstract(jnp.float32, (n_slots, *route.normalizer.spec.shape))
        begun = jax.eval_shape(self.programs.rules.guards.begin, states, route.terms(init_times))
        members = jax.tree.map(lambda array: self._abstract(array.dtype, array.shape), begun)
        chance = Chance(self.programs.rules.tendencies, route, init_times, np.arange(n_slots))
        fixed = tree_bytes((self.programs.weights, self.programs.rules))
        totals = [
            self.programs.compiled_bytes(burst, members, self.told(burst, chance)) for burst in self.programs.kinds
        ]
        # Beside the program that runs: states that others start from, and a chunk that is being written.
        waiting = (route.itinerary.plan.peak_states - 1) * tree_bytes(members)
        return fixed, max(totals) - fixed + waiting + 2 * route.layout.chunk_bytes

    def _abstract(self, dtype: Any, shape: tuple[int, ...]) -> jax.ShapeDtypeStruct:
        place = jax.sharding.SingleDeviceSharding(self.device)
        return jax.ShapeDtypeStruct(shape, dtype, sharding=place)  # type: ignore[no-untyped-call]

    def told(self, burst: Burst, chance: "Chance") -> Told:
        """Return what the calls of a burst are told; filled up to what its program has room for."""
        route, init_times = self.route, chance.init_times
        ends = np.resize(burst.starts + burst.step, (self.programs.capacity(burst), burst.n_calls))
        told = Told(
            forcing=route.forcing(burst, init_times),
            terms=route.terms(init_times + route.itinerary.unit * ends[..., None]),
            ticks=ends.astype(np.int32),
            remaining=np.full(ends.shape, route.remaining(burst), np.float32),
            patterns=chance.patterns(ends),
            draws=chance.draws(ends) if route.itinerary.model(burst).is_told_maps else None,
        )
        placed: Told = jax.device_put(told, self.device)
        return placed


@dataclass(frozen=True, eq=False)
class Chance:
    """What befalls the members of a batch by chance, from their keys alone.

    Attributes:
        tendencies: Perturbs the change over every step; None where nothing does. It lies where patterns are made.
        route: What is asked for.
        init_times: `datetime64` [batch].
        numbers: Of the members [batch].
    """

    tendencies: StochasticTendencies | None
    route: Route
    init_times: np.ndarray
    numbers: np.ndarray

    def patterns(self, ends: np.ndarray) -> Array | None:
        """Return the patterns of steps that end at some ticks `[output, step]`; see `TendencyNoise`."""
        return None if self._noise is None else self._noise.during(ends)

    def draws(self, ends: np.ndarray) -> Draws | None:
        """Return what random maps are drawn from in those steps."""
        perturbation = self.route.config.perturbation
        if perturbation is None or perturbation.map_scale is None:
            return None
        return Draws.at(ends, self.route.config.seed, self.init_times, self.numbers, perturbation.map_scale)

    @cached_property
    def _noise(self) -> TendencyNoise | None:
        if self.tendencies is None:
            return None
        keys = member_keys(self.route.config.seed, self.init_times, self.numbers)
        return TendencyNoise(self.tendencies, keys, self.numbers)


@dataclass(frozen=True, eq=False)
class Voyage:
    """A wave on its way.

    Attributes:
        lane: Where.
        wave: Who.
        trajectory: How far they are.
        chance: What befalls them.
    """

    lane: Lane
    wave: Wave
    trajectory: Trajectory
    chance: Chance

    def advance(self, position: int) -> list[Array]:
        """Return the next chunk in SI units, for each block of the wave `[output, number, channel, lat, lon]`."""
        route, bursts = self.lane.route, self.lane.programs.chunks[position]
        kept = join([self.trajectory.advance(burst, self.lane.told(burst, self.chance)) for burst in bursts], bursts)
        leads = route.chunks[position]
        lead_times = route.layout.lead_times[leads.start : leads.stop]
        pieces = []
        for block in self.wave:
            terms = route.terms(route.layout.init_times[block.init] + lead_times)
            slots = np.array(block.slots)
            pieces.append(to_physical(kept, slots, self.lane.units, terms, route.floor, route.quantum))
        return pieces
