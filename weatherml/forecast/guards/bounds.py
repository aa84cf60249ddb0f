"""What keeps members physical, step by step inside the compiled rollout, and stops those that are not."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from weatherml.config import Config
from weatherml.data.normalization import Normalizer
from weatherml.durations import DurationText
from weatherml.errors import UserError
from weatherml.forecast.guards.conservation import Conserved, build_conserved
from weatherml.forecast.guards.units import Units
from weatherml.state import Channel
from weatherml.variables import find

NONNEGATIVE = (
    "specific_humidity",
    "relative_humidity",
    "total_column_water_vapour",
    "total_precipitation",
    "total_precipitation_6hr",
)
"""Variables that are never below zero, though models and analyses may have them so."""


class GuardsConfig(Config):
    """What is seen to in every step of a forecast.

    A member whose state is no longer finite always stops: it is NaN from that step on, and the others go on.

    Attributes:
        bounds: Stop a member whose state leaves the plausible range of a variable, too.
        nonnegative: Lift humidity and precipitation to zero where they are below.
        conserve: What keeps the area mean of the initial state by a uniform shift: `dry_air`, channels or variables.
        relaxation: Time in which a departure from the normalisation's reference (climatology or mean) is drawn to 1/e
            of itself, such as `50d`; for runs of months. None draws nothing.
    """

    bounds: bool = True
    nonnegative: bool = True
    conserve: tuple[str, ...] = ()
    relaxation: DurationText | None = None

    def floor(self, channels: Iterable[Channel]) -> np.ndarray:
        """Return what the values of channels are lifted to, SI units, float32 `[channel]`; -inf where they are not."""
        lifts = [self.nonnegative and channel.variable in NONNEGATIVE for channel in channels]
        return np.where(lifts, 0, -np.inf).astype(np.float32)


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
        conserved: Area means to keep, those of the initial states, SI units `[batch, conserved]`.
    """

    states: Array
    failure: Failure
    conserved: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Guards:
    """What is done to every state that a model gives.

    Attributes:
        units: Of the state.
        floor: What values are lifted to, SI units `[channel]`; -inf where they are not.
        minimum: Least value of a member that goes on, SI units `[channel]`.
        maximum: Greatest value.
        conserved: Area means that are kept.
    """

    units: Units
    floor: Array
    minimum: Array
    maximum: Array
    conserved: tuple[Conserved, ...]

    @classmethod
    def build(cls, config: GuardsConfig, normalizer: Normalizer) -> Self:
        """Build for states that `normalizer` has normalised.

        Raises:
            UserError: `conserve` names what is not there, or what a shift could take below zero.
        """
        channels, units = normalizer.spec.channels, Units.build(normalizer)
        floor = config.floor(channels)
        conserved = build_conserved(config.conserve, normalizer.spec, units)
        for one in conserved:
            if floor[one.channels[0]] == 0:
                name = channels[one.channels[0]]
                raise UserError(f"conserve {name}: a shift can take it below zero; leave it out, or nonnegative: false")
        minimum, maximum = map(jnp.asarray, _limits(channels, config.bounds))
        return cls(units, jnp.asarray(floor), minimum, maximum, conserved)

    def begin(self, states: Array, terms: ArrayLike) -> Members:
        """Return members with initial states `[batch, channel, lat, lon]`; `terms [batch, term]` are of their times."""
        means = [_mean(one, states, terms) for one in self.conserved]
        kept = jnp.stack(means, axis=1) if means else jnp.zeros((len(states), 0), states.dtype)
        return Members(states, Failure.none(len(states)), kept)

    def __call__(self, members: Members, following: Array, terms: ArrayLike, tick: ArrayLike) -> Members:
        """Return the members after a step.

        Args:
            members: Before it.
            following: What a model has made of their states, `[batch, channel, lat, lon]`.
            terms: Of the reference after it, `[batch, term]`.
            tick: When it ends.
        """
        reference = self.units.reference(terms)
        states = self._lifted(following, reference)
        for position, one in enumerate(self.conserved):
            states = one.restore(states, terms, members.conserved[:, position])
        failure = members.failure.earlier(self._failure(states, reference, tick))
        goes_on = (failure.tick == 0)[:, None, None, None]
        return Members(jnp.where(goes_on, states, jnp.nan), failure, members.conserved)

    def _lifted(self, states: Array, reference: Array) -> Array:
        """Lift what is finite to the floor."""
        floor, scale = self.floor[:, None, None], self.units.scale[:, None, None]
        is_below = (self.units.physical(states, reference) < floor) & jnp.isfinite(states)
        return jnp.where(is_below, (floor - reference) / scale, states)

    def _failure(self, states: Array, reference: Array, tick: ArrayLike) -> Failure:
        """Judge states by their values in SI units, at valid cells only."""
        physical, valid = self.units.physical(states, reference), self.units.valid
        low = jnp.min(physical, axis=(2, 3), where=valid, initial=jnp.inf)
        high = jnp.max(physical, axis=(2, 3), where=valid, initial=-jnp.inf)
        is_wrong = ~((low >= self.minimum) & (high <= self.maximum))  # true for NaN, too
        channel = jnp.argmax(is_wrong, axis=1).astype(jnp.int32)
        value = jnp.take_along_axis(jnp.where(high > self.maximum, high, low), channel[:, None], axis=1)[:, 0]
        return Failure(jnp.where(is_wrong.any(axis=1), tick, 0), channel, value)


@jax.jit
def _mean(conserved: Conserved, states: Array, terms: ArrayLike) -> Array:
    return conserved.mean(states, terms)


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
