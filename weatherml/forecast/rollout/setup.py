"""What every wave of a forecast goes through: checked, resolved, and the same on every device."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import jax
import numpy as np

from weatherml.data.normalization import Normalizer
from weatherml.durations import format_duration, parse_duration
from weatherml.errors import UserError
from weatherml.forecast.config import ForecastConfig
from weatherml.forecast.guards.bounds import Failure, Guards, describe_failure
from weatherml.forecast.guards.units import Units, terms_at
from weatherml.forecast.plan.batches import Block, Wave
from weatherml.forecast.plan.layout import Layout
from weatherml.forecast.plan.lead_plan import Itinerary
from weatherml.forecast.plan.segments import Burst
from weatherml.forecast.rollout.diagnostics import Diagnostic
from weatherml.forecast.rollout.initial_states import InitialStates
from weatherml.forecast.rollout.model import Model
from weatherml.forecast.rollout.programs import Programs
from weatherml.forecast.rollout.step_loop import Rules, rounding_quantum
from weatherml.state import Channel


@dataclass(frozen=True, eq=False)
class Route:
    """Everything a forecast is made of.

    Attributes:
        itinerary: Which model is called when.
        normalizer: Of the whole state.
        config: What is asked for.
        layout: What is kept.
        initial_states: What members start from.
        diagnostics: Those of which something is kept.

    Raises:
        UserError: The configuration names what the state lacks, a duration that is none, or random maps for models that
            are told none.
    """

    itinerary: Itinerary
    normalizer: Normalizer
    config: ForecastConfig
    layout: Layout
    initial_states: InitialStates
    diagnostics: Sequence[Diagnostic] = ()

    def __post_init__(self) -> None:
        _ = self.rules, self._relaxation
        if self.config.perturbation is not None and self.config.perturbation.map_scale is not None:
            _require_random_maps(self.itinerary.models)

    @cached_property
    def programs(self) -> Programs:
        """What moves members."""
        diagnostics = tuple(diagnostic.network for diagnostic in self.diagnostics)
        return Programs(self.itinerary, diagnostics, tuple(self._kept_channels), self.layout.chunk[0], self.rules)

    @cached_property
    def rules(self) -> Rules:
        """What acts on every step beside a model."""
        chosen = self.config.perturbation
        tendencies = None if chosen is None else chosen.tendencies(self.normalizer.statistics, self.itinerary.unit)
        return Rules(Guards.build(self.config.guards, self.normalizer), tendencies)

    @cached_property
    def chunks(self) -> list[range]:
        """Positions of the leads of each chunk."""
        positions, length = range(len(self.layout.lead_times)), self.layout.chunk[0]
        return [positions[start : start + length] for start in range(0, len(positions), length)]

    @cached_property
    def kept_units(self) -> Units:
        """Of the kept channels; a diagnostic is in SI units."""
        units = Units.build(self.normalizer, len(self._derived)) if self._derived else self.rules.guards.units
        return units.select(self._kept_channels)

    @cached_property
    def floor(self) -> np.ndarray:
        """What the values of kept channels are lifted to, SI units `[channel]`."""
        return self.config.guards.floor(self.layout.spec.channels)

    @cached_property
    def quantum(self) -> np.ndarray | None:
        """What the values of kept channels are multiples of, `[channel]`, 0 where of nothing; None without rounding."""
        if self.config.rounding is None:
            return None
        quantum = rounding_quantum(self.config.rounding * self.normalizer.statistics.std)
        return np.pad(quantum, (0, len(self._derived)))[self._kept_channels]

    @property
    def rounding_errors(self) -> dict[str, float]:
        """The largest error that rounding makes in each kept channel, SI units; empty where nothing is rounded."""
        quantum = () if self.quantum is None else self.quantum
        return {str(c): float(q) / 2 for c, q in zip(self.layout.spec.channels, quantum, strict=False)}

    def seats(self, wave: Wave, n_slots: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the initial time and the number of each slot, `[batch]`; padding is a control."""
        numbers = np.zeros(n_slots, np.int64)
        init_times = np.full(n_slots, self.layout.init_times[wave[0].init])
        for block in wave:
            numbers[list(block.slots)] = block.numbers
            init_times[list(block.slots)] = self.layout.init_times[block.init]
        return init_times, numbers

    def terms(self, times: np.ndarray) -> np.ndarray:
        """Return the terms of the reference at times of any shape, `[*times, term]`."""
        return terms_at(self.normalizer, times)

    def forcing(self, burst: Burst, init_times: np.ndarray) -> np.ndarray:
        """Return the forcings at the start of each call, `[output, call, batch, forcing, lat, lon]`."""
        forcings, starts = self.itinerary.model(burst).forcings, self.itinerary.unit * burst.starts
        shape = (self.programs.capacity(burst), burst.n_calls, len(init_times), forcings.n_maps)
        forcing = np.zeros((*shape, *forcings.grid.shape), np.float32)
        for init_time in np.unique(init_times):
            fields = forcings.at(init_time + starts)
            own = fields.reshape(burst.n_outputs, burst.n_calls, 1, *fields.shape[1:])
            forcing[: burst.n_outputs, :, init_times == init_time] = own
        return forcing

    def remaining(self, burst: Burst) -> float:
        """Return what relaxation leaves of a departure from the reference after a call."""
        return 1.0 if self._relaxation is None else float(np.exp(-burst.step * self.itinerary.unit / self._relaxation))

    def describe(self, wave: Wave, failure: Failure) -> dict[tuple[int, int], str]:
        """Say which members stopped, when and by what, by (position of the initial time, number)."""
        stories = {}
        for block in wave:
            for number, slot in zip(block.numbers, block.slots, strict=True):
                if failure.tick[slot]:
                    own = jax.tree.map(lambda values, slot=slot: values[slot], failure)
                    stories[block.init, number] = self._story(block, number, own)
        return stories

    def _story(self, block: Block, number: int, failure: Failure) -> str:
        """Say when and by what one member stopped."""
        init_time, lead_time = self.layout.init_times[block.init], int(failure.tick) * self.itinerary.unit
        channel = self.normalizer.spec.channels[int(failure.channel)]
        when = f"{init_time + lead_time:.16} (lead {format_duration(lead_time)})"
        return (
            f"init_time {init_time:.16} number {number} at {when} by {describe_failure(channel, float(failure.value))}"
        )

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


def _require_random_maps(models: Sequence[Model]) -> None:
    """Require that models are told random maps.

    Raises:
        UserError: One is not.
    """
    for model in models:
        if not model.is_told_maps:
            raise UserError(
                f"the model of {format_duration(model.time_step)} steps is told no random maps, which noise_conditioned"
                " needs; train one with model.noise={lengths: [1000]} and training.loss={name: crps}"
            )
