"""What training minimises: distances between a normalised forecast and the truth."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from weatherml.config import Config
from weatherml.data.statistics import Statistics
from weatherml.registry import Registry
from weatherml.training.channel_weights import pangu_weights

LossFunction = Callable[[Array, Array, Array], Array]
"""`(forecast, truth, weights)` to scalar: `[batch, channel, lat, lon]` twice, `[channel, lat, lon]`."""

registry: Registry[LossFunction] = Registry("loss")


@registry.register("mse")
def mean_squared_error(forecast: Array, truth: Array, weights: Array) -> Array:
    """Return the weighted mean of squared errors."""
    return _weighted_mean(jnp.square(forecast - truth), weights)


@registry.register("mae")
def mean_absolute_error(forecast: Array, truth: Array, weights: Array) -> Array:
    """Return the weighted mean of absolute errors."""
    return _weighted_mean(jnp.abs(forecast - truth), weights)


@registry.register("huber")
def huber(forecast: Array, truth: Array, weights: Array) -> Array:
    """Return the weighted mean of errors that count squared (halved) below one unit and linearly above."""
    return _weighted_mean(optax.losses.huber_loss(forecast, truth), weights)


@registry.register("relative_l2")
def relative_l2(forecast: Array, truth: Array, weights: Array) -> Array:
    """Return FourCastNet's loss: the norm of the error over the norm of the truth, sample by sample (arXiv 2202.11214).

    Every cell and channel counts alike: `weights` are passed over. As published it takes states in units of
    their standard deviation, which is `channel_weight: uniform`. Cells without a value are zero in both
    fields and add nothing.
    """
    del weights
    error = jnp.linalg.norm((forecast - truth).reshape(len(truth), -1), axis=1)
    return jnp.mean(error / jnp.linalg.norm(truth.reshape(len(truth), -1), axis=1))


def _weighted_mean(error: Array, weights: Array) -> Array:
    return jnp.einsum("bcij,cij->", error, weights) / len(error)


class LossConfig(Config):
    """Which loss, and in which units its errors are.

    Attributes:
        name: Key in the registry of losses.
        channel_weight: `tendency` divides errors by the standard deviation of one-step differences, so that the error
            of persistence is about one in every channel, whether it changes fast or slowly; `uniform` leaves them in
            units of the standard deviation itself; `pangu` does, too, and weighs variables as Pangu-Weather does, and
            every cell alike, however small (with `mae` that is its published loss).
    """

    name: str = "mse"
    channel_weight: Literal["uniform", "tendency", "pangu"] = "tendency"

    def build(self, statistics: Statistics) -> "Loss":
        """Build the loss of states with these statistics.

        Raises:
            UserError: No loss has this name, or the size of tendencies is not known.
        """
        weights = self._weights(statistics)
        scale = np.ones_like(statistics.std)
        if self.channel_weight == "tendency":
            scale = statistics.tendency_scale()
        return Loss(jnp.asarray(weights), jnp.asarray(scale[:, None, None], jnp.float32), registry[self.name])

    def _weights(self, statistics: Statistics) -> np.ndarray:
        """Return the weight of each cell, float32 `[channel, lat, lon]`."""
        spec = statistics.spec
        if self.channel_weight != "pangu":
            return cell_weights(spec.grid.area_weights(), statistics.valid)
        share = spec.n_channels * cell_weights(np.ones((spec.grid.n_lat, 1)), statistics.valid)
        return np.asarray(share * pangu_weights(spec)[:, None, None], np.float32)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Loss:
    """A loss of normalised fields `[batch, channel, lat, lon]`.

    Attributes:
        weights: `[channel, lat, lon]`; those of a channel sum to what it counts.
        scale: `[channel, 1, 1]`, the unit of errors in normalised units.
        function: Of fields in that unit.
    """

    weights: Array
    scale: Array
    function: LossFunction = field(metadata={"static": True})

    def __call__(self, forecast: Array, truth: Array) -> Array:
        """Return the loss, averaged over the batch."""
        return self.function(forecast / self.scale, truth / self.scale, self.weights)


def cell_weights(area: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return the share of every cell in a mean over valid cells within each channel, then over channels.

    A channel with few valid cells (sea surface temperature) counts as much as any other; one with none counts nothing.

    Args:
        area: Relative cell areas, `[lat, 1]`.
        valid: Where the data have values, `[channel, lat, lon]`.

    Returns:
        float32 `[channel, lat, lon]`, sums to one.
    """
    weights = np.where(valid, area, 0).astype(np.float64)
    total = weights.sum(axis=(1, 2), keepdims=True)
    shares = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    return np.asarray(shares / np.count_nonzero(total), np.float32)
