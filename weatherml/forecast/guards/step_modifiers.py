"""What acts on every step beside the model: modifiers, one after the other, then the bounds that stop a member.

A modifier is a pytree with `remember` and `__call__`; a new one is a class like those below and one line where the list
of them is made (`guard_modifiers`, or `RolloutSetup.modifiers` for what perturbs).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from weatherml.config import Config
from weatherml.data.statistics.normalization import Normalizer
from weatherml.durations import DurationText, parse_duration
from weatherml.errors import UserError
from weatherml.forecast.guards.conservation import build_conserved
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

    def __call__(self, members: Members, states: Array, step: "StepInputs") -> Members:
        """Return the members after a step to `states [batch, channel, lat, lon]`; one that stops is NaN throughout."""
        failure = members.failure.earlier(self._failure(states, step.reference, step.tick))
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


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class StepInputs:
    """What calls of a model are given, by call; what depends on the time alone is there once for each initial time.

    Attributes:
        forcing: At the time that each call starts from, `[call, init_time, forcing, lat, lon]`.
        terms: Of the reference at the time where it ends, `[call, init_time, term]`.
        tick: That time in units of the plan, int32 `[call]`.
        place: Among the outputs of the segment, int32 `[call]`; beyond them where nothing is kept.
        pattern: Of tendencies, as coefficients `[call, batch, 2, order, degree]`; None where nothing perturbs them.
        draws: Of random maps, `[call, batch]`; None where a model is told none.
        init: Which initial time each member has, int32 `[batch]`.
        units: How many units of the plan a call takes, int32.
        reference: What a zero is where a call ends, SI units; known to what acts on its step.
    """

    forcing: Array | np.ndarray
    terms: Array | np.ndarray
    tick: Array | np.ndarray
    place: Array | np.ndarray
    pattern: Any
    draws: Any
    init: Array | np.ndarray
    units: Array | np.ndarray
    reference: Any = None

    def at(self, call: Array) -> "StepInputs":
        """Return those of one call, whose forcings and terms have the axis `batch` in place of `init_time`."""
        by_call = (self.forcing, self.terms, self.tick, self.place, self.pattern, self.draws)
        forcing, terms, tick, place, pattern, draws = jax.tree.map(lambda values: values[call], by_call)
        return StepInputs(forcing[self.init], terms[self.init], tick, place, pattern, draws, self.init, self.units)


class StepModifier(Protocol):
    """Changes what a model has made of a batch of states; a pytree."""

    def remember(self, states: Array, terms: ArrayLike) -> Any:
        """Return what to remember of the initial states `[batch, channel, lat, lon]`, whatever first axis `batch`."""

    def __call__(self, remembered: Any, before: Array, following: Array, step: StepInputs) -> Array:
        """Return the states after a step, from those before it and those that came of it so far."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class StepModifiers:
    """Modifiers in the order in which they act, and the bounds that judge what comes of them."""

    modifiers: tuple[StepModifier, ...]
    bounds: Bounds

    def begin(self, states: Array, terms: ArrayLike) -> Members:
        """Return members with initial states `[batch, channel, lat, lon]`; `terms [batch, term]` are of their times."""
        return Members.at(states, tuple(modifier.remember(states, terms) for modifier in self.modifiers))

    def __call__(self, members: Members, following: Array, step: StepInputs) -> Members:
        """Return the members after a step of whose states a model has made `following [batch, channel, lat, lon]`."""
        step = replace(step, reference=self.bounds.units.reference(step.terms))
        for modifier, remembered in zip(self.modifiers, members.remembered, strict=True):
            following = modifier(remembered, members.states, following, step)
        return self.bounds(members, following, step)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Relaxation:
    """Draws states to the reference of normalisation.

    Attributes:
        steps: Of the models, in units of the plan, int32 `[model]`.
        remaining: What each leaves of a departure, `[model]`.
    """

    steps: Array
    remaining: Array

    @classmethod
    def build(cls, time: str, steps: Sequence[int], unit: np.timedelta64) -> Self:
        """Build for departures that are 1/e of themselves after `time`, and steps of so many units."""
        remaining = np.exp(-np.array(steps) * unit / parse_duration(time))
        return cls(jnp.array(steps, jnp.int32), jnp.array(remaining, jnp.float32))

    def remember(self, states: Array, terms: ArrayLike) -> None:
        """Remember nothing."""

    def __call__(self, remembered: None, before: Array, following: Array, step: StepInputs) -> Array:
        """Return states nearer to zero, which is the reference."""
        return following * self.remaining[jnp.argmax(self.steps == step.units)]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Floor:
    """Lifts what is below zero where it cannot be.

    Attributes:
        floor: SI units `[channel]`; -inf where nothing is lifted.
        scale: What one unit of each channel is, `[channel]`.
    """

    floor: Array
    scale: Array

    def remember(self, states: Array, terms: ArrayLike) -> None:
        """Remember nothing."""

    def __call__(self, remembered: None, before: Array, following: Array, step: StepInputs) -> Array:
        """Return states of which all that is finite is at or above the floor."""
        floor, scale = self.floor[:, None, None], self.scale[:, None, None]
        is_below = (following * scale + step.reference < floor) & jnp.isfinite(following)
        return jnp.where(is_below, (floor - step.reference) / scale, following)


def guard_modifiers(
    config: GuardsConfig, normalizer: Normalizer, units: Units, steps: Sequence[int], unit: np.timedelta64
) -> list[StepModifier]:
    """Return what keeps states of `normalizer` physical, in the order in which it acts.

    Args:
        config: What is asked for.
        normalizer: Of the states.
        units: Of the states.
        steps: Of the models, in units of the plan.
        unit: Of the plan.

    Raises:
        UserError: `conserve` names what is not there, or what a shift could take below zero; or a duration is none.
    """
    channels = normalizer.spec.channels
    floor = config.floor(channels)
    conserved = build_conserved(config.conserve, normalizer.spec, units) if config.conserve else ()
    for one in conserved:
        if floor[one.channels[0]] == 0:
            name = channels[one.channels[0]]
            raise UserError(f"conserve {name}: a shift can take it below zero; leave it out, or nonnegative: false")
    relaxation = [] if config.relaxation is None else [Relaxation.build(config.relaxation, steps, unit)]
    return [*relaxation, Floor(jnp.asarray(floor), units.scale), *conserved]
