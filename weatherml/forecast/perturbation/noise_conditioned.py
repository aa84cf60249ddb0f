"""The perturbation of models that were trained to be told random maps: every member is told its own in every step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from pydantic import Field, model_validator

from weatherml.forecast.perturbation.base import PerturbationConfig, member_keys, registry, step_keys
from weatherml.models import NoiseMaps

# Folded into a member's key of a tick, from which stochastic tendencies draw their pattern.
_MAPS = 1


@registry.register("noise_conditioned")
class NoiseConditionedConfig(PerturbationConfig):
    """Members are told random maps of their own in every step, by a model that was trained on them by CRPS.

    What the maps do, in which channel and how strongly, is the model's to know: there is no `amplitude`. `scale` is
    what they are multiplied by; as it was trained, a model is told maps of scale 1.
    """

    name: Literal["noise_conditioned"] = "noise_conditioned"
    scale: float = Field(default=1.0, ge=0)

    @model_validator(mode="after")
    def _is_the_same_for_all_channels(self) -> Self:
        if self.amplitude:
            raise ValueError("amplitude is of channels, which random maps do not have; leave it out, or change scale")
        return self

    @property
    def map_scale(self) -> float:
        """What the random maps of models are multiplied by."""
        return self.scale


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Draws:
    """Which random maps members are told; both `[..., batch]`.

    Attributes:
        keys: What the maps are drawn from.
        scale: What they are multiplied by; zero for a control.
    """

    keys: Array
    scale: Array

    @classmethod
    def at(cls, ticks: np.ndarray, seed: int, init_times: np.ndarray, numbers: np.ndarray, scale: float) -> Self:
        """Return the draws of the calls that end at some ticks, of any shape, `[*ticks, batch]`.

        Args:
            ticks: Counted from 1 at the initial time.
            seed: Of the ensemble.
            init_times: `datetime64` [batch].
            numbers: Of the members [batch].
            scale: Of the maps of all members but number 0.
        """
        keys = step_keys(member_keys(seed, init_times, numbers), ticks)
        own = jax.vmap(jax.random.fold_in, (0, None))(keys.ravel(), _MAPS).reshape(keys.shape)
        scales = np.where(numbers > 0, np.float32(scale), np.float32(0))
        return cls(own, jnp.asarray(np.broadcast_to(scales, keys.shape)))


class Maps(nnx.Variable[NoiseMaps]):
    """What draws the random maps of a step."""


class ConditionedStep(nnx.Module):
    """A step that draws the random maps that it is told.

    Args:
        step: Takes them as `noise`.
        maps: Draws them.
    """

    def __init__(self, step: Callable[..., Array], maps: NoiseMaps) -> None:
        self.step, self.maps = step, Maps(maps)

    def __call__(self, state: Array, forcing: Array, draws: Draws | None = None) -> Array:
        """Return the next state `[batch, channel, lat, lon]`; of a control when `draws` is None."""
        noise = None if draws is None else draws.scale[:, None, None, None] * self.maps.get_value().draw(draws.keys)
        return self.step(state, forcing, noise=noise)
