"""Published FourCastNet weights into our network: names and layouts of the original state dict."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from weatherml.errors import UserError

_PREFIX = "module."
_NAMES = {
    "embed": "patch_embed.proj",
    "position": "pos_embed",
    "expand": "fc1",
    "contract": "fc2",
    "kernel": "weight",
    "scale": "weight",
}
_NEVER_APPLIED = {prefix + name for prefix in ("", "backbone.") for name in ("norm.weight", "norm.bias")}


def load_published(network: nnx.Module, weights: Mapping[str, np.ndarray]) -> None:
    """Set every parameter of `network` from a state dict in the published layout.

    Args:
        network: A `FourCastNet`, a part of one or a `Precipitation`, to fill in place.
        weights: Arrays by published name, with or without the prefix `module.`. `norm.*`, which the original
            stores but never applies, is passed over.

    Raises:
        UserError: A parameter is missing, has another size, or is not one of this network's.
    """
    left = {name.removeprefix(_PREFIX): np.asarray(array) for name, array in weights.items()}
    parameters = nnx.to_flat_state(nnx.state(network, nnx.Param))
    _require_patch(left, network)
    filled = [(path, variable.replace(_take(left, path, variable.shape))) for path, variable in parameters]
    if unknown := set(left) - _NEVER_APPLIED:
        raise UserError(f"weights hold {min(unknown)!r}, unknown to this network; build it with their depth")
    nnx.update(network, nnx.from_flat_state(filled))


def _require_patch(weights: Mapping[str, np.ndarray], network: nnx.Module) -> None:
    """Require the patch's rows and columns, which the shape of our kernel no longer tells apart."""
    patch = getattr(getattr(network, "backbone", network), "patch", None)
    for name, array in weights.items():
        if name.endswith("patch_embed.proj.weight") and array.shape[2:] != patch:
            raise UserError(
                f"{name!r} has patches of {array.shape[2:]}, this network of {patch}; build it with their sizes"
            )


def published_name(path: tuple[Any, ...]) -> str:
    """Return the published name of the parameter at `path` in a `FourCastNet`."""
    return ".".join(_NAMES.get(str(part), str(part)) for part in path)


def _take(weights: dict[str, np.ndarray], path: tuple[Any, ...], shape: tuple[int, ...]) -> jnp.ndarray:
    name = published_name(path)
    if name not in weights:
        raise UserError(f"weights lack {name!r}; pass a FourCastNet state dict of the same depth")
    array = weights.pop(name)
    if path[-1] == "kernel" and "contract" not in path:  # (out, in), or (out, channel, lat, lon): channel fastest
        array = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T
    if array.size != np.prod(shape) or array.shape[-1] != shape[-1]:
        raise UserError(f"{name!r} has shape {array.shape} where this network needs {shape}; build it with their sizes")
    return jnp.asarray(array.reshape(shape), jnp.float32)
