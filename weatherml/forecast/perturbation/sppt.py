"""Stochastically perturbed tendencies: what a model adds in a step, more or less of it by a random pattern."""

import math
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from pydantic import Field, PositiveFloat

from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.durations import DurationText, parse_duration
from weatherml.forecast.guards.step_modifiers import StepInputs
from weatherml.forecast.perturbation.base import PerturbationConfig, registry, step_keys
from weatherml.models.noise.random_field import RandomField


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
    def begin(self, keys: Array) -> Array:
        """Return the coefficients of the patterns at tick 1, `[batch, 2, order, degree]`, from keys of members [batch].

        Ticks are counted from 1, where the first step ends.
        """
        return self._innovations(keys, jnp.int32(1))

    @jax.jit
    def advance(self, coefficients: Array, keys: Array, tick: Array, ticks: Array) -> tuple[Array, Array]:
        """Take the patterns of a batch of members from one tick to others.

        Args:
            coefficients: Of the patterns at `tick`, `[batch, 2, order, degree]`.
            keys: Random keys of the members, `[batch]`.
            tick: Where the process is.
            ticks: That one and later ones, `[n]`, in any order.

        Returns:
            The coefficients at the last of `ticks`, and those at each, `[n, batch, 2, order, degree]`.
        """
        share = jnp.sqrt(1 - self.persistence**2)

        def keep(coefficients: Array, kept: Array, tick: Array) -> Array:
            place = jnp.where(jnp.any(ticks == tick), jnp.argmax(ticks == tick), len(ticks))
            return kept.at[place].set(coefficients, mode="drop")

        def one_tick(tick: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
            coefficients = self.persistence * carry[0] + share * self._innovations(keys, tick)
            return coefficients, keep(coefficients, carry[1], tick)

        kept = keep(coefficients, jnp.zeros((len(ticks), *coefficients.shape)), tick)
        last, kept = jax.lax.fori_loop(tick + 1, jnp.max(ticks) + 1, one_tick, (coefficients, kept))
        return last, kept[jnp.argmax(ticks[:, None] == ticks, axis=1)]  # a tick that comes twice is kept once

    def _innovations(self, keys: Array, tick: Array) -> Array:
        return jax.vmap(lambda key: self.field.draw_coefficients(key, 1)[0])(step_keys(keys, tick))

    def remember(self, states: Array, terms: ArrayLike) -> None:
        """Remember nothing; see `StepModifier`."""

    def __call__(self, remembered: None, before: Array, following: Array, step: StepInputs) -> Array:
        """Return the states after a step, `[batch, channel, lat, lon]`, whose change its pattern has scaled."""
        return self.scale_change(before, following, self.field.evaluate(step.pattern))

    def scale_change(self, states: Array, following: Array, pattern: Array) -> Array:
        """Return the states after a step; as `__call__`, but for patterns `[batch, lat, lon]`.

        The factor 1 + amplitude * pattern is kept within 0 .. 2, so that no change turns round.
        """
        factor = jnp.clip(self.amplitude * pattern[:, None], -1, 1)
        return following + factor * (following - states)


class TendencyNoise:
    """The noise of one batch of members, which goes on from where it was.

    Args:
        tendencies: What perturbs every step.
        keys: Random keys of the members, `[batch]`.
        numbers: Of the members, `[batch]`; the control, number 0, is not perturbed.
    """

    def __init__(self, tendencies: StochasticTendencies, keys: Array, numbers: np.ndarray) -> None:
        self._tendencies, self._is_perturbed = tendencies, numbers > 0
        # What does not lie where the process runs would be compiled for once more.
        self._keys = jax.device_put(keys, tendencies.persistence.sharding)
        self._tick, self._coefficients = 1, tendencies.begin(self._keys)

    def during(self, ends: np.ndarray) -> Array:
        """Return the patterns of steps that end at some ticks `[output, step]`, as coefficients.

        They are the same whatever was asked for before; only earlier ticks than that take the process to its beginning.

        Returns:
            `[output, step, batch, 2, order, degree]`.
        """
        if ends.min() < self._tick:
            self._tick, self._coefficients = 1, self._tendencies.begin(self._keys)
        ticks, tick = ends.ravel().astype(np.int32), np.int32(self._tick)
        self._coefficients, kept = self._tendencies.advance(self._coefficients, self._keys, tick, ticks)
        self._tick = int(ends.max())
        perturbed = jnp.where(self._is_perturbed[:, None, None, None], kept, 0)
        return perturbed.reshape(*ends.shape, *kept.shape[1:])
