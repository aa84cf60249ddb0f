"""Taking states of any times through any durations: what perturbations need that grow or age before a forecast."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from weatherml.forecast.plan.lead_plan import plan_to
from weatherml.forecast.rollout.model import Model


class Propagator:
    """The models of a forecaster, for members that do not move together.

    Args:
        models: Of different steps.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        self._models = models
        self._steps = [model.time_step for model in models]
        self._split = [nnx.split(model.step) for model in models]

    def __call__(self, states: Array, times: np.ndarray, durations: np.ndarray) -> Array:
        """Return the states after durations that may differ, by the fewest steps to each.

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
            for model, (graph, weights) in zip(self._models, self._split, strict=True):
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
        plan = plan_to(np.array([duration]), self._steps)
        return [step * plan.unit for step in plan.path(plan.leads[-1])]


def _forcing(model: Model, times: np.ndarray) -> np.ndarray:
    unique, index = np.unique(times, return_inverse=True)
    return model.forcings.at(unique)[index]


@partial(jax.jit, static_argnames="graph")
def _step(graph: Any, weights: Any, states: Array, forcing: Array, takes: Array) -> Array:
    following = nnx.merge(graph, weights)(states, forcing)
    return jnp.where(takes[:, None, None, None], following, states)
