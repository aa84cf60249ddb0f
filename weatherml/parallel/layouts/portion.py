"""What one of several processes makes of every batch, and how what all have made becomes one."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Self, TypeVar

import jax
import numpy as np
from jax.sharding import NamedSharding

from weatherml.errors import UserError
from weatherml.parallel.layouts.placing import place
from weatherml.parallel.processes.together import n_processes

Tree = TypeVar("Tree")

_SAMPLE, _LAT = 0, 3
"""Axes of batches `[batch, step, channel, lat, lon]` of which a process makes a part."""


@dataclass(frozen=True)
class Part:
    """One of several equal parts.

    Attributes:
        index: Which.
        count: How many there are.
    """

    index: int = 0
    count: int = 1

    def of(self, size: int) -> slice:
        """Return where it lies among `size` things in a row."""
        own = size // self.count
        return slice(self.index * own, (self.index + 1) * own)


def hull(slices: Iterable[slice]) -> slice:
    """Return the shortest slice that holds all of some."""
    known = list(slices)
    return slice(min(one.start for one in known), max(one.stop for one in known))


@dataclass(frozen=True)
class Portion:
    """What this process makes of every batch: a run of its samples, and of each a band of latitudes.

    Attributes:
        samples: Which part of the samples.
        rows: Which part of the latitudes.
    """

    samples: Part
    rows: Part

    @property
    def n_parts(self) -> int:
        """Of how many such portions a batch consists."""
        return self.samples.count * self.rows.count

    @classmethod
    def of(cls, sharding: NamedSharding) -> Self:
        """Return what the devices of this process need of batches that lie so.

        Raises:
            UserError: That is no whole part.
        """
        return cls(_own_part(sharding, _SAMPLE), _own_part(sharding, _LAT))

    @classmethod
    def outline(cls, sharding: NamedSharding, n_processes: int) -> Self:
        """Return what the first of several processes will need, whose devices need not be here.

        Those of a process are neighbours on the mesh, and as many as those of any other.

        Raises:
            UserError: That is no whole part.
        """
        own = sharding.mesh.size // n_processes
        held = [_whole_part(sharding, axis, _pieces_of_first(sharding, axis, own), own) for axis in (_SAMPLE, _LAT)]
        return cls(*held)

    def place(self, tree: Tree, sharding: NamedSharding) -> Tree:
        """Make batches of all processes out of what each has made `[batch, step, channel, lat, lon]`."""
        if n_processes() == 1:
            return place(tree, jax.tree.map(lambda _: sharding, tree))
        counts = {_SAMPLE: self.samples.count, _LAT: self.rows.count}

        def spread(own: np.ndarray) -> jax.Array:
            shape = tuple(size * counts.get(axis, 1) for axis, size in enumerate(own.shape))
            laid: jax.Array = jax.make_array_from_process_local_data(sharding, own, shape)  # type: ignore[no-untyped-call]
            return laid

        everywhere: Tree = jax.tree.map(spread, tree)
        return everywhere


def _own_part(sharding: NamedSharding, axis: int) -> Part:
    """Return which part of an axis the devices of this process hold, all of them together."""
    pieces = [_n_pieces(sharding, axis) for axis in range(len(sharding.spec))]
    if axis >= len(pieces):
        return Part()
    held = sharding.addressable_devices_indices_map(tuple(pieces)).values()
    own = {index[axis].start or 0 for index in held if index is not None}
    return _whole_part(sharding, axis, own, jax.local_device_count())


def _pieces_of_first(sharding: NamedSharding, axis: int, n_devices: int) -> set[int]:
    """Return which pieces of an axis the first devices of a mesh hold."""
    sizes, names = sharding.mesh.shape, _names(sharding, axis)
    places = dict(zip(sizes, np.unravel_index(np.arange(n_devices), tuple(sizes.values())), strict=True))
    pieces = np.ravel_multi_index([places[name] for name in names], [sizes[name] for name in names])
    return set(pieces.tolist())


def _whole_part(sharding: NamedSharding, axis: int, own: set[int], n_devices: int) -> Part:
    """Return the part that some pieces of an axis are, held by the devices of a process."""
    first, size, n_pieces = min(own), len(own), _n_pieces(sharding, axis)
    if n_pieces % size or first % size or max(own) - first + 1 != size:
        raise UserError(
            f"training.mesh {dict(sharding.mesh.shape)} gives this process no whole part of a batch; let the product of"
            f" all but data and fsdp divide the {n_devices} devices of a process, or be a multiple of it"
        )
    return Part(first // size, n_pieces // size)


def _n_pieces(sharding: NamedSharding, axis: int) -> int:
    """Return into how many pieces an axis is cut."""
    return prod(sharding.mesh.shape[name] for name in _names(sharding, axis))


def _names(sharding: NamedSharding, axis: int) -> tuple[str, ...]:
    """Return the mesh axes over which an axis is cut."""
    names = sharding.spec[axis]
    return (names,) if isinstance(names, str) else tuple(names or ())
