"""Physical units on the device: what normalised fields are at any time, without a map from the host."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from weatherml.data.normalization import Normalizer


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


def terms_at(normalizer: Normalizer, times: np.ndarray) -> np.ndarray:
    """Return what the coefficients are multiplied with at `datetime64` times of any shape, float32 `[*times, term]`."""
    if normalizer.climatology is None:
        return np.ones((*np.shape(times), 1), np.float32)
    return normalizer.climatology.terms_at(times)
