"""Models that make one forecast together: steps of several lengths between the same states, and what goes with them."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from weatherml.checkpoint import Checkpoint
from weatherml.data.statistics.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.forecast.plan.lead_plan import LeadPlan, plan_to
from weatherml.forecast.rollout.model import Diagnostic, Model
from weatherml.models.weights.static_settings import static_settings
from weatherml.state import StateSpec


@dataclass(frozen=True, eq=False)
class Suite:
    """Models of different time steps, each of which takes the states of the others.

    Attributes:
        models: One for each time step. Every lead is reached by the fewest calls (hierarchical temporal aggregation).
        normalizer: Says what the channels and the grid are.
        diagnostics: What forecasts hold beside the state.

    Raises:
        UserError: A diagnostic gives a channel of the state or of another diagnostic.
    """

    models: tuple[Model, ...]
    normalizer: Normalizer
    diagnostics: tuple[Diagnostic, ...] = ()

    def __post_init__(self) -> None:
        _ = self.output_spec  # refuses a channel that is given twice

    @classmethod
    def from_checkpoint(cls, *checkpoints: Checkpoint, diagnostics: Sequence[Checkpoint] = ()) -> Self:
        """Build from checkpoints in memory; see `load`."""
        normalizer = checkpoints[0].normalizer
        models = tuple(Model.from_checkpoint(checkpoint, normalizer) for checkpoint in checkpoints)
        fitted = tuple(Diagnostic.from_checkpoint(diagnostic, normalizer) for diagnostic in diagnostics)
        return cls(models, normalizer, fitted)

    @classmethod
    def load(cls, *paths: str | Path, diagnostics: Sequence[str | Path] = ()) -> Self:
        """Read the checkpoints of models of different time steps, and of diagnostics.

        Raises:
            UserError: A checkpoint is missing or incomplete, or does not fit the first.
        """
        if not paths:
            raise UserError("a forecast needs at least one model; pass a checkpoint")
        loaded = [Checkpoint.load(diagnostic) for diagnostic in diagnostics]
        return cls.from_checkpoint(*map(Checkpoint.load, paths), diagnostics=loaded)

    @property
    def spec(self) -> StateSpec:
        """What the channels of the state are."""
        return self.normalizer.spec

    @cached_property
    def output_spec(self) -> StateSpec:
        """What a forecast holds when all is kept: the channels of the state, then those of the diagnostics."""
        derived = [channel for diagnostic in self.diagnostics for channel in diagnostic.outputs]
        return StateSpec((*self.spec.channels, *derived), self.spec.grid)

    @cached_property
    def time_step(self) -> np.timedelta64:
        """The shortest step of the models, `timedelta64[ns]`."""
        return min(model.time_step for model in self.models)

    def plan(self, lead_times: np.ndarray) -> LeadPlan:
        """Return which model is called when, to reach `lead_times`, `timedelta64[ns]` [lead_time].

        Raises:
            UserError: Two models take the same step, or a lead cannot be reached.
        """
        return plan_to(lead_times, [model.time_step for model in self.models])

    def model_of(self, time_step: np.timedelta64) -> Model:
        """Return the model of a step."""
        return next(model for model in self.models if model.time_step == time_step)

    def propagate(self, states: Array, times: np.ndarray, durations: np.ndarray) -> Array:
        """Return states of any times after durations that may differ, by the fewest steps to each.

        Each has the path that it would have alone, and one program takes every step, whoever is still on the way, so
        that a member's result does not depend on the durations of the others.

        Args:
            states: Normalised, `[batch, channel, lat, lon]`.
            times: Of the states, `datetime64` [batch].
            durations: `timedelta64` [batch]; a state of duration 0 stays as it is.

        Raises:
            UserError: A duration cannot be reached by the models' steps.
        """
        paths = {duration: self.path(duration) for duration in np.unique(durations)}
        times = times.astype("datetime64[ns]")
        for position in range(max(map(len, paths.values()))):
            at_position = {duration: path[position] for duration, path in paths.items() if position < len(path)}
            steps = [at_position.get(duration) for duration in durations]
            for model, (graph, weights) in zip(self.models, self._split, strict=True):
                takes = np.array([step == model.time_step for step in steps])
                if takes.any():
                    states = _step(graph, weights, states, _forcing(model, times), takes)
                    times = times + takes * model.time_step
        return states

    def path(self, duration: np.timedelta64) -> list[np.timedelta64]:
        """Return the fewest steps that add up to a duration, in order; none for a duration of 0.

        Raises:
            UserError: None do.
        """
        if not duration:
            return []
        plan = self.plan(np.array([duration]))
        return [step * plan.unit for step in plan.path(plan.leads[-1])]

    @cached_property
    def _split(self) -> list[tuple[Any, Any]]:
        """Steps as graphs and weights."""
        return [nnx.split(model.step) for model in self.models]

    def describe(self) -> dict[str, Any]:
        """Return what the attributes of a forecast tell of its models, as JSON values."""
        return {
            "model_digest": self._digest,
            "provenance": [asdict(model.provenance) for model in self.models],
            "diagnostics": [asdict(diagnostic.provenance) for diagnostic in self.diagnostics],
        }

    @cached_property
    def _digest(self) -> str:
        """A fingerprint of all that a forecast follows from beside the analysis and the configuration."""
        statistics = self.normalizer.statistics
        digest = hashlib.sha256(self.output_spec.to_json().encode())
        a_time = np.array(["2000-01-01"], "datetime64[ns]")  # forcings then tell their names and static fields
        arrays: list[Any] = [statistics.mean, statistics.std, statistics.valid]
        for model in self.models:
            arrays += [model.forcings.at(a_time), model.time_step]
        if self.normalizer.climatology is not None:
            arrays.append(self.normalizer.climatology.coefficients)
        for module in (*(model.step for model in self.models), *(own.network for own in self.diagnostics)):
            digest.update("\n".join(static_settings(module)).encode())
            arrays += jax.tree.leaves(nnx.state(module))
        for array in arrays:
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def _forcing(model: Model, times: np.ndarray) -> np.ndarray:
    unique, index = np.unique(times, return_inverse=True)
    return model.forcings.at(unique)[index]


@partial(jax.jit, static_argnames="graph")
def _step(graph: Any, weights: Any, states: Array, forcing: Array, takes: Array) -> Array:
    following = nnx.merge(graph, weights)(states, forcing)
    return jnp.where(takes[:, None, None, None], following, states)
