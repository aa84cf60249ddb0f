"""What is asked of an ensemble: configuration, durations, and the random keys of members."""

import re

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from pydantic import Field, PositiveFloat

from weatherml.config import Config
from weatherml.errors import UserError
from weatherml.forecast.guards import GuardsConfig
from weatherml.forecast.perturbations import AnyPerturbation
from weatherml.forecast.reduction import StatisticsConfig

_MOST_MEMBERS, _LARGEST_BATCH = 1_000_000, 10_000  # beyond, there is a typing error
_LONGEST = np.timedelta64(2**63 - 1, "ns")
_UNITS = {
    "d": np.timedelta64(86_400 * 10**9, "ns"),
    "h": np.timedelta64(3_600 * 10**9, "ns"),
    "min": np.timedelta64(60 * 10**9, "ns"),
}


class ForecastConfig(Config):
    """What to forecast and what to keep.

    Attributes:
        lead_time: The longest lead, such as `10d`, `36h` or `90min`.
        every: Spacing of the leads that are kept, the first being one spacing (lead 0 is the analysis and is not
            kept); the model's own step when None.
        members: Size of the ensemble; number 0 is the unperturbed control, so 1 is a deterministic forecast.
        numbers: Which of the members to compute; all when None.
        perturbation: A registered perturbation, by name or with its parameters; required when `members` > 1.
        seed: Of all random numbers, below 2³².
        channels: Names of the channels to keep, those of diagnostics among them; all when None.
        batch: Members per compiled call. Results of another batch may differ by rounding. When None, up to 10, as many
            as fit the device's memory; a forecast says how many it had in its attribute `batch`.
        statistics: What to keep of the members instead of themselves; the members when None.
        rounding: Largest error that rounding may make, in standard deviations of each channel; no rounding when None.
            Diagnostics have no statistics and are never rounded.
        guards: What keeps members physical, and stops those that are not.
    """

    lead_time: str = "10d"
    every: str | None = None
    members: int = Field(default=1, gt=0, le=_MOST_MEMBERS)
    numbers: tuple[int, ...] | None = None
    perturbation: AnyPerturbation | None = None
    seed: int = Field(default=0, ge=0, lt=2**32)
    channels: tuple[str, ...] | None = None
    batch: int | None = Field(default=None, gt=0, le=_LARGEST_BATCH)
    statistics: StatisticsConfig | None = None
    rounding: PositiveFloat | None = None
    guards: GuardsConfig = GuardsConfig()

    def lead_times(self, time_step: np.timedelta64) -> np.ndarray:
        """Return the leads that are kept, `timedelta64[ns]` [lead_time]; `time_step` apart unless told otherwise.

        Raises:
            UserError: A duration is not one, the longest lead is not a multiple of the spacing, or that is shorter than
                `time_step`.
        """
        every = time_step if self.every is None else parse_duration(self.every)
        last = parse_duration(self.lead_time)
        if every < time_step:
            shortest = format_duration(time_step)
            raise UserError(
                f"every {format_duration(every)} cannot be reached by steps of {shortest}; the nearest that can is"
                f" {shortest}"
            )
        _require_multiple("lead_time", last, every, "the spacing of outputs")
        return np.arange(1, last // every + 1) * every

    def member_numbers(self) -> np.ndarray:
        """Return the members to compute, ascending, int64 [number].

        Raises:
            UserError: A number is not one of the ensemble's, or members would all be the same.
        """
        if self.members > 1 and self.perturbation is None:
            raise UserError(
                f"{self.members} members without a perturbation would all be the same; pass perturbation='spherical'"
            )
        if self.numbers is None:
            return np.arange(self.members)
        beyond = [number for number in self.numbers if not 0 <= number < self.members]
        if beyond or not self.numbers:
            got = beyond[0] if beyond else "none"
            raise UserError(f"numbers must lie in 0 .. {self.members - 1} of {self.members} members, got {got}")
        return np.unique(np.array(self.numbers, np.int64))


def parse_duration(text: str) -> np.timedelta64:
    """Read a duration such as `10d`, `36h` or `90min` as `timedelta64[ns]`.

    Raises:
        UserError: It is not a positive whole number and one of these units.
    """
    match = re.fullmatch(r"\s*(\d+)\s*(d|h|min)\s*", text)
    if match is None or int(match[1]) == 0:
        raise UserError(f"duration {text!r} must be a positive whole number with d, h or min, for example '10d'")
    if int(match[1]) > _LONGEST // _UNITS[match[2]]:
        raise UserError(f"duration {text!r} is longer than {_LONGEST // _UNITS['d']}d; pass a shorter one")
    return int(match[1]) * _UNITS[match[2]]


def format_duration(duration: np.timedelta64) -> str:
    """Write a duration in hours, or in minutes where they are not whole."""
    minutes = int(duration / np.timedelta64(1, "m"))
    return f"{minutes}min" if minutes % 60 else f"{minutes // 60}h"


def _require_multiple(name: str, value: np.timedelta64, unit: np.timedelta64, meaning: str) -> None:
    if value % unit:
        below = value // unit
        nearest = " and ".join(format_duration(count * unit) for count in (below, below + 1) if count)
        raise UserError(
            f"{name} {format_duration(value)} is not a multiple of {meaning}, {format_duration(unit)};"
            f" the nearest {'are' if below else 'is'} {nearest}"
        )


def hours_since_1970(times: np.ndarray | np.datetime64) -> np.ndarray:
    """Return whole hours, int64, of the shape of `times`."""
    return np.asarray(times).astype("datetime64[h]").astype(np.int64)


def member_keys(seed: int, init_times: np.ndarray, numbers: np.ndarray, step: int) -> Array:
    """Return a random key for each member: seed, initial time in hours, number and step folded in, in that order.

    Args:
        seed: Below 2³².
        init_times: `datetime64` [batch].
        numbers: Of the members [batch].
        step: Of the rollout; 0 is the initial state.

    Returns:
        Typed keys [batch].
    """
    hours = hours_since_1970(init_times)
    low, high = (hours & 0xFFFFFFFF).astype(np.uint32), (hours >> 32 & 0xFFFFFFFF).astype(np.uint32)
    words = np.stack([high, low, numbers.astype(np.uint32), np.full_like(high, step)])
    keys: Array = _fold(np.uint32(seed), words)
    return keys


@jax.jit
def _fold(seed: Array, words: Array) -> Array:
    """Fold `words` [word, batch] into keys [batch]."""
    keys = jnp.broadcast_to(jax.random.key(seed), words.shape[1:])
    for word in words:
        keys = jax.vmap(jax.random.fold_in)(keys, word)
    return keys
