"""Runs a forecast wave by wave: one chunk is written while the next computes, and no more than those two are held."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise

import jax.numpy as jnp
import numpy as np
from jax import Array

from weatherml.data.normalization import Normalizer
from weatherml.forecast.diagnostics import Diagnostic
from weatherml.forecast.ensemble import Block, ForecastConfig, Wave, format_duration, member_keys, plan_waves
from weatherml.forecast.initial import InitialStates
from weatherml.forecast.itinerary import Itinerary
from weatherml.forecast.output import Layout, Output
from weatherml.forecast.rollout import rounding_quantum, to_physical
from weatherml.forecast.schedule import Burst
from weatherml.forecast.tendencies import Noise, StochasticTendencies, TendencyNoise
from weatherml.forecast.trajectory import Programs, Trajectory, join
from weatherml.state import Channel

_logger = logging.getLogger(__name__)

Failures = dict[tuple[int, int], np.timedelta64]
"""The first lead at which a member, (position of the initial time, number), is no longer finite."""

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
        _ = self._tendencies  # refuses amplitudes of what the state lacks

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
            trajectory = Trajectory(self._programs, self.initial_states(init_times, numbers))
            noise = self._tendency_noise(init_times, numbers)
            failures: Failures = {}
            for leads, bursts in zip(self._chunks, self._programs.chunks, strict=True):
                outputs = [trajectory.advance(b, self._forcing(wave, b), self._patterns(noise, b)) for b in bursts]
                kept = join(outputs, bursts)
                pieces = [self._to_physical(block, leads, kept) for block in wave]
                yield writer.submit(self._write, output, wave, leads, pieces, failures)

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
        if self._tendencies is None:
            return None
        ticks = range(1, self.itinerary.plan.leads[-1] + 1)
        keys = [member_keys(self.config.seed, init_times, numbers, tick) for tick in ticks]
        return TendencyNoise(self._tendencies, jnp.stack(keys), numbers)

    def _patterns(self, noise: TendencyNoise | None, burst: Burst) -> Noise:
        """Return what perturbs the calls of a burst; filled up to what its program has room for."""
        if noise is None:
            return None
        return noise.during(np.resize(burst.starts + burst.step, (self._programs.capacity(burst), burst.n_calls)))

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
        # Denormalisation is linear, so its value at zero is all that the device needs to know of climatology and mask.
        zero = np.broadcast_to(np.float32(0), (len(leads), *self.normalizer.spec.shape))
        offset = self.normalizer.denormalize(zero, valid_times)
        offset = np.pad(offset, ((0, 0), (0, len(self._derived)), (0, 0), (0, 0)))[:, self._kept_channels]
        physical: Array = to_physical(kept, np.array(block.slots), self._scale, offset, self._quantum)
        return physical

    def _write(self, output: Output, wave: Wave, leads: range, pieces: Sequence[Array], failures: Failures) -> None:
        """Wait for the pieces of a chunk, `[output, number, channel, lat, lon]` for each block, and write them."""
        for block, piece in zip(wave, pieces, strict=True):
            physical = np.asarray(piece)
            output.write((block.init, leads.start, block.first), physical)
            for lead, member in np.argwhere(np.isnan(physical[:, :, 0]).all(axis=(-1, -2))):
                failures.setdefault((block.init, block.numbers[member]), self.layout.lead_times[leads[lead]])
        if leads.stop == len(self.layout.lead_times):
            output.end_wave(self._describe(failures))

    def _describe(self, failures: Failures) -> list[str]:
        """Say which members are no longer finite, and from which lead on."""
        lines = []
        for (init, number), lead_time in failures.items():
            init_time = np.datetime_as_string(self.layout.init_times[init], unit="m")
            lines.append(f"init_time {init_time} number {number} from lead_time {format_duration(lead_time)}")
            _logger.warning("forecast is no longer finite: %s", lines[-1])
        return lines

    @cached_property
    def _chunks(self) -> list[range]:
        """Positions of the leads of each chunk."""
        positions = range(len(self.layout.lead_times))
        length = self.layout.chunk[0]
        return [positions[start : start + length] for start in range(0, len(positions), length)]

    @cached_property
    def _programs(self) -> Programs:
        diagnostics = tuple(diagnostic.network for diagnostic in self.diagnostics)
        return Programs(self.itinerary, diagnostics, tuple(self._kept_channels), self.layout.chunk[0])

    @cached_property
    def _tendencies(self) -> StochasticTendencies | None:
        chosen = self.config.perturbation
        return None if chosen is None else chosen.tendencies(self.normalizer.statistics, self.itinerary.unit)

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
    def _scale(self) -> np.ndarray:
        """What one unit of each kept channel is: a standard deviation, of a diagnostic one SI unit."""
        return self._of_kept(self.normalizer.statistics.std, 1)

    @property
    def rounding_errors(self) -> dict[str, float]:
        """The largest error that rounding makes in each kept channel, SI units; empty where nothing is rounded."""
        quantum = () if self._quantum is None else self._quantum
        return {str(c): float(q) / 2 for c, q in zip(self.layout.spec.channels, quantum, strict=False)}

    @cached_property
    def _quantum(self) -> np.ndarray | None:
        if self.config.rounding is None:
            return None
        return self._of_kept(rounding_quantum(self.config.rounding * self.normalizer.statistics.std), 0)

    def _of_kept(self, of_state: np.ndarray, derived: float) -> np.ndarray:
        """Return the kept channels `[channel]` of values of the state; all diagnostics have the value `derived`."""
        return np.pad(of_state, (0, len(self._derived)), constant_values=derived)[self._kept_channels]
