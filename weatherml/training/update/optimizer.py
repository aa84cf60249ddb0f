"""How weights change: AdamW with clipped gradients, and the running average of the weights that forecasts use."""

import re
from collections.abc import Callable, Sequence

import jax.numpy as jnp
import optax
from jax import Array
from pydantic import Field, NonNegativeFloat, PositiveFloat

from weatherml.config import Config
from weatherml.models.weights import Weights
from weatherml.training.curriculum.learning_rate import learning_rate_schedule
from weatherml.training.curriculum.stages import Stage
from weatherml.training.update import moments
from weatherml.training.update.device_memory import Moments

_SCALING: dict[Moments, Callable[[float, float], optax.GradientTransformation]] = {
    "float32": moments.adam,
    "bfloat16": moments.adam_in_bfloat16,
    "factored": moments.factored_adam,
}

_MULTIPLIES_ACTIVATIONS = re.compile(r"kernel|weight|w\d+")


class OptimizerConfig(Config):
    """AdamW (arXiv 1711.05101) under a schedule.

    Attributes:
        weight_decay: Decoupled; pulls only on weights that multiply activations, not on norms, biases or positions.
        beta1: Memory of the mean gradient.
        beta2: Memory of the squared gradient.
        clip_norm: Gradients with a larger global norm are scaled down to it.
        warm_up: Share of every stage in which the learning rate rises.
    """

    weight_decay: NonNegativeFloat = 0.01
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.99, ge=0, lt=1)
    clip_norm: PositiveFloat = 1.0
    warm_up: float = Field(default=0.05, ge=0, lt=1)

    def build(self, stages: Sequence[Stage], kept: Moments = "float32") -> optax.GradientTransformation:
        """Build the transformation of gradients into changes of the weights, with moments `kept` in so many bytes."""
        adamw = optax.chain(
            _SCALING[kept](self.beta1, self.beta2),
            optax.add_decayed_weights(self.weight_decay, decays),
            optax.scale_by_learning_rate(learning_rate_schedule(stages, self.warm_up)),
        )
        return optax.chain(optax.clip_by_global_norm(self.clip_norm), adamw)


def decays(weights: Weights) -> dict[str, bool]:
    """Return which weights decay: those whose own name is `kernel`, `weight`, or `w` and a number."""
    return {name: bool(_MULTIPLIES_ACTIVATIONS.fullmatch(name.rpartition(".")[2])) for name in weights}


def update_average(average: Weights, weights: Weights, step: Array, decay: float) -> Weights:
    """Return the running average after one more set of weights.

    The memory grows with the number of steps until it reaches `decay`, so the average is of the recent weights from
    the first step on and needs no correction for where it began.

    Args:
        average: Before.
        weights: To take in.
        step: Completed optimiser steps, scalar.
        decay: Memory in the long run; the average reaches back about 1 / (1 - decay) steps.
    """
    memory = jnp.minimum(decay, (1 + step) / (10 + step))
    return {name: array + memory * (average[name] - array) for name, array in weights.items()}
