"""Noise added to initial states: white, smooth on the sphere, or fractal."""

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Literal, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from pydantic import Field, PositiveFloat, PositiveInt

from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.forecast.perturbation.base import Perturbation, PerturbationConfig, PerturbationContext, registry
from weatherml.grid import LatLonGrid
from weatherml.models.noise.draws import normal
from weatherml.models.noise.perlin_field import PerlinField
from weatherml.models.noise.random_field import RandomField


class Pattern(Protocol):
    """Draws random fields; a pytree, so that it can pass into compiled functions."""

    def draw(self, key: Array, n_fields: int) -> Array:
        """Return independent fields of mean 0, `[n_fields, lat, lon]`."""


class NoiseConfig(PerturbationConfig):
    """What all noise has: `scale` is its standard deviation.

    Attributes:
        unit: `std`: standard deviations of each channel; `tendency`: standard deviations of its change over one step,
            which gives slowly varying channels less noise.
        paired: Members 2k - 1 and 2k get one noise with opposite signs, so that they centre on the control; where
            members take turns among models, those among the perturbed ones of each.
    """

    unit: Literal["std", "tendency"] = "std"
    paired: bool = False

    @abstractmethod
    def pattern(self, grid: LatLonGrid) -> Pattern:
        """Build what draws the noise of a channel."""

    def build(self, statistics: Statistics) -> "Noise":
        """Build for the channels and the grid of `statistics`.

        Raises:
            UserError: The unit is that of tendencies, whose size is not known; or an amplitude is of nothing there is.
        """
        unit = statistics.tendency_scale() if self.unit == "tendency" else np.ones_like(statistics.std)
        amplitude = self.factors(statistics) * unit[:, None, None]
        return Noise(jnp.asarray(amplitude, jnp.float32), self.pattern(statistics.spec.grid))

    def perturbation(self, context: PerturbationContext) -> Perturbation:
        """Build what acts on initial states."""
        return NoisyMembers(self.build(context.statistics), context, self.paired)


@registry.register("gaussian")
class GaussianConfig(NoiseConfig):
    """Noise independent at every point and channel, as FourCastNet's ensemble (arXiv 2202.11214, section 4.3)."""

    name: Literal["gaussian"] = "gaussian"
    scale: float = Field(default=0.3, ge=0)

    def pattern(self, grid: LatLonGrid) -> "WhiteField":
        """Build what draws the noise of a channel."""
        return WhiteField(grid.shape)


@registry.register("spherical")
class SphericalConfig(NoiseConfig):
    """Noise that is smooth on the sphere, independent between channels.

    White noise dies within the first steps, since models and atmosphere damp the smallest scales; noise on the scale of
    weather systems grows.

    Attributes:
        length: Correlation length, km.
        smoothness: Matérn's: fields have fewer derivatives than this; without end smooth when None.
    """

    name: Literal["spherical"] = "spherical"
    scale: float = Field(default=0.1, ge=0)
    length: PositiveFloat = 500.0
    smoothness: PositiveFloat | None = None

    def pattern(self, grid: LatLonGrid) -> RandomField:
        """Build what draws the noise of a channel."""
        return RandomField.build(grid, self.length, self.smoothness)


@registry.register("perlin")
class PerlinConfig(NoiseConfig):
    """Fractal gradient noise, as Pangu-Weather's ensemble (arXiv 2211.02556); its parameters are the defaults.

    `scale` is what the noise is multiplied by, as published, not its standard deviation: that is 0.35 of it with three
    octaves of persistence 0.5 (0.305 times the root of the sum of persistence^2k).

    Attributes:
        periods: Wavelengths of the first octave from pole to pole, and around the Earth.
        octaves: How often the wavelength is halved, plus one.
        persistence: Amplitude of an octave over that of the one before.
    """

    name: Literal["perlin"] = "perlin"
    scale: float = Field(default=0.2, ge=0)
    periods: PositiveInt = 12
    octaves: PositiveInt = 3
    persistence: PositiveFloat = 0.5

    def pattern(self, grid: LatLonGrid) -> PerlinField:
        """Build what draws the noise of a channel."""
        return PerlinField.build(grid, self.periods, self.octaves, self.persistence)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class WhiteField:
    """Draws normal numbers, independent at every point of a grid of `shape` (lat, lon)."""

    shape: tuple[int, int] = field(metadata={"static": True})

    def draw(self, key: Array, n_fields: int) -> Array:
        """Return independent fields `[n_fields, lat, lon]`."""
        return normal(key, (n_fields, *self.shape))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Noise:
    """Noise for one member; `amplitude` is `[channel, lat, lon]`, 0 where not valid."""

    amplitude: Array
    pattern: Pattern

    def draw(self, key: Array) -> Array:
        """Return noise in normalised units, `[channel, lat, lon]`."""
        return self.amplitude * self.pattern.draw(key, len(self.amplitude))


@dataclass(frozen=True, eq=False)
class NoisyMembers:
    """Noise for the members of a batch."""

    noise: Noise
    context: PerturbationContext
    paired: bool

    def __call__(self, states: Array, init_times: np.ndarray, numbers: np.ndarray) -> Array:
        """Return what to add to members, `[batch, channel, lat, lon]`; see `Perturbation`."""
        sources, signs = lineage(numbers, self.paired, self.context.n_models)
        noise: Array = draw_batch(self.noise, self.context.keys(init_times, sources))
        return jnp.asarray(signs)[:, None, None, None] * noise


def lineage(numbers: np.ndarray, paired: bool, n_models: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return whose random keys each member has, and the sign of its perturbation, float32; all `[batch]`.

    Without pairs that is its own, and positive. In a pair it is the first one's, and the second one's sign is negative.
    Two members of one model that follow each other are a pair; number 0, the control, is in none.
    """
    if not paired:
        return numbers, np.ones(len(numbers), np.float32)
    turns = numbers // n_models + (numbers % n_models > 0)  # from 1 for the perturbed members of each model
    is_first = turns % 2 == 1
    sources = np.where(is_first, numbers, np.maximum(numbers - n_models, 0))
    return sources, np.where(is_first, 1, -1).astype(np.float32)


@jax.jit
def draw_batch(noise: Noise, keys: Array) -> Array:
    """Return the noise of each key, `[batch, channel, lat, lon]`."""
    return jax.vmap(noise.draw)(keys)
