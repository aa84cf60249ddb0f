"""Pangu-Weather files at a size that takes milliseconds: as published, renumbered, or with other names and a graph."""

import re

import numpy as np
from onnx_writer import Tensor, node, write_onnx

from weatherml.models import PanguConfig
from weatherml.pretrained.pangu_names import wanted_tensors
from weatherml.pretrained.pangu_sizes import PanguSizes

SIZES = PanguSizes(PanguConfig(patch=(2, 3, 3), width=4, depths=(2, 6, 6, 2), heads=(1, 2, 2, 1)), 13, (20, 36))


def position_index():
    """Return the entry of the table for each query and key of a window of 2 x 6 x 12, as published."""
    level, lat, lon = (axis.ravel() for axis in np.meshgrid(*map(np.arange, (2, 6, 12)), indexing="ij"))
    levels = level[:, None] + 2 * level
    latitudes = lat[:, None] + 6 * lat
    return (levels * 36 + latitudes) * 23 + lon[:, None] - lon + 11


def draw_one(wanted, seed):
    """Draw the values of one tensor, in the layout of the file."""
    rng = np.random.default_rng(seed)
    if len(wanted.shape) == 5:  # a bias: the entries of a table, at each query and key
        tables = rng.normal(size=(*wanted.shape[:3], 3312)).astype(np.float32)
        return np.take(tables, position_index(), axis=-1)
    values = rng.normal(0, 0.4, wanted.shape).astype(np.float32)
    return np.abs(values) + 1 if wanted.name.endswith("_std") else values


def draw(sizes=SIZES):
    """Draw what a file holds by our name for it, in the file's layout."""
    return {wanted.name: draw_one(wanted, seed) for seed, wanted in enumerate(wanted_tensors(sizes))}


def as_published(arrays, sizes=SIZES, rename=lambda name: name):
    """Return the tensors of a file with published names, changed by `rename`."""
    return [
        Tensor(rename(wanted.published), array.shape, lambda array=array: array, wanted.published.startswith("/"))
        for wanted in wanted_tensors(sizes)
        if (array := arrays.get(wanted.name)) is not None
    ]


def renumbered(shift):
    """Return a function that adds to the last number of a name's stem."""
    return lambda name: re.sub(r"(?<=[a_])\d+", lambda match: str(int(match[0]) + shift), name, count=1)


def write_with_graph(path, arrays, sizes=SIZES, surface_first=False):
    """Write a file of meaningless names in a meaningless order, with the operations that read them.

    Statistics are written a second time, for the way back to physical units, as exporters do.
    """
    wanted = wanted_tensors(sizes, surface_first)
    names = dict(zip((one.name for one in wanted), np.random.default_rng(7).permutation(len(wanted)), strict=True))
    tensors = [Tensor(f"t{names[one.name]}", one.shape, lambda one=one: arrays[one.name]) for one in wanted]
    repeats = [
        Tensor(f"again{place}", one.shape, lambda one=one: arrays[one.name])
        for place, one in enumerate(wanted)
        if one.name.endswith(("_mean", "_std"))
    ]
    read = [f"t{names[one.name]}" for one in wanted] + [tensor.name for tensor in repeats]
    nodes = [node("Mul", ["x", name]) for name in read]
    return write_onnx(path, sorted(repeats + tensors, key=lambda tensor: tensor.name), nodes)
