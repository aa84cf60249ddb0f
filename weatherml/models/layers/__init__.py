"""Layers of networks, on tokens `[batch, lat, lon, embed]` or volumes of them."""

from weatherml.models.layers.tokens import (
    Contraction,
    LayerNorm,
    Mlp,
    drop_path,
    drop_path_rates,
    gelu,
    over_tokens,
    patchify,
    small_normal,
    subkey,
    unpatchify,
)

__all__ = [
    "Contraction",
    "LayerNorm",
    "Mlp",
    "drop_path",
    "drop_path_rates",
    "gelu",
    "over_tokens",
    "patchify",
    "small_normal",
    "subkey",
    "unpatchify",
]
