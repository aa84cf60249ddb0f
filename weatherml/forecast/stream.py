"""Runs a forecast wave by wave: one chunk is written while the next computes, and no more than those two are held."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, pairwise

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from weatherml.data.forcings import Forcings
from weatherml.data.normalization import Normalizer
from weatherml.forecast.ensemble import ForecastConfig, Wave, format_duration, member_keys, plan_waves
from weatherml.forecast.output import Layout, Output, round_fields, rounding_quantum
from weatherml.forecast.perturbations import Perturbation
from weatherml.forecast.rollout import advance, perturb
from weatherml.state import StateSpec

_logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with how many chunks are written, and how many there are in all."""


@dataclass(frozen=True, eq=False)
class Stream:
    """Everything a forecast is made of, checked and resolved.

    Attributes:
        step: One normalised step.
        normalizer: Of the whole state.
        forcings: On the same grid.
        config: What is asked for.
        layout: What is kept.
        read_state: From an initial time to the normalised analysis `[channel, lat, lon]`.
    """

    step: nnx.Module
    normalizer: Normalizer
    forcings: Forcings
    config: ForecastConfig
    layout: Layout
    read_state: Callable[[np.datetime64], np.ndarray]

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
        graph, weights = nnx.split(self.step)
        for wave in waves:
            states = self._initial_states(wave)
            failures: dict[
                tuple[int, int], np.timedelta64
            ] = {}  # of (initial time, number) at a lead; the writer fills it
            for leads in self._chunks:
                forcing = self._forcing(wave, leads)
                states, kept = advance(graph, weights, states, forcing, len(leads), self._kept_channels)
                yield writer.submit(self._write, output, wave, leads, kept, failures)

    def _initial_states(self, wave: Wave) -> Array:
        """Return normalised states `[batch, channel, lat, lon]`, perturbed; padding is zero."""
        states = np.zeros((self.config.n_slots, *self.normalizer.spec.shape), np.float32)
        numbers = np.zeros(len(states), np.int64)
        init_times = np.full(len(states), self.layout.init_times[wave[0].init])
        for block in wave:
            slots = list(block.slots)
            numbers[slots] = block.numbers
            init_times[slots] = self.layout.init_times[block.init]
            states[slots] = self.read_state(self.layout.init_times[block.init])
        if self._perturbation is None:
            return jnp.array(states)
        keys = member_keys(self.config.seed, init_times, numbers, step=0)
        perturbed: Array = perturb(self._perturbation, states, keys, numbers)
        return perturbed

    def _forcing(self, wave: Wave, leads: range) -> np.ndarray:
        """Return the forcings at the start of each step, `[output, step, batch, forcing, lat, lon]`."""
        time_step = self.normalizer.statistics.time_step
        n_steps = int(self.layout.lead_times[0] / time_step)
        steps = np.arange(leads.start * n_steps, leads.stop * n_steps)
        shape = (self._chunks[0].stop, n_steps, self.config.n_slots, self.forcings.n_maps)
        forcing = np.zeros((*shape, *self.forcings.grid.shape), np.float32)
        for block in wave:
            fields = self.forcings.at(self.layout.init_times[block.init] + steps * time_step)
            own = fields.reshape(len(leads), n_steps, 1, *fields.shape[1:])
            forcing[: len(leads), :, list(block.slots)] = own
        return forcing

    def _write(
        self, output: Output, wave: Wave, leads: range, kept: Array, failures: dict[tuple[int, int], np.timedelta64]
    ) -> None:
        """Wait for a chunk `[output, batch, channel, lat, lon]` and write it in physical units."""
        fields = np.asarray(kept)
        lead_times = self.layout.lead_times[leads.start : leads.stop]
        for block in wave:
            normalized = fields[: len(leads), list(block.slots)]
            valid_times = self.layout.init_times[block.init] + lead_times
            physical = self._kept_normalizer.denormalize(normalized, valid_times[:, None])
            output.write((block.init, leads.start, block.first), self._round(physical))
            for lead, member in np.argwhere(np.isnan(normalized[:, :, 0, 0, 0])):
                failures.setdefault((block.init, block.numbers[member]), lead_times[lead])
        if leads.stop == len(self.layout.lead_times):
            output.end_wave(self._describe(failures))

    def _round(self, physical: np.ndarray) -> np.ndarray:
        if self.config.rounding is None:
            return physical
        largest_error = self.config.rounding * self._kept_normalizer.statistics.std
        return round_fields(physical, rounding_quantum(largest_error))

    def _describe(self, failures: dict[tuple[int, int], np.timedelta64]) -> list[str]:
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
    def _perturbation(self) -> Perturbation | None:
        chosen = self.config.perturbation
        return None if chosen is None else chosen.build(self.normalizer.statistics)

    @cached_property
    def _kept_channels(self) -> tuple[int, ...]:
        return tuple(map(self.normalizer.spec.channels.index, self.layout.spec.channels))

    @cached_property
    def _kept_normalizer(self) -> Normalizer:
        return select_channels(self.normalizer, self.layout.spec)


def select_channels(normalizer: Normalizer, spec: StateSpec) -> Normalizer:
    """Return the normalizer of some of the channels."""
    channels = list(map(normalizer.spec.channels.index, spec.channels))
    statistics, climatology = normalizer.statistics, normalizer.climatology
    names = ("mean", "std", "difference_std", "valid")
    fields = {name: getattr(statistics, name)[channels] for name in names}
    if climatology is not None:
        climatology = replace(climatology, spec=spec, coefficients=climatology.coefficients[:, channels])
    return Normalizer(replace(statistics, spec=spec, **fields), climatology)
