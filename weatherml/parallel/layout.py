"""Where everything lies on the devices: weights by their names, batches, and activations by the names of axes."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any, TypeVar

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from weatherml.axes import laying
from weatherml.parallel.activations import ACTIVATIONS, Activations
from weatherml.parallel.mesh import FSDP
from weatherml.parallel.placing import place

Tree = TypeVar("Tree")

Axes = tuple[str | None, ...]
"""Over which mesh axis each axis of an array is split."""

Rules = Mapping[str, Axes]
"""Regular expression of the dotted names of weights to their axes; the first that fits counts."""


@dataclass(frozen=True)
class Layout:
    """Where arrays lie on a mesh.

    Attributes:
        mesh: The devices.
        rules: How the weights of a network are split over `tensor`.
    """

    mesh: Mesh
    rules: Rules = field(default_factory=dict)

    @cached_property
    def replicated(self) -> NamedSharding:
        """A copy on every device."""
        return self._sharding()

    @cached_property
    def batch(self) -> NamedSharding:
        """Samples `[batch, step, channel, lat, lon]`, spread over devices and cut into bands of the grid."""
        return self.activation("sample", None, None, "lat", "lon")

    def activation(self, *names: str | None) -> NamedSharding:
        """Return how an array with axes of these names lies."""
        return self._sharding(*(ACTIVATIONS.get(name or "") for name in names))

    def weight(self, name: str, shape: tuple[int, ...]) -> NamedSharding:
        """Return how a weight lies, by its dotted name such as `network.blocks.0.mlp.expand.kernel`."""
        axes = next((axes for rule, axes in self.rules.items() if re.search(rule, name)), ())
        split = [axis if axis and size % self._size(axis) == 0 else None for axis, size in zip(axes, shape)]  # noqa: B905
        split += [None] * (len(shape) - len(split))
        whole = [place for place, axis in enumerate(split) if axis is None and shape[place] % self._size(FSDP) == 0]
        if len(shape) > 1 and whole and self._size(FSDP) > 1:
            split[max(whole, key=lambda place: shape[place])] = FSDP
        return self._sharding(*split)

    def weights(self, weights: Mapping[str, Any]) -> dict[str, NamedSharding]:
        """Return how every weight lies."""
        return {name: self.weight(name, array.shape) for name, array in weights.items()}

    def replicate(self, tree: Tree) -> Tree:
        """Put a copy of every array of `tree` on every device."""
        placed: Tree = place(tree, self.replicated)
        return placed

    def place_batch(self, tree: Tree) -> Tree:
        """Spread arrays `[batch, step, channel, lat, lon]` over the devices."""
        placed: Tree = place(tree, self.batch)
        return placed

    def place_maps(self, tree: Tree, grid: tuple[int, int]) -> Tree:
        """Cut what is told of every point of a grid `(lat, lon)` as fields are; copy all else to every device."""

        def placed(array: Any) -> Any:
            is_map = array.shape[-2:] == grid
            names = (*[None] * (array.ndim - 2), "lat", "lon") if is_map else ()
            return place(array, self.activation(*names))

        maps: Tree = jax.tree.map(placed, tree)
        return maps

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Give the axes that a network names to the mesh, in what is traced within."""
        with laying(Activations(self.mesh)):
            yield

    def _size(self, *axes: str) -> int:
        return prod(self.mesh.shape[axis] for axis in axes)

    def _sharding(self, *axes: str | tuple[str, ...] | None) -> NamedSharding:
        return NamedSharding(self.mesh, PartitionSpec(*axes))  # type: ignore[no-untyped-call]
