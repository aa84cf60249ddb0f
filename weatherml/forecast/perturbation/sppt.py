"""Stochastically perturbed tendencies: what a model adds in a step, more or less of it by a random pattern."""

import math
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from pydantic import Field, PositiveFloat

from weatherml.data.statistics import Statistics
from weatherml.durations import DurationText, parse_duration
from weatherml.forecast.perturbation.base import PerturbationConfig, registry
from weatherml.models.random_field import RandomField


@registry.register("sppt")
class SpptConfig(PerturbationConfig):
    """The change over every step is multiplied by one plus a random pattern; see `StochasticTendencies`.

    `scale` is the pattern's standard deviation. Weather services perturb the tendencies of parametrised physics only;
    a data-driven step is the whole change, so that less is needed than their 0.5.

    Attributes:
        length: Correlation length of the pattern, km.
        decorrelation: Time after which the pattern's correlation is 1/e, such as `6h`.
    """

    name: Literal["sppt"] = "sppt"
    scale: float = Field(default=0.2, ge=0)
    length: PositiveFloat = 500.0
    decorrelation: DurationText = "6h"

    def tendencies(self, statistics: Statistics, tick: np.timedelta64) -> "StochasticTendencies":
        """Build what acts on every step."""
        field = RandomField.build(statistics.spec.grid, self.length)
        persistence = math.exp(-tick / parse_duration(self.decorrelation))
        return StochasticTendencies(jnp.asarray(self.factors(statistics)), field, jnp.float32(persistence))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class StochasticTendencies:
    """Multiplies the change over every step by one plus a pattern, as Palmer et al. (2009, ECMWF Tech. Memo. 598) do.

    The pattern is smooth in space and an AR(1) process in time, in which it has variance 1. All channels share it, so
    that a change keeps its shape through the column. It is the same whatever steps reach a time.

    Attributes:
        amplitude: Standard deviation of the factor, `[channel, lat, lon]`.
        field: Draws the pattern.
        persistence: Correlation of the pattern over one tick.
    """

    amplitude: Array
    field: RandomField
    persistence: Array

    @jax.jit
    def patterns(self, keys: Array, ticks: Array) -> Array:
        """Return patterns at some ticks of every member, `[n, batch, lat, lon]`.

        Args:
            keys: Random keys of the ticks 1, 2, ... `[tick, batch]`.
            ticks: Which patterns, `[n]`; counted from 1.
        """
        fresh = jnp.sqrt(1 - self.persistence**2)

        def innovations(keys: Array) -> Array:
            return jax.vmap(lambda key: self.field.draw_coefficients(key, 1)[0])(keys)

        def one_tick(tick: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
            coefficients, kept = carry
            coefficients = self.persistence * coefficients + fresh * innovations(keys[tick - 1])
            wanted = (ticks == tick)[:, None, None, None, None]
            return coefficients, jnp.where(wanted, coefficients, kept)

        first = innovations(keys[0])
        carry = first, jnp.broadcast_to(first, (len(ticks), *first.shape))
        _, kept = jax.lax.fori_loop(2, jnp.max(ticks) + 1, one_tick, carry)
        patterns: Array = jax.lax.map(self.field.evaluate, kept)
        return patterns

    def __call__(self, states: Array, following: Array, pattern: Array) -> Array:
        """Return the states after a step, `[batch, channel, lat, lon]`, whose change a pattern has scaled.

        Args:
            states: Before the step, `[batch, channel, lat, lon]`.
            following: After it, as the model has it.
            pattern: Of each member, `[batch, lat, lon]`; the factor 1 + amplitude * pattern is kept within 0 .. 2, so
                that no change turns round.
        """
        factor = jnp.clip(self.amplitude * pattern[:, None], -1, 1)
        return following + factor * (following - states)


@dataclass(frozen=True, eq=False)
class TendencyNoise:
    """The noise of one wave of members.

    Attributes:
        tendencies: What perturbs every step.
        keys: Random keys of the ticks 1, 2, ... `[tick, batch]`.
        numbers: Of the members, `[batch]`; the control, number 0, is not perturbed.
    """

    tendencies: StochasticTendencies
    keys: Array
    numbers: np.ndarray

    def during(self, ends: np.ndarray) -> Array:
        """Return patterns of steps that end at some ticks `[output, step]`, `[output, step, batch, lat, lon]`."""
        patterns: Array = self.tendencies.patterns(self.keys, ends.ravel())
        perturbed = jnp.where((self.numbers > 0)[:, None, None], patterns, 0)
        return perturbed.reshape(*ends.shape, *patterns.shape[1:])
