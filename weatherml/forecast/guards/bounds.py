"""Plausible bounds, step by step inside the compiled rollout, and the record of the members that they have stopped."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from weatherml.forecast.guards.units import Units
from weatherml.state import Channel
from weatherml.variables import find


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Failure:
    """When and by what members stopped.

    Attributes:
        tick: End of the step after which a member is not to be used, in ticks of the plan, int32 `[batch]`; 0 while it
            goes on.
        channel: The first that was wrong, int32 `[batch]`.
        value: Its worst value, SI units, `[batch]`; not finite where the state no longer was.
    """

    tick: Array
    channel: Array
    value: Array

    @classmethod
    def none(cls, n_slots: int) -> Self:
        """Return that all go on."""
        nothing = np.zeros(n_slots, np.int32)
        return cls(jnp.array(nothing), jnp.array(nothing), jnp.array(nothing, jnp.float32))

    def earlier(self, other: "Failure") -> "Failure":
        """Return the earlier one of each member."""
        is_first = (self.tick > 0) & ((other.tick == 0) | (self.tick <= other.tick))
        merged: Failure = jax.tree.map(lambda own, others: jnp.where(is_first, own, others), self, other)
        return merged


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Members:
    """What a batch of members carries from step to step.

    Attributes:
        states: Normalised, `[batch, channel, lat, lon]`; NaN throughout where a member has stopped.
        failure: When and by what that was.
        remembered: For each step modifier what it keeps of the initial states.
    """

    states: Array
    failure: Failure
    remembered: tuple[Any, ...]

    @classmethod
    def at(cls, states: Array, remembered: tuple[Any, ...]) -> Self:
        """Return members that all go on."""
        return cls(states, Failure.none(len(states)), remembered)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Bounds:
    """Stops members whose states are not finite, or leave a plausible range.

    Attributes:
        units: Of the state.
        minimum: Least value of a member that goes on, SI units `[channel]`.
        maximum: Greatest value.
    """

    units: Units
    minimum: Array
    maximum: Array

    @classmethod
    def build(cls, channels: Iterable[Channel], units: Units, has_limits: bool) -> Self:
        """Build for states of some channels; without limits all that is finite goes on."""
        return cls(units, *map(jnp.asarray, _limits(channels, has_limits)))

    def __call__(self, members: Members, states: Array, terms: ArrayLike, tick: ArrayLike) -> Members:
        """Return the members after a step to `states`; one that stops is NaN in every channel and cell.

        Args:
            members: Before it.
            states: After it, `[batch, channel, lat, lon]`.
            terms: Of the reference after it, `[batch, term]`.
            tick: When it ends.
        """
        failure = members.failure.earlier(self._failure(states, self.units.reference(terms), tick))
        goes_on = (failure.tick == 0)[:, None, None, None]
        return Members(jnp.where(goes_on, states, jnp.nan), failure, members.remembered)

    def _failure(self, states: Array, reference: Array, tick: ArrayLike) -> Failure:
        """Judge states by their values in SI units, at valid cells only."""
        physical, valid = self.units.physical(states, reference), self.units.valid
        low = jnp.min(physical, axis=(2, 3), where=valid, initial=jnp.inf)
        high = jnp.max(physical, axis=(2, 3), where=valid, initial=-jnp.inf)
        is_wrong = ~((low >= self.minimum) & (high <= self.maximum))  # true for NaN, too
        channel = jnp.argmax(is_wrong, axis=1).astype(jnp.int32)
        value = jnp.take_along_axis(jnp.where(high > self.maximum, high, low), channel[:, None], axis=1)[:, 0]
        return Failure(jnp.where(is_wrong.any(axis=1), tick, 0), channel, value)


def describe_failure(channel: Channel, value: float) -> str:
    """Say by what a member stopped."""
    variable = find(channel.variable)
    if not np.isfinite(value):
        return f"{channel}, which is no longer finite"
    if value > variable.maximum:
        return f"{channel}: {value:.4g} {variable.units} above {variable.maximum:g}"
    return f"{channel}: {value:.4g} {variable.units} below {variable.minimum:g}"


def _limits(channels: Iterable[Channel], has_bounds: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the greatest values, float32 `[channel]`; those of finite numbers without bounds."""
    variables = [find(channel.variable) for channel in channels]
    if not has_bounds:
        largest = np.full(len(variables), np.finfo(np.float32).max)
        return -largest, largest
    minimum, maximum = np.array([(variable.minimum, variable.maximum) for variable in variables], np.float32).T
    return minimum, maximum
