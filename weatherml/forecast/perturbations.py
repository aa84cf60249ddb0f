"""What makes the members of an ensemble differ: noise added to the normalised initial state."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from pydantic import BeforeValidator, Field, PositiveFloat, SerializeAsAny

from weatherml.config import Config, from_registry
from weatherml.data.statistics import Statistics
from weatherml.forecast.spherical import RandomField
from weatherml.registry import Registry


class Perturbation(Protocol):
    """Perturbs one member; a pytree, so that it can pass into compiled functions."""

    def __call__(self, state: Array, key: Array) -> Array:
        """Return the perturbed normalised state `[channel, lat, lon]`."""


class PerturbationConfig(Config):
    """What every perturbation has: a name and an amplitude.

    Attributes:
        name: The key in the registry.
        scale: Standard deviation of the noise in `unit`.
        unit: `std`: standard deviations of each channel; `tendency`: standard deviations of its change over one step,
            which gives slowly varying channels less noise.
    """

    name: str
    scale: float = Field(ge=0)
    unit: Literal["std", "tendency"] = "std"

    @abstractmethod
    def build(self, statistics: Statistics) -> Perturbation:
        """Build for the channels and the grid of `statistics`."""

    def amplitude(self, statistics: Statistics) -> np.ndarray:
        """Return the standard deviation in normalised units, float32 `[channel, lat, lon]`, 0 where not valid.

        Raises:
            UserError: The unit is that of tendencies, whose size is not known.
        """
        unit = statistics.tendency_scale() if self.unit == "tendency" else 1.0
        per_channel = np.broadcast_to(self.scale * unit, statistics.std.shape)
        amplitude: np.ndarray = (per_channel[:, None, None] * statistics.valid).astype(np.float32)
        return amplitude


registry: Registry[type[PerturbationConfig]] = Registry("perturbation")

AnyPerturbation = Annotated[SerializeAsAny[PerturbationConfig], BeforeValidator(from_registry(registry))]
"""A configuration field that takes any registered perturbation, by name alone or with its parameters."""


@registry.register("gaussian")
class GaussianConfig(PerturbationConfig):
    """Noise independent at every point and channel, as FourCastNet's ensemble (arXiv 2202.11214, section 4.3)."""

    name: Literal["gaussian"] = "gaussian"
    scale: float = Field(default=0.3, ge=0)

    def build(self, statistics: Statistics) -> Perturbation:
        """Build for the channels and the grid of `statistics`."""
        return Gaussian(jnp.asarray(self.amplitude(statistics)))


@registry.register("spherical")
class SphericalConfig(PerturbationConfig):
    """Noise that is smooth on the sphere, independent between channels.

    White noise dies within the first steps, since models and atmosphere damp the smallest scales; noise on the scale of
    weather systems grows.

    Attributes:
        length: Correlation length, km.
    """

    name: Literal["spherical"] = "spherical"
    scale: float = Field(default=0.1, ge=0)
    length: PositiveFloat = 500.0

    def build(self, statistics: Statistics) -> Perturbation:
        """Build for the channels and the grid of `statistics`."""
        field = RandomField.build(statistics.spec.grid, self.length)
        return Spherical(jnp.asarray(self.amplitude(statistics)), field)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Gaussian:
    """White noise; `amplitude` is `[channel, lat, lon]`."""

    amplitude: Array

    def __call__(self, state: Array, key: Array) -> Array:
        """Return the perturbed normalised state `[channel, lat, lon]`."""
        return state + self.amplitude * jax.random.normal(key, state.shape)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Spherical:
    """Smooth noise; `amplitude` is `[channel, lat, lon]`."""

    amplitude: Array
    field: RandomField

    def __call__(self, state: Array, key: Array) -> Array:
        """Return the perturbed normalised state `[channel, lat, lon]`."""
        return state + self.amplitude * self.field.draw(key, len(state))
