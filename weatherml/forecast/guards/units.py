"""Units: what normalised fields are in SI units at any time, on the device, and in the units of another model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.typing import ArrayLike

from weatherml.data.statistics.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.models.step import Constant


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Units:
    """What a unit and a zero of each channel are in SI units: `physical = normalised * scale + reference`.

    Attributes:
        scale: `[channel]`.
        coefficients: Of the reference, `[term, channel, lat, lon]`, or `[1, channel, 1, 1]` where it is one number a
            channel; 0 where not valid.
        valid: Where there are values, bool `[channel, lat, lon]`.
    """

    scale: Array
    coefficients: Array
    valid: Array

    @classmethod
    def build(cls, normalizer: Normalizer, n_derived: int = 0) -> Self:
        """Build those of a state, followed by so many channels that are in SI units everywhere."""
        statistics, climatology = normalizer.statistics, normalizer.climatology
        if climatology is None:
            coefficients = statistics.mean[None, :, None, None]
        else:
            coefficients = np.where(statistics.valid, climatology.coefficients, np.float32(0))
        return cls(
            jnp.asarray(np.pad(statistics.std, (0, n_derived), constant_values=1)),
            jnp.asarray(np.pad(coefficients, ((0, 0), (0, n_derived), (0, 0), (0, 0)))),
            jnp.asarray(np.pad(statistics.valid, ((0, n_derived), (0, 0), (0, 0)), constant_values=True)),
        )

    def select(self, channels: Sequence[int]) -> "Units":
        """Return those of some channels; these very ones where that is all."""
        if list(channels) == list(range(len(self.scale))):
            return self
        chosen = np.array(channels)
        return Units(self.scale[chosen], self.coefficients[:, chosen], self.valid[chosen])

    def reference(self, terms: ArrayLike) -> Array:
        """Return what a zero is, `[..., channel, lat, lon]` (of length 1 where constant), from terms `[..., term]`."""
        return jnp.einsum("...t,tcyx->...cyx", terms, self.coefficients, precision=jax.lax.Precision.HIGHEST)

    def physical(self, fields: Array, reference: Array) -> Array:
        """Return fields `[..., channel, lat, lon]` in SI units, whatever they hold where not valid."""
        return fields * self.scale[:, None, None] + reference


@dataclass(frozen=True, eq=False)
class Affine:
    """From one model's normalised units to another's: `x * scale + offset`.

    Attributes:
        scale: float32 `[channel]`.
        offset: float32 `[channel]`.
        valid: Where both have values, bool `[channel, lat, lon]`.
    """

    scale: np.ndarray
    offset: np.ndarray
    valid: np.ndarray

    @property
    def is_identity(self) -> bool:
        """Whether the two have the same statistics."""
        return bool((self.scale == 1).all() and (self.offset == 0).all())


class Rescaling(nnx.Module):
    """Applies an affine map to `[batch, channel, lat, lon]`; zero where either model has no values, as in training."""

    def __init__(self, to_own: Affine) -> None:
        self.scale, self.offset = (Constant(jnp.asarray(a)[:, None, None]) for a in (to_own.scale, to_own.offset))
        self.valid = Constant(jnp.asarray(to_own.valid))

    def __call__(self, states: Array) -> Array:
        """Return states in the other model's units."""
        return jnp.where(self.valid[...], states * self.scale[...] + self.offset[...], 0)

    def inverse(self, states: Array) -> Array:
        """Return states of the other model in the first one's units."""
        return jnp.where(self.valid[...], (states - self.offset[...]) / self.scale[...], 0)


def affine(given: Normalizer, own: Normalizer, who: str) -> Affine:
    """Return how states that `given` has normalised become states of `own`, channel by channel of `own`.

    Args:
        given: Of the model whose states they are.
        own: Of the model that is to see them.
        who: What messages call the latter.

    Raises:
        UserError: `given` lacks a channel, lies on another grid, or they refer to different climatologies.
    """
    _require_fitting(given, own, who)
    channels = [given.spec.channels.index(channel) for channel in own.spec.channels]
    mean, std = (a[channels].astype(np.float64) for a in (given.statistics.mean, given.statistics.std))
    own_mean, own_std = (a.astype(np.float64) for a in (own.statistics.mean, own.statistics.std))
    shift = np.zeros_like(mean) if given.climatology is not None else mean - own_mean
    scale, offset = ((values / own_std).astype(np.float32) for values in (std, shift))
    return Affine(scale, offset, given.statistics.valid[channels] & own.statistics.valid)


def _require_fitting(given: Normalizer, own: Normalizer, who: str) -> None:
    missing = [str(channel) for channel in own.spec.channels if channel not in given.spec.channels]
    if missing:
        raise UserError(f"the {who} needs channel {missing[0]!r}, which the model lacks; use a model that has it")
    if not own.spec.grid.is_same(given.spec.grid):
        ours, theirs = (" x ".join(map(str, normalizer.spec.grid.shape)) for normalizer in (own, given))
        raise UserError(f"the {who}'s grid, {ours}, is not the model's, {theirs}, point for point; use two of one grid")
    if not _same_reference(given, own):
        raise UserError(f"the {who} and the model refer to different climatologies; use two that were trained with one")


def _same_reference(given: Normalizer, own: Normalizer) -> bool:
    a, b = given.climatology, own.climatology
    if a is None or b is None:
        return a is b
    return a.spec.is_same(b.spec) and np.array_equal(a.coefficients, b.coefficients, equal_nan=True)
