"""Where everything lies on the devices: weights by their names, batches, and activations by the names of axes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self, TypeVar

import jax
import numpy as np
from jax import Array
from jax.sharding import AbstractMesh, Mesh, NamedSharding, PartitionSpec
from jax.tree_util import DictKey

from weatherml.axes import laying
from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.parallel.layouts.activations import ACTIVATIONS, Activations
from weatherml.parallel.layouts.mesh import FSDP, TENSOR, MeshConfig, divisors
from weatherml.parallel.layouts.own_samples import OfSamples, Weights, mean_over_devices, shares_only_samples
from weatherml.parallel.layouts.placement import Placement
from weatherml.parallel.layouts.placing import moved, place
from weatherml.parallel.layouts.portion import Portion
from weatherml.parallel.layouts.rules import Rules, rules_of
from weatherml.parallel.processes.together import is_first

Tree = TypeVar("Tree")


@dataclass(frozen=True, eq=False)
class Layout:
    """Where arrays lie on a mesh.

    Attributes:
        mesh: The devices; or an outline of them, on which nothing can be placed.
        rules: How the weights of a network are split over `tensor`.
    """

    mesh: Mesh | AbstractMesh
    rules: Rules = field(default_factory=dict)

    @classmethod
    def of(cls, config: MeshConfig, network: str, n_devices: int | None = None) -> Self:
        """Return the layout of a network, by its name in the registry of models.

        Args:
            config: How devices share the work.
            network: The name.
            n_devices: Of an outline, for which no device need be here; all devices when None.

        Raises:
            UserError: The mesh does not fit the devices or the network.
        """
        rules = rules_of(network)
        if config.tensor > 1 and not rules:
            raise UserError(
                f"no rules say how the weights of {network!r} are split over tensor, got tensor {config.tensor};"
                " leave it out, or register some (weatherml.parallel.layouts.rules)"
            )
        return cls(config.build() if n_devices is None else config.outline(n_devices), rules)

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
        """Return how a weight is kept, by its dotted name such as `network.blocks.0.mlp.expand.kernel`."""
        return self._placement.kept(name, shape)

    def state(self, tree: Any) -> Any:
        """Return how each array of a tree is kept: as the weight that the last key on the way to it names, if any."""
        return jax.tree_util.tree_map_with_path(self._kept, tree)

    @cached_property
    def portion(self) -> Portion:
        """What this process makes of every batch.

        Raises:
            UserError: That is no whole part.
        """
        return Portion.of(self.batch)

    def require_split(self, weights: Mapping[str, Any]) -> None:
        """Require that `tensor` splits a weight, or devices would do the same work.

        Raises:
            UserError: It divides nothing that rules would split.
        """
        n_parts = self.mesh.shape[TENSOR]
        sizes = {size for name, array in weights.items() for size in self._placement.sizes(name, array.shape)}
        if n_parts > 1 and all(size % n_parts for size in sizes):
            fitting = sorted({part for size in sizes for part in divisors(size) if part > 1})
            raise UserError(
                f"tensor {n_parts} of the mesh divides no part of the network that can be split;"
                f" choose {listed(fitting) or 1}"
            )

    def placed(self, tree: Tree) -> Tree:
        """Put what belongs to weights where it is kept; a device takes no more than its part."""
        return place(tree, self.state(tree))

    def moved(self, tree: Tree) -> Tree:
        """Bring what belongs to weights from where another layout of the same devices keeps it; it is consumed."""
        return moved(tree, self.state(tree))

    def place_batch(self, tree: Tree) -> Tree:
        """Spread batches `[batch, step, channel, lat, lon]`, of which each process has made its portion."""
        return self.portion.place(tree, self.batch)

    def fetch(self, tree: Tree) -> Tree:
        """Return arrays in full, from whatever devices they lie on, on the first process; None for each on others.

        One after the other: devices never hold more than one that is gathered, and other hosts none.
        """
        fetched: Tree = jax.tree.map(self._fetched, tree)
        return fetched

    def used(self, weights: Mapping[str, Array]) -> dict[str, Array]:
        """Return weights in a program as products take them: `fsdp` parts of them put together.

        Left to itself XLA would rather send activations about, which are larger.
        """
        if self.mesh.shape[FSDP] == 1:
            return dict(weights)
        return {name: _lie(array, self._placement.used(name, array.shape)) for name, array in weights.items()}

    def keep(self, tree: Tree) -> Tree:
        """Return in a program what belongs to weights, such as gradients, as it is kept."""
        kept: Tree = jax.tree.map(_lie, tree, self.state(tree))
        return kept

    def everywhere(self, tree: Tree) -> Tree:
        """Return in a program what every device is to have as a whole."""
        whole: Tree = jax.tree.map(lambda array: _lie(array, self.replicated), tree)
        return whole

    def place_maps(self, tree: Tree, grid: tuple[int, ...]) -> Tree:
        """Cut what is told of every point of a grid `(lat, lon)` as fields are; copy all else to every device."""

        def placed(array: Any) -> Any:
            is_map = array.shape[-2:] == grid
            names = (*[None] * (array.ndim - 2), "lat", "lon") if is_map else ()
            return place(array, self.activation(*names))

        maps: Tree = jax.tree.map(placed, tree)
        return maps

    def mean(self, function: OfSamples, weights: Weights, told: Any, samples: Any) -> tuple[Array, Weights]:
        """Return in a program `function(laying, weights, told, samples)`, means over samples, activations laid out.

        Args:
            function: What `laying` says of weights is for it to ask: it is this layout, or that of a device alone.
            weights: As they are kept.
            told: What else belongs to no sample.
            samples: Arrays `[batch, ...]`.
        """
        if shares_only_samples(self.mesh):
            kept = {name: self.weight(name, array.shape) for name, array in weights.items()}
            assert isinstance(self._placement.mesh_in_factors, Mesh)
            return mean_over_devices(function, kept, self._placement.mesh_in_factors)(weights, told, samples)
        with self.naming():
            return function(self, weights, told, samples)

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Give the axes that a network names to the mesh, in what is traced within."""
        with laying(Activations(self.mesh)):
            yield

    @cached_property
    def _placement(self) -> Placement:
        return Placement(self.mesh, self.rules)

    def _kept(self, path: tuple[Any, ...], array: Any) -> NamedSharding:
        names = [key.key for key in path if isinstance(key, DictKey)]
        return self.weight(str(names[-1]), array.shape) if names else self.replicated

    def _fetched(self, array: Array) -> np.ndarray | None:
        if not (array.is_fully_addressable or array.is_fully_replicated):
            array = self._gather(array)
        if not is_first():
            jax.block_until_ready(array)  # type: ignore[no-untyped-call]
            return None
        return np.asarray(array)

    @cached_property
    def _gather(self) -> Callable[[Array], Array]:
        """The program that puts an array together on every device; compiled once a shape."""
        gather: Callable[[Array], Array] = jax.jit(lambda array: array, out_shardings=self.replicated)
        return gather

    def _sharding(self, *axes: str | tuple[str, ...] | None) -> NamedSharding:
        return NamedSharding(self.mesh, PartitionSpec(*axes))  # type: ignore[no-untyped-call]


def _lie(x: Array, where: NamedSharding) -> Array:
    lying: Array = jax.lax.with_sharding_constraint(x, where)  # type: ignore[no-untyped-call]
    return lying
