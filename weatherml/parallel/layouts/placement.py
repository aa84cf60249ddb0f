"""Where weights lie: split over `tensor` by the rules of their network, and what is left over `fsdp`."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from math import prod

from jax.sharding import AbstractMesh, AxisType, Mesh, NamedSharding, PartitionSpec

from weatherml.parallel.layouts.mesh import AXES, FSDP
from weatherml.parallel.layouts.rules import Axes, Rules


@dataclass(frozen=True, eq=False)
class Placement:
    """Where weights lie on a mesh.

    Few weights have an axis that, say, 64 divides, but 4 divides one and 16 another. `fsdp` is therefore cut into its
    prime factors, each an axis of a finer mesh of the same devices in the same order.

    Attributes:
        mesh: The devices.
        rules: Of the network.
    """

    mesh: Mesh | AbstractMesh
    rules: Rules

    def kept(self, name: str, shape: tuple[int, ...]) -> NamedSharding:
        """Return where a weight is kept between its uses, and so its gradient, moments and average."""
        split = self._by_rule(name, shape)
        # Vectors, such as biases, lie whole: all together they are little, and each would be a message of its own.
        if len(shape) > 1:
            self._cut(split, shape)
        return self._sharding(split)

    def used(self, name: str, shape: tuple[int, ...]) -> NamedSharding:
        """Return where a weight lies when it is multiplied: `fsdp` splits nothing."""
        return self._sharding(self._by_rule(name, shape))

    def sizes(self, name: str, shape: tuple[int, ...]) -> list[int]:
        """Return the lengths of the axes that rules would split."""
        return [size for axis, size in zip(self._axes(name), shape, strict=False) if axis is not None]

    def _axes(self, name: str) -> Axes:
        """Return what the first rule that fits says."""
        return next((axes for pattern, axes in self.rules.items() if fnmatchcase(name, pattern)), ())

    def _by_rule(self, name: str, shape: tuple[int, ...]) -> list[tuple[str, ...]]:
        """Return the mesh axes over which each axis is split, as far as they divide it."""
        split: list[tuple[str, ...]] = [()] * len(shape)
        for place, (axis, size) in enumerate(zip(self._axes(name), shape, strict=False)):
            if axis is not None and size % self.mesh.shape[axis] == 0:
                split[place] = (axis,)
        return split

    def _cut(self, split: list[tuple[str, ...]], shape: tuple[int, ...]) -> None:
        """Cut what is left of a weight into the parts of `fsdp`: along one axis if it can be, the longest."""
        left = [size // self._n_parts(axes) for axes, size in zip(split, shape, strict=True)]
        whole = tuple(self._factors)
        divides = any(size % self._n_parts(whole) == 0 for size in left)
        for axes in [whole] if divides else [(axis,) for axis in whole]:
            n_parts = self._n_parts(axes)
            places = [place for place, size in enumerate(left) if size % n_parts == 0]
            if places:
                longest = max(places, key=left.__getitem__)
                split[longest] += axes
                left[longest] //= n_parts

    @cached_property
    def _factors(self) -> dict[str, int]:
        """The axes of the finer mesh that make up `fsdp`, with their sizes."""
        primes = sorted(_primes(self.mesh.shape[FSDP]), reverse=True)  # few axes have the larger ones
        return {f"{FSDP}{index}": prime for index, prime in enumerate(primes)}

    @cached_property
    def mesh_in_factors(self) -> Mesh | AbstractMesh:
        """The same devices in the same order, `fsdp` cut into its prime factors."""
        if not self._factors:
            return self.mesh
        shape = {axis: size for axis, size in self.mesh.shape.items() if axis != FSDP}
        before = dict(list(shape.items())[: AXES.index(FSDP)])
        finer = before | self._factors | shape
        sizes, names, types = tuple(finer.values()), tuple(finer), (AxisType.Auto,) * len(finer)
        if isinstance(self.mesh, AbstractMesh):
            return AbstractMesh(sizes, names, types)
        return Mesh(self.mesh.devices.reshape(sizes), names, types)

    def _n_parts(self, axes: tuple[str, ...]) -> int:
        return prod(self.mesh_in_factors.shape[axis] for axis in axes)

    def _sharding(self, split: list[tuple[str, ...]]) -> NamedSharding:
        spec = PartitionSpec(*(axes or None for axes in split))  # type: ignore[no-untyped-call]
        return NamedSharding(self.mesh_in_factors, spec)


def _primes(number: int) -> Iterator[int]:
    """Yield the prime factors of a number."""
    factor = 2
    while number > 1:
        while number % factor == 0:
            yield factor
            number //= factor
        factor += 1
