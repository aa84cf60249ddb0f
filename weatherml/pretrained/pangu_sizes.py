"""The sizes of a Pangu-Weather, from the shapes of its tensors."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import isqrt, prod
from pathlib import Path
from typing import TypeVar

from weatherml.config import from_mapping
from weatherml.errors import UserError
from weatherml.models.layers.patches import volume_of
from weatherml.models.layers.windows import Windows
from weatherml.models.pangu import PanguConfig
from weatherml.pretrained.onnx_file import OnnxTensor

N_UPPER, N_SURFACE, N_MAPS = 5, 4, 3
"""Variables of the upper air and of the surface, and learned maps beside those of the surface."""

Pair = tuple[int, int]
T = TypeVar("T")


@dataclass(frozen=True)
class PanguSizes:
    """What the shapes of all tensors follow from.

    Attributes:
        config: Sizes of the network.
        n_levels: Levels of the upper air.
        grid: Rows and columns.
    """

    config: PanguConfig
    n_levels: int
    grid: Pair


def sizes_of(path: Path, found: Sequence[OnnxTensor]) -> PanguSizes:
    """Return the sizes of the network in a file.

    Windows leave no trace but their number of tokens and are the published ones. Layers on either side of the middle
    are alike.

    Raises:
        UserError: The tensors are not those of a Pangu-Weather.
    """
    shapes = [tensor.shape for tensor in found]
    n_tokens = prod(PanguConfig().window)
    height_maps = [shape[3:] for shape in shapes if len(shape) == 6 and shape[:3] == (1, 1, 1)]
    n_levels, lat, lon = _only(path, "map of heights (1, 1, 1, level, lat, lon)", height_maps)
    convolutions = [shape[:2] for shape in shapes if len(shape) == 3 and shape[2] == 1]
    width, patch = _only(path, "set of four convolutions, for patches in and out", _embeddings(convolutions))
    biases = [(shape[1], shape[2]) for shape in shapes if len(shape) == 5 and shape[3:] == (n_tokens, n_tokens)]
    heads = _heads(biases, types_of(n_levels, (lat, lon), patch))
    outer, inner = _only(path, f"biases (1, type, head, {n_tokens}, {n_tokens}) for its grid", [heads] if heads else [])
    # Rounded up, so that a matrix of a wrong shape is missed where it belongs.
    n_outer, n_inner = (-(-shapes.count((features, 3 * features)) // 2) for features in (width, 2 * width))
    sizes = {
        "patch": patch,
        "width": width,
        "depths": (n_outer, n_inner, n_inner, n_outer),
        "heads": (outer, inner, inner, outer),
    }
    return PanguSizes(from_mapping(PanguConfig, sizes, str(path)), n_levels, (lat, lon))


def _only(path: Path, what: str, candidates: Iterable[T]) -> T:
    found = list(candidates)
    if len(found) != 1:
        raise UserError(
            f"{path} is no Pangu-Weather: it has {len(found) or 'no'} {what}; pass pangu_weather_24.onnx or alike"
        )
    return found[0]


def _embeddings(shapes: Sequence[tuple[int, ...]]) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """Yield the width and the patch of every set of four convolutions `(out, in)` that belong together."""
    for upper, surface, *recoveries in permutations(shapes, 4):
        width, edge = surface[0], isqrt(surface[1] // (N_SURFACE + N_MAPS))
        n_levels = upper[1] // ((N_UPPER + 1) * max(edge, 1) ** 2)
        patch = n_levels, edge, edge
        if [upper, surface, *recoveries] == conv_shapes(width, patch):
            yield width, patch


def conv_shapes(width: int, patch: tuple[int, int, int]) -> list[Pair]:
    """Return `(out, in)` of the embeddings of upper air and surface, and of their recoveries."""
    volume, area = prod(patch), patch[1] * patch[2]
    return [
        (width, (N_UPPER + 1) * volume),
        (width, (N_SURFACE + N_MAPS) * area),
        (N_UPPER * volume, 2 * width),
        (N_SURFACE * area, 2 * width),
    ]


def types_of(n_levels: int, grid: Pair, patch: tuple[int, int, int]) -> Pair:
    """Return the types of windows in the outer layers and in the inner ones, of half as many rows and columns."""
    level, lat, lon = volume_of((n_levels, *grid), patch)
    fine, coarse = (level + 1, lat, lon), (level + 1, -(-lat // 2), -(-lon // 2))
    outer, inner = (Windows(volume, PanguConfig().window, shifted=False).n_types for volume in (fine, coarse))
    return outer, inner


def _heads(biases: Sequence[Pair], types: Pair) -> Pair | None:
    """Return the heads of outer and inner layers from (types, heads) of every bias.

    The masks of shifted blocks may look like biases of one head, but are fewer.
    """
    outer, inner = (
        [heads for heads, _ in Counter(h for n, h in biases if n == n_types).most_common(2)] for n_types in types
    )
    if not outer or not inner:
        return None
    # Where both have the same windows, the wider layers have the more heads.
    return (min(outer), max(inner)) if types[0] == types[1] else (outer[0], inner[0])
