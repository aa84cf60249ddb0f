"""Runs a forecast wave by wave: one chunk is written while the next computes, and no more than those two are held."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from weatherml.data.normalization import Normalizer
from weatherml.forecast.diagnostics import Diagnostic
from weatherml.forecast.ensemble import (
    Block,
    ForecastConfig,
    Wave,
    format_duration,
    member_keys,
    parse_duration,
    plan_waves,
)
from weatherml.forecast.guards import Failure, Guards, describe_failure
from weatherml.forecast.initial import InitialStates
from weatherml.forecast.itinerary import Itinerary
from weatherml.forecast.output import Layout, Output
from weatherml.forecast.physical import Units, terms_at
from weatherml.forecast.rollout import Rules, Told, rounding_quantum, to_physical
from weatherml.forecast.schedule import Burst
from weatherml.forecast.tendencies import TendencyNoise
from weatherml.forecast.trajectory import Programs, Trajectory, join
from weatherml.state import Channel

_logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with how many chunks are written, and how many there are in all."""


@dataclass(frozen=True, eq=False)
class Stream:
    """Everything a forecast is made of, checked and resolved.

    Attributes:
        itinerary: Which model is called when.
        normalizer: Of the whole state.
        config: What is asked for.
        layout: What is kept.
        initial_states: What members start from.
        diagnostics: Those of which something is kept.
    """

    itinerary: Itinerary
    normalizer: Normalizer
    config: ForecastConfig
    layout: Layout
    initial_states: InitialStates
    diagnostics: Sequence[Diagnostic] = ()

    def __post_init__(self) -> None:
        _ = self._rules, self._relaxation  # refuse names of what the state lacks, and what is no duration

    def run(self, output: Output, progress: Progress | None = None) -> None:
        """Compute and write the waves that `output` does not have yet."""
        waves = plan_waves(self.layout.init_times, self.layout.numbers, self.config.n_slots)
        n_written = output.n_waves * len(self._chunks)
        with ThreadPoolExecutor(1) as writer:
            started = self._start_chunks(waves[output.n_waves :], output, writer)
            # Each is waited for only once the next computes, so that computing and writing overlap.
            for chunk, _ in pairwise(chain(started, (None,))):
                chunk.result()  # type: ignore[union-attr]
                n_written += 1
                if progress is not None:
                    progress(n_written, len(waves) * len(self._chunks))

    def _start_chunks(
        self, waves: Sequence[Wave], output: Output, writer: ThreadPoolExecutor
    ) -> Iterator[Future[None]]:
        for wave in waves:
            init_times, numbers = self._seats(wave)
            states, terms = self.initial_states(init_times, numbers), terms_at(self.normalizer, init_times)
            trajectory = Trajectory(self._programs, self._rules.guards.begin(states, terms))
            noise = self._tendency_noise(init_times, numbers)
            for leads, bursts in zip(self._chunks, self._programs.chunks, strict=True):
                kept = join([trajectory.advance(burst, self._told(wave, burst, noise)) for burst in bursts], bursts)
                pieces = [self._to_physical(block, leads, kept) for block in wave]
                yield writer.submit(self._write, output, wave, leads, pieces, trajectory.failure)

    def _seats(self, wave: Wave) -> tuple[np.ndarray, np.ndarray]:
        """Return the initial time and the number of each slot, `[batch]`; padding is a control."""
        numbers = np.zeros(self.config.n_slots, np.int64)
        init_times = np.full(len(numbers), self.layout.init_times[wave[0].init])
        for block in wave:
            numbers[list(block.slots)] = block.numbers
            init_times[list(block.slots)] = self.layout.init_times[block.init]
        return init_times, numbers

    def _tendency_noise(self, init_times: np.ndarray, numbers: np.ndarray) -> TendencyNoise | None:
        """Return what perturbs every step of a wave, from the initial times and the numbers of its slots."""
        if self._rules.tendencies is None:
            return None
        ticks = range(1, self.itinerary.plan.leads[-1] + 1)
        keys = [member_keys(self.config.seed, init_times, numbers, tick) for tick in ticks]
        return TendencyNoise(self._rules.tendencies, jnp.stack(keys), numbers)

    def _told(self, wave: Wave, burst: Burst, noise: TendencyNoise | None) -> Told:
        """Return what the calls of a burst are told; filled up to what its program has room for."""
        ends = np.resize(burst.starts + burst.step, (self._programs.capacity(burst), burst.n_calls))
        init_times, _ = self._seats(wave)
        return Told(
            forcing=jnp.asarray(self._forcing(wave, burst)),
            terms=jnp.asarray(terms_at(self.normalizer, init_times + self.itinerary.unit * ends[..., None])),
            ticks=jnp.asarray(ends, jnp.int32),
            remaining=jnp.full(ends.shape, self._remaining(burst.step), jnp.float32),
            patterns=None if noise is None else noise.during(ends),
        )

    def _remaining(self, step: int) -> float:
        """Return what relaxation leaves of a departure from the reference after a step of so many ticks."""
        return 1.0 if self._relaxation is None else float(np.exp(-step * self.itinerary.unit / self._relaxation))

    def _forcing(self, wave: Wave, burst: Burst) -> np.ndarray:
        """Return the forcings at the start of each call, `[output, call, batch, forcing, lat, lon]`."""
        forcings, starts = self.itinerary.model(burst).forcings, self.itinerary.unit * burst.starts
        shape = (self._programs.capacity(burst), burst.n_calls, self.config.n_slots, forcings.n_maps)
        forcing = np.zeros((*shape, *forcings.grid.shape), np.float32)
        for block in wave:
            fields = forcings.at(self.layout.init_times[block.init] + starts)
            own = fields.reshape(burst.n_outputs, burst.n_calls, 1, *fields.shape[1:])
            forcing[: burst.n_outputs, :, list(block.slots)] = own
        return forcing

    def _to_physical(self, block: Block, leads: range, kept: Array) -> Array:
        """Return the members of a block in SI units, `[output, number, channel, lat, lon]`, rounded."""
        valid_times = self.layout.init_times[block.init] + self.layout.lead_times[leads.start : leads.stop]
        terms, slots = terms_at(self.normalizer, valid_times), np.array(block.slots)
        physical: Array = to_physical(kept, slots, self._kept_units, terms, self._floor, self._quantum)
        return physical

    def _write(self, output: Output, wave: Wave, leads: range, pieces: Sequence[Array], failure: Failure) -> None:
        """Wait for the pieces of a chunk, `[output, number, channel, lat, lon]` for each block, and write them."""
        for block, piece in zip(wave, pieces, strict=True):
            output.write((block.init, leads.start, block.first), np.asarray(piece))
        if leads.stop == len(self.layout.lead_times):
            output.end_wave(self._describe(wave, jax.device_get(failure)))

    def _describe(self, wave: Wave, failure: Failure) -> list[str]:
        """Say which members of a wave stopped, when and by what; `failure` is on the host."""
        lines = []
        for block in wave:
            for number, slot in zip(block.numbers, block.slots, strict=True):
                if failure.tick[slot]:
                    which = f"init_time {self.layout.init_times[block.init]:.16} number {number}"
                    lines.append(f"{which} {self._reason(block.init, jax.tree.map(lambda a, s=slot: a[s], failure))}")
                    _logger.warning("a member of the forecast stopped: %s", lines[-1])
        return lines

    def _reason(self, init: int, failure: Failure) -> str:
        """Say when and by what one member stopped."""
        lead_time = int(failure.tick) * self.itinerary.unit
        channel = self.normalizer.spec.channels[int(failure.channel)]
        when = f"{self.layout.init_times[init] + lead_time:.16} (lead {format_duration(lead_time)})"
        return f"at {when} by {describe_failure(channel, float(failure.value))}"

    @cached_property
    def _chunks(self) -> list[range]:
        """Positions of the leads of each chunk."""
        positions = range(len(self.layout.lead_times))
        length = self.layout.chunk[0]
        return [positions[start : start + length] for start in range(0, len(positions), length)]

    @cached_property
    def _programs(self) -> Programs:
        diagnostics = tuple(diagnostic.network for diagnostic in self.diagnostics)
        return Programs(self.itinerary, diagnostics, tuple(self._kept_channels), self.layout.chunk[0], self._rules)

    @cached_property
    def _rules(self) -> Rules:
        chosen = self.config.perturbation
        tendencies = None if chosen is None else chosen.tendencies(self.normalizer.statistics, self.itinerary.unit)
        return Rules(Guards.build(self.config.guards, self.normalizer), tendencies)

    @cached_property
    def _relaxation(self) -> np.timedelta64 | None:
        relaxation = self.config.guards.relaxation
        return None if relaxation is None else parse_duration(relaxation)

    @cached_property
    def _derived(self) -> list[Channel]:
        """What the diagnostics give, in SI units."""
        return [channel for diagnostic in self.diagnostics for channel in diagnostic.outputs]

    @cached_property
    def _kept_channels(self) -> list[int]:
        """Positions among the channels of the state followed by those of the diagnostics."""
        computed = [*self.normalizer.spec.channels, *self._derived]
        return [computed.index(channel) for channel in self.layout.spec.channels]

    @cached_property
    def _kept_units(self) -> Units:
        """Of the kept channels; a diagnostic is in SI units."""
        units = Units.build(self.normalizer, len(self._derived)) if self._derived else self._rules.guards.units
        return units.select(self._kept_channels)

    @cached_property
    def _floor(self) -> np.ndarray:
        return self.config.guards.floor(self.layout.spec.channels)

    @property
    def rounding_errors(self) -> dict[str, float]:
        """The largest error that rounding makes in each kept channel, SI units; empty where nothing is rounded."""
        quantum = () if self._quantum is None else self._quantum
        return {str(c): float(q) / 2 for c, q in zip(self.layout.spec.channels, quantum, strict=False)}

    @cached_property
    def _quantum(self) -> np.ndarray | None:
        if self.config.rounding is None:
            return None
        quantum = rounding_quantum(self.config.rounding * self.normalizer.statistics.std)
        return np.pad(quantum, (0, len(self._derived)))[self._kept_channels]
