"""Three-dimensional patches of fields; features are counted through channel, level, latitude, longitude of a patch."""

from jax import Array
from jax import numpy as jnp

from weatherml.models.layers.windows import Extent


def volume_of(space: Extent, patch: Extent) -> Extent:
    """Return the number of patches along level, latitude and longitude; the last ones may be partly empty."""
    level, lat, lon = (-(-size // step) for size, step in zip(space, patch, strict=True))
    return level, lat, lon


def to_patches(field: Array, patch: Extent) -> Array:
    """Cut a field into patches.

    Args:
        field: `[batch, channel, level, lat, lon]`; padded with zeros at its far end where patches do not tile it.
        patch: points of a patch along level, latitude and longitude.

    Returns:
        `[batch, level/p, lat/q, lon/r, channel*p*q*r]`.
    """
    batch, channel, *space = field.shape
    counts = volume_of((space[0], space[1], space[2]), patch)
    padding = [(0, n * step - size) for n, step, size in zip(counts, patch, space, strict=True)]
    field = jnp.pad(field, [(0, 0), (0, 0), *padding])
    pieces = [size for pair in zip(counts, patch, strict=True) for size in pair]
    return field.reshape(batch, channel, *pieces).transpose(0, 2, 4, 6, 1, 3, 5, 7).reshape(batch, *counts, -1)


def from_patches(tokens: Array, patch: Extent, space: Extent) -> Array:
    """Put patches together to a field of levels, latitudes and longitudes `space`: the inverse of `to_patches`."""
    batch, *counts, _ = tokens.shape
    pieces = tokens.reshape(batch, *counts, -1, *patch).transpose(0, 4, 1, 5, 2, 6, 3, 7)
    padded = [n * step for n, step in zip(counts, patch, strict=True)]
    field = pieces.reshape(batch, -1, *padded)
    return field[:, :, : space[0], : space[1], : space[2]]
