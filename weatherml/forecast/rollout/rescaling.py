"""Between the normalised units of two models that see the same physical fields."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from weatherml.data.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.models.step import Constant


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
    if own.spec.grid != given.spec.grid:
        ours, theirs = (" x ".join(map(str, normalizer.spec.grid.shape)) for normalizer in (own, given))
        raise UserError(f"the {who}'s grid, {ours}, is not the model's, {theirs}, point for point; use two of one grid")
    if not _same_reference(given, own):
        raise UserError(f"the {who} and the model refer to different climatologies; use two that were trained with one")


def _same_reference(given: Normalizer, own: Normalizer) -> bool:
    a, b = given.climatology, own.climatology
    if a is None or b is None:
        return a is b
    return a.spec == b.spec and np.array_equal(a.coefficients, b.coefficients, equal_nan=True)
