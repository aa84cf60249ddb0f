"""What makes the members of an ensemble differ: what a perturbation is, and the registry of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Protocol, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from pydantic import BeforeValidator, Field, NonNegativeFloat, PlainSerializer, SerializeAsAny

from weatherml.config import Config, from_registry
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.forecast.analyses import Analyses
from weatherml.registry import Registry
from weatherml.state import StateSpec, channels_named, full_name
from weatherml.times import hours_since_1970

if TYPE_CHECKING:
    from weatherml.forecast.perturbation.sppt import StochasticTendencies


class Propagator(Protocol):
    """Takes states through durations of their own; what becomes of one does not depend on the others."""

    def propagate(self, states: Array, times: np.ndarray, durations: np.ndarray) -> Array:
        """Return the states after durations.

        Args:
            states: Normalised, `[batch, channel, lat, lon]`.
            times: Of the states, `datetime64` [batch].
            durations: `timedelta64` [batch].

        Raises:
            UserError: A duration cannot be reached by the models' steps.
        """

    def path(self, duration: np.timedelta64) -> Sequence[np.timedelta64]:
        """Return the steps through a duration, in order.

        Raises:
            UserError: It cannot be reached by the models' steps.
        """


@dataclass(frozen=True, eq=False)
class PerturbationContext:
    """What a perturbation may lean on.

    Attributes:
        statistics: Of the states: channels, grid, and the units of amplitudes.
        analyses: Where initial states come from.
        init_times: All that are asked for, `datetime64[ns]` [init_time].
        numbers: All that are asked for of the members that `models` make, [number]; there may be none.
        seed: Of all random numbers, below 2³².
        models: Take states through durations.
        time_step: The shortest duration that they step, `timedelta64[ns]`.
        n_models: How many forecasters members take turns among: number k is of the one at k modulo it.
        part: Position of what is built among all that are combined.
    """

    statistics: Statistics
    analyses: Analyses
    init_times: np.ndarray
    numbers: np.ndarray
    seed: int
    models: Propagator
    time_step: np.timedelta64
    n_models: int = 1
    part: int = 0

    def keys(self, init_times: np.ndarray, numbers: np.ndarray) -> Array:
        """Return random keys for the initial states of members, [batch], from initial times and numbers [batch].

        Each part has its own; those of the first are what they are without others.
        """
        members = step_keys(member_keys(self.seed, init_times, numbers), np.array(0))
        return jax.vmap(jax.random.fold_in, (0, None))(members, self.part) if self.part else members


class Perturbation(Protocol):
    """Perturbs initial states. A member's perturbation does not depend on the others of its batch."""

    def __call__(self, states: Array, init_times: np.ndarray, numbers: np.ndarray) -> Array:
        """Return what to add to the members `numbers` [batch], float32 `[batch, channel, lat, lon]`.

        Args:
            states: Normalised analyses, `[batch, channel, lat, lon]`.
            init_times: `datetime64` [batch].
            numbers: Of the members [batch]; what comes for number 0 is not used.
        """


def _pairs(value: Any) -> Any:
    return tuple(value.items()) if isinstance(value, Mapping) else value


ChannelFactors = Annotated[
    tuple[tuple[str, NonNegativeFloat], ...], BeforeValidator(_pairs), PlainSerializer(lambda pairs: dict(pairs))
]
"""A mapping from names of channels or variables to factors, as hashable pairs."""


class PerturbationConfig(Config):
    """What every perturbation has: a name and a size.

    Attributes:
        name: The key in the registry.
        scale: How strong it is; each kind says in what.
        amplitude: By channel (`t2m`, `geopotential_500`) or variable (`temperature`: all its levels), a factor on
            `scale`; 1 where not named. A channel's own factor wins over its variable's.
    """

    name: str
    scale: float = Field(ge=0)
    amplitude: ChannelFactors = ()

    def perturbation(self, context: PerturbationContext) -> Perturbation | None:
        """Build what acts on initial states; None where nothing does.

        Raises:
            UserError: The analyses or the models do not have what the members that are asked for need.
        """
        return None

    def tendencies(self, statistics: Statistics, tick: np.timedelta64) -> "StochasticTendencies | None":
        """Build what acts on every step of the models, with a pattern for every tick; None where nothing does."""
        return None

    def other_times(self, context: PerturbationContext) -> np.ndarray:
        """Return the times of analyses that members follow from beside their initial times, `datetime64[ns]` [time]."""
        return np.empty(0, "datetime64[ns]")

    @property
    def map_scale(self) -> float | None:
        """What the random maps that models are told are multiplied by; None where controls' zeros are all they get."""
        return None

    @property
    def n_parts(self) -> int:
        """How many there are, each with random keys of its own."""
        return 1

    @property
    def reads_members(self) -> bool:
        """Whether initial states come from the dimension `number` of the analyses."""
        return False

    def factors(self, statistics: Statistics) -> np.ndarray:
        """Return the sizes of the channels, float32 `[channel, lat, lon]`, 0 where not valid.

        Raises:
            UserError: `amplitude` names what the state does not have.
        """
        factors: np.ndarray = self.sizes(statistics.spec)[:, None, None] * statistics.valid
        return factors.astype(np.float32)

    def sizes(self, spec: StateSpec) -> np.ndarray:
        """Return `scale` times `amplitude`, float64 `[channel]`.

        Raises:
            UserError: `amplitude` names what the state does not have.
        """
        sizes = np.full(spec.n_channels, self.scale)
        variables_first = sorted(self.amplitude, key=lambda pair: full_name(pair[0]) in spec.names)
        for name, factor in variables_first:
            sizes[channels_named("amplitude", name, spec)] = self.scale * factor
        return sizes


registry: Registry[type[PerturbationConfig]] = Registry("perturbation")

AnyPerturbation = Annotated[SerializeAsAny[PerturbationConfig], BeforeValidator(from_registry(registry))]
"""A configuration field that takes any registered perturbation, by name alone or with its parameters."""


def member_keys(seed: int, init_times: np.ndarray, numbers: np.ndarray) -> Array:
    """Return a random key for each member: seed, initial time and number folded in, in that order.

    Of the initial time those are the hours since 1970 and, only where there are some, the nanoseconds beyond them.

    Args:
        seed: Below 2³².
        init_times: `datetime64` [batch].
        numbers: Of the members [batch].

    Returns:
        Typed keys [batch].
    """
    beyond = init_times - init_times.astype("datetime64[h]")
    words = _words(hours_since_1970(init_times)), _words(beyond.astype("timedelta64[ns]").astype(np.int64))
    keys: Array = _member_keys(np.uint32(seed), *words, numbers.astype(np.uint32))
    return keys


@jax.jit
def step_keys(members: Array, steps: Array) -> Array:
    """Return the keys of members `[batch]` for steps of any shape, `[*steps, batch]`; 0 is the initial state."""
    return jax.vmap(lambda step: _fold(members, step))(jnp.ravel(steps)).reshape(*jnp.shape(steps), *members.shape)


def _words(values: np.ndarray) -> np.ndarray:
    """Return int64 [batch] as pairs of uint32, the high ones first, `[2, batch]`."""
    return np.stack([values >> 32 & 0xFFFFFFFF, values & 0xFFFFFFFF]).astype(np.uint32)


@jax.jit
def _member_keys(seed: Array, hours: Array, beyond: Array, numbers: Array) -> Array:
    keys = jnp.broadcast_to(jax.random.key(seed), numbers.shape)
    keys = _fold(_fold(keys, hours[0]), hours[1])
    finer = _fold(_fold(keys, beyond[0]), beyond[1])
    return _fold(jnp.where(beyond.any(axis=0), finer, keys), numbers)


def _fold(keys: Array, words: Array) -> Array:
    """Fold a word, or one each, into keys [batch]."""
    return jax.vmap(jax.random.fold_in)(keys, jnp.broadcast_to(words, keys.shape))


@dataclass(frozen=True, eq=False)
class InitialStates:
    """Analyses, perturbed.

    Attributes:
        analyses: On the grid of the models.
        perturbation: What differs between members; None where nothing does.
    """

    analyses: Analyses
    perturbation: Perturbation | None

    @classmethod
    def build(cls, chosen: PerturbationConfig | None, context: PerturbationContext) -> Self:
        """Build what is chosen.

        Raises:
            UserError: The perturbation names what the state lacks, or needs analyses or steps that are not there.
        """
        return cls(context.analyses, None if chosen is None else chosen.perturbation(context))

    def __call__(self, init_times: np.ndarray, numbers: np.ndarray) -> Array:
        """Return the normalised states of members, `[batch, channel, lat, lon]`, for initial times and numbers [batch].

        Raises:
            UserError: A value is missing where there were data in training.
        """
        states = jnp.array(self.analyses.read_batch(init_times, np.zeros_like(numbers)))
        if self.perturbation is None:
            return states
        perturbed: Array = _add(states, self.perturbation(states, init_times, numbers), numbers)
        return perturbed


@partial(jax.jit, donate_argnames="states")
def _add(states: Array, increments: Array, numbers: Array) -> Array:
    """Add increments, all `[batch, channel, lat, lon]`; number 0 stays as it is."""
    return jnp.where(numbers[:, None, None, None] == 0, states, states + increments)
