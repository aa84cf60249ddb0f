"""What the published Pangu-Weather files call their tensors, in the order in which a step uses them.

Weights of modules keep the names of an obfuscated program, `b1.a12.bias`. Matrices of linear layers and biases of the
attention were folded into constants named after an operation of the traced program, `onnx::MatMul_8946`. Both numbers
rise by fixed amounts from block to block, so those of other depths follow.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from weatherml.models.layers.patches import volume_of
from weatherml.pretrained.pangu_sizes import N_MAPS, N_SURFACE, N_UPPER, PanguSizes, conv_shapes, types_of


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tensor that a network needs.

    Attributes:
        published: What the published files call it.
        name: What the public ports' state dicts call it, from which our network is loaded; or a statistic.
        shape: In the file, where matrices are `[in, out]`.
    """

    published: str
    name: str
    shape: tuple[int, ...]


def wanted_tensors(sizes: PanguSizes, surface_first: bool = False) -> list[Wanted]:
    """Return every tensor of a network.

    Args:
        sizes: Of the network.
        surface_first: Whether a step embeds the surface before the upper air.
    """
    config = sizes.config
    outer, inner = types_of(sizes.n_levels, sizes.grid, config.patch)
    n_types = outer, inner, inner, outer
    upper, surface, upper_out, surface_out = conv_shapes(config.width, config.patch)
    embeddings = [("b1.a1", "conv", upper), ("b1.a2", "conv_surface", surface)]
    wanted = [*_statistics(sizes), *_maps(sizes)]
    for published, name, shape in reversed(embeddings) if surface_first else embeddings:
        wanted += _pair(published, f"backbone._input_layer.{name}", (*shape, 1))
    module, trace = 12, 8946
    for layer, depth in enumerate(config.depths):
        of_layer = config.widths[layer], config.heads[layer], n_types[layer]
        for block in range(depth):
            place = f"backbone.layers.EarthSpecificLayer{layer}.blocks.EarthSpecificBlock{block}"
            wanted += _block(place, module, trace, math.prod(config.window), *of_layer)
            # Unshifted blocks have the operations that mask the shifted one behind them.
            module, trace = module + 8, trace + (107 if block % 2 == 0 else 13)
        if layer == 0:
            wanted += _down(config.width, module, trace)
            module, trace = module + 2, trace + 6
        if layer == 2:
            wanted += _up(config.width, module, trace)
            module, trace = module + 3, trace + 2
    wanted += _pair(f"b1.a{module - 3}", "_output_layer.conv", (*upper_out, 1))
    wanted += _pair(f"b1.a{module - 2}", "_output_layer.conv_surface", (*surface_out, 1))
    return wanted


def _statistics(sizes: PanguSizes) -> Iterator[Wanted]:
    for number, name in (9, "upper_mean"), (10, "upper_std"):
        yield Wanted(f"/b1/Constant_{number}", name, (sizes.n_levels, 1, 1, N_UPPER))
    for number, name in (11, "surface_mean"), (12, "surface_std"):
        yield Wanted(f"/b1/Constant_{number}", name, (N_SURFACE,))


def _maps(sizes: PanguSizes) -> Iterator[Wanted]:
    patch = sizes.config.patch
    _, lat, lon = volume_of((sizes.n_levels, *sizes.grid), patch)
    yield Wanted("/b1/Constant_17", "const_h", (1, 1, 1, sizes.n_levels, *sizes.grid))
    yield Wanted("/b1/Constant_44", "constant_maps", (1, N_MAPS, lat * patch[1], lon * patch[2]))


def _block(
    place: str, module: int, trace: int, n_tokens: int, width: int, n_heads: int, n_types: int
) -> Iterator[Wanted]:
    attention, mlp, hidden = f"{place}.attention", f"{place}.linear", 4 * width
    yield _matrix(trace, f"{attention}.linear1", width, 3 * width)
    yield Wanted(f"b1.a{module}.bias", f"{attention}.linear1.bias", (3 * width,))
    bias = (1, n_types, n_heads, n_tokens, n_tokens)
    yield Wanted(f"onnx::Add_{trace + 4}", f"{attention}.earth_specific_bias", bias)
    yield _matrix(trace + 5, f"{attention}.linear2", width, width)
    yield Wanted(f"b1.a{module + 1}.bias", f"{attention}.linear2.bias", (width,))
    yield from _pair(f"b1.a{module + 2}", f"{place}.norm1", (width,))
    yield _matrix(trace + 6, f"{mlp}.linear1", width, hidden)
    yield Wanted(f"b1.a{module + 4}.fc1.bias", f"{mlp}.linear1.bias", (hidden,))
    yield _matrix(trace + 7, f"{mlp}.linear2", hidden, width)
    yield Wanted(f"b1.a{module + 4}.fc2.bias", f"{mlp}.linear2.bias", (width,))
    yield from _pair(f"b1.a{module + 3}", f"{place}.norm2", (width,))


def _down(width: int, module: int, trace: int) -> Iterator[Wanted]:
    yield from _pair(f"b1.a{module - 2}", "backbone.downsample.norm", (4 * width,))
    yield _matrix(trace, "backbone.downsample.linear", 4 * width, 2 * width)


def _up(width: int, module: int, trace: int) -> Iterator[Wanted]:
    yield _matrix(trace - 5, "backbone.upsample.linear1", 2 * width, 4 * width)
    yield from _pair(f"b1.a{module - 1}", "backbone.upsample.norm", (width,))
    yield _matrix(trace - 4, "backbone.upsample.linear2", width, width)


def _matrix(trace: int, name: str, n_in: int, n_out: int) -> Wanted:
    return Wanted(f"onnx::MatMul_{trace}", f"{name}.weight", (n_in, n_out))


def _pair(published: str, name: str, shape: tuple[int, ...]) -> Iterator[Wanted]:
    """Weight and bias; a weight of several axes gives as many values as its first has entries."""
    yield Wanted(f"{published}.weight", f"{name}.weight", shape)
    yield Wanted(f"{published}.bias", f"{name}.bias", shape[:1])
