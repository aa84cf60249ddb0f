"""What every batch of a forecast goes through: checked, resolved, and the same on every device."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from flax import nnx

from weatherml.data.statistics.normalization import Normalizer
from weatherml.durations import format_duration
from weatherml.errors import UserError
from weatherml.forecast.config import ForecastConfig
from weatherml.forecast.guards.step_modifiers import Bounds, StepInputs, StepModifiers, guard_modifiers
from weatherml.forecast.guards.units import Units
from weatherml.forecast.perturbation.base import InitialStates
from weatherml.forecast.perturbation.sppt import StochasticTendencies
from weatherml.forecast.plan import batches
from weatherml.forecast.plan.batches import Layout
from weatherml.forecast.plan.lead_plan import LeadPlan, Segment
from weatherml.forecast.rollout.model import Diagnostic, Model
from weatherml.forecast.rollout.step_loop import Graph, rounding_quantum
from weatherml.forecast.rollout.suite import Suite


@dataclass(frozen=True, eq=False)
class RolloutSetup:
    """Everything that the forecasts of one suite are made of.

    Attributes:
        suite: The models.
        config: What is asked for.
        layout: What is kept.
        initial_states: What members start from.

    Raises:
        UserError: The configuration names what the state lacks, a duration that is none, or random maps for models that
            are told none; or a lead cannot be reached.
    """

    suite: Suite
    config: ForecastConfig
    layout: Layout
    initial_states: InitialStates

    def __post_init__(self) -> None:
        _ = self.modifiers, self.room, self.networks, self.kept_units, self.floor, self.quantum  # all at once
        if self.config.perturbation is not None and self.config.perturbation.map_scale is not None:
            _require_random_maps(self.suite.models)

    @cached_property
    def normalizer(self) -> Normalizer:
        """Of the whole state."""
        return self.suite.normalizer

    @cached_property
    def plan(self) -> LeadPlan:
        """Which model is called when."""
        return self.suite.plan(self.layout.lead_times)

    @cached_property
    def units(self) -> Units:
        """Of the state."""
        return Units.build(self.normalizer)

    @cached_property
    def tendencies(self) -> StochasticTendencies | None:
        """What perturbs the change over every step."""
        chosen = self.config.perturbation
        return None if chosen is None else chosen.tendencies(self.normalizer.statistics, self.plan.unit)

    @cached_property
    def modifiers(self) -> StepModifiers:
        """What acts on every step beside a model."""
        guards = self.config.guards
        perturbing = [] if self.tendencies is None else [self.tendencies]
        keeping = guard_modifiers(guards, self.normalizer, self.units, list(self.models), self.plan.unit)
        bounds = Bounds.build(self.normalizer.spec.channels, self.units, guards.bounds)
        return StepModifiers((*perturbing, *keeping), bounds)

    @cached_property
    def chunks(self) -> list[list[Segment]]:
        """Of each chunk of leads, the calls that lead there."""
        return self.plan.segments(self.layout.chunk[0], self._most_calls)

    @cached_property
    def models(self) -> dict[int, Model]:
        """By step in units of the plan."""
        return {step: self.suite.model_of(step * self.plan.unit) for step in self.plan.n_calls}

    @cached_property
    def networks(self) -> dict[int, tuple[Graph, Any]]:
        """By step, what computes it and the diagnostics of which something is kept, and their weights."""
        diagnostics = tuple(diagnostic.network for diagnostic in self._diagnostics)
        return {step: nnx.split((model.step, diagnostics)) for step, model in self.models.items()}

    @cached_property
    def room(self) -> dict[int, tuple[int, int]]:
        """By step, how many calls and outputs its program has room for: all its segments run it.

        For two calls at least: a compiler takes apart what it knows to be one, and a member told random maps would then
        differ in its last bits by which leads are asked for.
        """
        own: dict[int, list[tuple[bool, ...]]] = {step: [] for step in self.models}
        for segment in (segment for segments in self.chunks for segment in segments):
            own[segment.step].append(segment.wanted)
        return {step: (max(2, *map(len, wanted)), max(1, *map(sum, wanted))) for step, wanted in own.items()}

    @cached_property
    def kept_units(self) -> Units:
        """Of the kept channels; a diagnostic is in SI units."""
        units = Units.build(self.normalizer, self._n_derived) if self._n_derived else self.units
        return units.select(self.kept_channels)

    @cached_property
    def kept_channels(self) -> tuple[int, ...]:
        """Positions among the channels of the state followed by those of the diagnostics."""
        derived = [channel for diagnostic in self._diagnostics for channel in diagnostic.outputs]
        computed = [*self.normalizer.spec.channels, *derived]
        return tuple(computed.index(channel) for channel in self.layout.spec.channels)

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
        return np.pad(quantum, (0, self._n_derived))[list(self.kept_channels)]

    @property
    def rounding_errors(self) -> dict[str, float]:
        """The largest error that rounding makes in each kept channel, SI units; empty where nothing is rounded."""
        quantum = () if self.quantum is None else self.quantum
        return {str(c): float(q) / 2 for c, q in zip(self.layout.spec.channels, quantum, strict=False)}

    def inputs(self, segment: Segment, init_times: np.ndarray) -> StepInputs:
        """Return what the calls of a segment are given for each of some initial times; as far as nothing is random.

        They are filled up to what the program of the segment has room for.
        """
        (room, n_outputs), unit, wanted = self.room[segment.step], self.plan.unit, np.array(segment.wanted)
        ends, n_calls = segment.ends, len(wanted)
        forcings = self.models[segment.step].forcings
        forcing = np.zeros((room, len(init_times), forcings.n_maps, *forcings.grid.shape), np.float32)
        for position, init_time in enumerate(init_times):
            forcing[:n_calls, position] = forcings.at(init_time + unit * (ends - segment.step))
        place = np.full(room, n_outputs, np.int32)
        place[:n_calls] = np.where(wanted, np.cumsum(wanted) - 1, n_outputs)
        ticks = np.pad(ends, (0, room - n_calls), mode="edge")
        terms = self.normalizer.terms(init_times + unit * ticks[:, None])
        nothing = np.zeros(0, np.int32)
        return StepInputs(
            forcing, terms, ticks.astype(np.int32), place, None, None, nothing, np.array(segment.step, np.int32)
        )

    @property
    def _most_calls(self) -> dict[int, int]:
        """By step, for how many calls of a model inputs are made at once: they take no more than a chunk does."""
        pattern = (0,) if self.tendencies is None else (self.layout.chunk[1], *self.tendencies.field.shape)
        n_cells, n_inits = math.prod(self.normalizer.spec.grid.shape), self.layout.most_init_times
        n_values = {
            step: own.forcings.n_maps * n_inits * n_cells + math.prod(pattern) for step, own in self.models.items()
        }
        return {step: max(1, batches.CHUNK_BYTES // max(1, 4 * n)) for step, n in n_values.items()}

    @cached_property
    def _diagnostics(self) -> list[Diagnostic]:
        """Those of which something is kept."""
        kept = set(self.layout.spec.channels)
        return [diagnostic for diagnostic in self.suite.diagnostics if not kept.isdisjoint(diagnostic.outputs)]

    @property
    def _n_derived(self) -> int:
        return sum(len(diagnostic.outputs) for diagnostic in self._diagnostics)


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
