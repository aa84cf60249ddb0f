"""One device with all that a forecast needs there, and the waves that it takes."""

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from weatherml.forecast.ensemble import member_keys
from weatherml.forecast.physical import Units
from weatherml.forecast.rollout import Told, to_physical
from weatherml.forecast.route import Route
from weatherml.forecast.schedule import Burst
from weatherml.forecast.tendencies import TendencyNoise
from weatherml.forecast.trajectory import Programs, Trajectory, join, tree_bytes
from weatherml.forecast.waves import Wave


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
        members = self.programs.rules.guards.begin(jax.device_put(states, self.device), self.route.terms(init_times))
        return Voyage(self, wave, Trajectory(self.programs, members), self._noise(init_times, numbers))

    def _noise(self, init_times: np.ndarray, numbers: np.ndarray) -> TendencyNoise | None:
        """Return what perturbs every step of members, from their initial times and numbers `[batch]`."""
        tendencies = self.programs.rules.tendencies
        if tendencies is None:
            return None
        ticks = range(1, self.route.itinerary.plan.leads[-1] + 1)
        keys = [member_keys(self.route.config.seed, init_times, numbers, tick) for tick in ticks]
        return TendencyNoise(tendencies, jax.device_put(jnp.stack(keys), self.device), numbers)

    def device_bytes(self, n_slots: int) -> tuple[int, int]:
        """Return the memory that a wave takes: what any batch does, and what `n_slots` members add.

        Programs are compiled for it, and are not compiled again when they run.
        """
        route = self.route
        init_times = np.full(n_slots, route.layout.init_times[0])
        states = jax.ShapeDtypeStruct((n_slots, *route.normalizer.spec.shape), np.float32)  # type: ignore[no-untyped-call]
        members = jax.eval_shape(self.programs.rules.guards.begin, states, route.terms(init_times))
        noise = self._noise(init_times, np.arange(n_slots))
        fixed = tree_bytes((self.programs.weights, self.programs.rules))
        totals = [
            self.programs.compiled_bytes(burst, members, self.told(burst, init_times, noise))
            for burst in self.programs.kinds
        ]
        # Beside the program that runs: states that others start from, and a chunk that is being written.
        waiting = (route.itinerary.plan.peak_states - 1) * tree_bytes(members)
        return fixed, max(totals) - fixed + waiting + 2 * route.layout.chunk_bytes

    def told(self, burst: Burst, init_times: np.ndarray, noise: TendencyNoise | None) -> Told:
        """Return what the calls of a burst are told; filled up to what its program has room for."""
        route = self.route
        ends = np.resize(burst.starts + burst.step, (self.programs.capacity(burst), burst.n_calls))
        told = Told(
            forcing=jnp.asarray(route.forcing(burst, init_times)),
            terms=jnp.asarray(route.terms(init_times + route.itinerary.unit * ends[..., None])),
            ticks=jnp.asarray(ends, jnp.int32),
            remaining=jnp.full(ends.shape, route.remaining(burst), jnp.float32),
            patterns=None if noise is None else noise.during(ends),
        )
        placed: Told = jax.device_put(told, self.device)
        return placed


@dataclass(frozen=True, eq=False)
class Voyage:
    """A wave on its way.

    Attributes:
        lane: Where.
        wave: Who.
        trajectory: How far they are.
        noise: What perturbs every step; None where nothing does.
    """

    lane: Lane
    wave: Wave
    trajectory: Trajectory
    noise: TendencyNoise | None

    def advance(self, position: int) -> list[Array]:
        """Return the next chunk in SI units, for each block of the wave `[output, number, channel, lat, lon]`."""
        route, bursts = self.lane.route, self.lane.programs.chunks[position]
        init_times, _ = route.seats(self.wave, self.trajectory.n_slots)
        kept = join([self.trajectory.advance(b, self.lane.told(b, init_times, self.noise)) for b in bursts], bursts)
        leads = route.chunks[position]
        lead_times = route.layout.lead_times[leads.start : leads.stop]
        pieces = []
        for block in self.wave:
            terms = route.terms(route.layout.init_times[block.init] + lead_times)
            slots = np.array(block.slots)
            pieces.append(to_physical(kept, slots, self.lane.units, terms, route.floor, route.quantum))
        return pieces
