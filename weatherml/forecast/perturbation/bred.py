"""Bred vectors: differences that the model itself has grown (Toth and Kalnay 1993, 1997)."""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from pydantic import Field, PositiveFloat, PositiveInt

from weatherml.forecast.perturbation.base import Perturbation, PerturbationContext, registry
from weatherml.forecast.perturbation.noise import Noise, NoiseConfig, draw_batch, lineage
from weatherml.grid import LatLonGrid
from weatherml.models.noise.random_field import RandomField


@registry.register("bred")
class BredConfig(NoiseConfig):
    """Noise, grown and scaled back in cycles that end at the initial time.

    Each cycle takes an analysis and the same analysis with the perturbation through the model, and scales their
    difference back to the size that the noise had: its root mean square over area and channels, in units of each
    channel's amplitude. One factor for all keeps the difference's shape. A cycle starts from the latest analysis that
    its time has, or from the first there is; where there is one only, all cycles take that.

    Attributes:
        length: Correlation length of the noise that starts the cycles, km.
        cycles: How many.
        steps: Length of a cycle in (shortest) steps of the models.
    """

    name: Literal["bred"] = "bred"
    scale: float = Field(default=0.1, ge=0)
    paired: bool = True
    length: PositiveFloat = 500.0
    cycles: PositiveInt = 5
    steps: PositiveInt = 4

    def pattern(self, grid: LatLonGrid) -> RandomField:
        """Build what draws the noise that starts the cycles."""
        return RandomField.build(grid, self.length)

    def perturbation(self, context: PerturbationContext) -> Perturbation:
        """Build what acts on initial states."""
        return Breeding(self, context, self.build(context.statistics))

    def other_times(self, context: PerturbationContext) -> np.ndarray:
        """Return the times of the analyses that cycles start from, `datetime64[ns]` [time]."""
        cycles = np.arange(1, self.cycles + 1)[:, None] * self.steps * context.time_step
        return _latest(context, (context.init_times - cycles).ravel())


@dataclass(frozen=True, eq=False)
class Breeding:
    """Bred vectors for the members of a batch."""

    config: BredConfig
    context: PerturbationContext
    noise: Noise

    def __call__(self, states: Array, init_times: np.ndarray, numbers: np.ndarray) -> Array:
        """Return what to add to members, `[batch, channel, lat, lon]`; see `Perturbation`."""
        sources, signs = lineage(numbers, self.config.paired, self.context.n_models)
        vectors: Array = draw_batch(self.noise, self.context.keys(init_times, sources))
        duration = self.config.steps * self.context.time_step
        for cycle in range(self.config.cycles, 0, -1):
            vectors = self._grow(vectors, init_times - cycle * duration, duration)
        return jnp.asarray(signs)[:, None, None, None] * vectors

    def _grow(self, vectors: Array, times: np.ndarray, duration: np.timedelta64) -> Array:
        """Return the vectors after one cycle, in the size of the noise."""
        analyses, durations = self.context.analyses, np.full(len(times), duration)
        times = _latest(self.context, times)
        control = jnp.asarray(analyses.read_batch(times, np.zeros(len(times), np.int64)))
        perturbed = self.context.models.propagate(control + vectors, times, durations)
        grown = perturbed - self.context.models.propagate(control, times, durations)
        areas = self.context.statistics.spec.grid.area_weights()
        resized: Array = _resize(grown, self.noise.amplitude, areas)
        return resized


def _latest(context: PerturbationContext, times: np.ndarray) -> np.ndarray:
    """Return the latest analysis that each time has, or the first there is, `datetime64[ns]` [time]."""
    available = np.sort(context.analyses.times)
    latest: np.ndarray = available[np.maximum(np.searchsorted(available, times, side="right") - 1, 0)]
    return latest


@jax.jit
def _resize(vectors: Array, amplitude: Array, areas: Array) -> Array:
    """Scale `[batch, channel, lat, lon]` to a mean square of 1 in units of `amplitude`; zero where that is zero."""
    has_noise = amplitude > 0
    relative = jnp.where(has_noise, vectors / jnp.where(has_noise, amplitude, 1), 0)
    squares = jnp.sum(relative**2 * areas, axis=(1, 2, 3), keepdims=True) / jnp.sum(has_noise * areas)
    return jnp.where(squares > 0, relative * amplitude * jax.lax.rsqrt(squares), 0)
