"""One step of a forecast in normalised variables: what is predicted, around any network that predicts it."""

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.typing import ArrayLike

from weatherml.axes import lay
from weatherml.models.network import Network


class Constant(nnx.Variable[Array]):
    """An array that belongs to a step but is not trained."""


class Step(nnx.Module):
    """Advances a normalised state by one time step, and keeps zero where the data have no value.

    Args:
        network: `[batch, channel + forcing + map, lat, lon]` to `[batch, channel, lat, lon]`.
        scale: `[channel]`, the standard deviation of one-step differences in normalised units; the next
            state is then `state + scale * output`. None when the network's output is the next state itself.
        valid: `[channel, lat, lon]`, true where the data have values.
        n_noise: Number of random maps that the network is told.
    """

    def __init__(self, network: Network, scale: ArrayLike | None, valid: ArrayLike, n_noise: int = 0) -> None:
        self.network, self.n_noise = network, n_noise
        self.scale = None if scale is None else Constant(jnp.asarray(scale, jnp.float32)[:, None, None])
        self.valid = Constant(jnp.asarray(valid, bool))

    def __call__(self, state: Array, forcing: Array, key: Array | None = None, noise: Array | None = None) -> Array:
        """Return the next state `[batch, channel, lat, lon]`.

        Args:
            state: `[batch, channel, lat, lon]`.
            forcing: `[batch, forcing, lat, lon]`.
            key: Keys `[batch]` that draw what is random in training; nothing is random when None.
            noise: Random maps, `[batch, map, lat, lon]`; zero when None, which is the step of a control.
        """
        told = [state, forcing]
        if self.n_noise:
            zeros = jnp.zeros((state.shape[0], self.n_noise, *state.shape[2:]), jnp.float32)
            told.append(zeros if noise is None else noise)
        output = self.network(jnp.concatenate(told, axis=1), key)
        if self.scale is not None:
            output = state + self.scale[...] * output
        return lay(jnp.where(self.valid[...], output, 0), "batch", None, "lat", "lon")
