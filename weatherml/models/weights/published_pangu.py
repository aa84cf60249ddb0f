"""Published Pangu-Weather weights into our network: names and layouts of the public ports' state dicts."""

import math
import re
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from weatherml.errors import UserError
from weatherml.models.layers.windows import Extent

_NAMES = (
    (r"^embed_surface\.maps$", "constant_maps"),
    (r"^embed_upper\.maps$", "const_h"),
    (r"^embed_surface\.linear", "backbone._input_layer.conv_surface"),
    (r"^embed_upper\.linear", "backbone._input_layer.conv"),
    (r"^recover_surface\.linear", "_output_layer.conv_surface"),
    (r"^recover_upper\.linear", "_output_layer.conv"),
    (r"^(layers|down|up)\.", r"backbone.\1."),
    (r"layers\.(\d+)\.blocks\.(\d+)", r"layers.EarthSpecificLayer\1.blocks.EarthSpecificBlock\2"),
    (r"\b(down|up)\.", r"\1sample."),
    (r"\bmlp\.", "linear."),
    (r"\bqkv_bias$", "linear1.bias"),
    (r"\b(qkv|expand|split)\b", "linear1"),
    (r"\b(project|contract|mix)\b", "linear2"),
    (r"\bmerge\b", "linear"),
    (r"\bbias\.table$", "earth_specific_bias"),
    (r"\b(kernel|scale)$", "weight"),
)
"""Patterns of our names, and what published ones have instead, one after another."""


def load_published_pangu(network: nnx.Module, weights: Mapping[str, np.ndarray]) -> None:
    """Set every parameter of `network` from a state dict in the published layout.

    Args:
        network: A `Pangu`, or a part of one, to fill in place.
        weights: Arrays by published name. Learned maps are `constant_maps` and `const_h`; a bias is taken compact
            (`earth_specific_bias_table`) or for each pair of tokens (`earth_specific_bias`).

    Raises:
        UserError: A parameter is missing, has another size, or is not one of this network's.
    """
    left = {name: np.asarray(array) for name, array in weights.items()}
    parameters = nnx.to_flat_state(nnx.state(network, nnx.Param))
    filled = [(path, variable.replace(_take(left, path, variable.shape))) for path, variable in parameters]
    if left:
        raise UserError(f"weights hold {min(left)!r}, unknown to this network; build it with their depths")
    nnx.update(network, nnx.from_flat_state(filled))


def published_name(path: tuple[Any, ...]) -> str:
    """Return the published name of the parameter at `path` in a `Pangu`; of a bias, the expanded form's."""
    name = ".".join(map(str, path))
    for pattern, replacement in _NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def compact_bias(expanded: np.ndarray, window: Extent) -> np.ndarray | None:
    """Return the table of a bias for each pair of tokens, or None where it depends on more than a table can hold.

    Args:
        expanded: `[type, head, query, key]`.
        window: Tokens of a window along level, latitude and longitude.

    Returns:
        `[type, head, level, lat, level, lat, offset]`, as in `EarthBias`.
    """
    pairs = expanded.reshape(*expanded.shape[:2], *window, *window)
    offsets = []
    for offset in range(1 - window[2], window[2]):
        same = np.diagonal(pairs, offset, axis1=4, axis2=7)
        if (same != same[..., :1]).any():
            return None
        offsets.append(same[..., 0])
    return np.stack(offsets, axis=-1)


def _take(weights: dict[str, np.ndarray], path: tuple[Any, ...], shape: tuple[int, ...]) -> jnp.ndarray:
    name = published_name(path)
    if path[-2:] == ("bias", "table") and len(shape) == 7:
        return jnp.asarray(_take_table(weights, name, shape), jnp.float32)
    array = _pop(weights, name)
    if path[-1] == "kernel":  # (out, in), (out, in, 1) or (out, channel, ...), the last point of a patch fastest
        array = array.reshape(len(array), -1)
        array = array if "contract" in path else array.T
    if array.size != np.prod(shape) or array.shape[-1] != shape[-1]:
        raise _wrong_shape(name, array, shape)
    return jnp.asarray(array.reshape(shape), jnp.float32)


def _take_table(weights: dict[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the table `[type, head, level, lat, level, lat, offset]` of a bias that is there in either form."""
    types, heads, level, lat, *_, offsets = shape
    if name not in weights:
        array = _pop(weights, f"{name}_table")
        if array.shape != (expected := (offsets * (lat * level) ** 2, types, heads)):
            raise _wrong_shape(f"{name}_table", array, expected)
        # Published: the key's place is slower than the query's, and offsets count westwards.
        array = array.reshape(level, level, lat, lat, offsets, types, heads)[:, :, :, :, ::-1]
        return array.transpose(5, 6, 1, 3, 0, 2, 4)
    array, window = _pop(weights, name), (level, lat, (offsets + 1) // 2)
    pairs = (types, heads, math.prod(window), math.prod(window))
    if array.size != math.prod(pairs) or array.shape[-4:] != pairs:
        raise _wrong_shape(name, array, pairs)
    table = compact_bias(array.reshape(pairs), window)
    if table is None:
        raise UserError(f"{name!r} depends on longitude; build the network with expanded_bias: true")
    return table


def _pop(weights: dict[str, np.ndarray], name: str) -> np.ndarray:
    if name not in weights:
        raise UserError(f"weights lack {name!r}; pass a Pangu-Weather state dict of the same depths")
    return weights.pop(name)


def _wrong_shape(name: str, array: np.ndarray, shape: tuple[int, ...]) -> UserError:
    return UserError(f"{name!r} has shape {array.shape} where this network needs {shape}; build it with their sizes")
