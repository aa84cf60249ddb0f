"""Over which mesh axes the named axes of activations are split."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
from jax import Array
from jax.sharding import AbstractMesh, Mesh, NamedSharding, PartitionSpec

from weatherml.axes import Names
from weatherml.parallel.layouts.mesh import DATA, FSDP, LAT, LON, MEMBER, TENSOR

ACTIVATIONS: dict[str, tuple[str, ...]] = {
    "sample": (DATA, FSDP),
    "batch": (DATA, FSDP, MEMBER),
    "member": (MEMBER,),
    "lat": (LAT,),
    "lon": (LON,),
    "hidden": (TENSOR,),
    "head": (TENSOR,),
    # Channels that an AFNO's filter is given; and its diagonal blocks, while a field is whole along longitude, where
    # `tensor` divides them, and where not.
    "channel": (TENSOR,),
    "block": (TENSOR, LON),
    "zonal_block": (LON,),
    # Orders and degrees of spherical harmonics, while a field is whole; and degrees where they are filtered.
    "order": (LAT,),
    "degree": (LON,),
    "filter_degree": (LON, TENSOR),
}
"""Mesh axes, the outermost first. A sample's members lie side by side in a batch, `[batch * member]`."""


@dataclass(frozen=True)
class Activations:
    """What the names of axes of activations are worth on a mesh: a `weatherml.axes.Rule`.

    Attributes:
        mesh: The devices.
    """

    mesh: Mesh | AbstractMesh

    def sizes(self, name: str) -> dict[str, int]:
        """Return the mesh axes over which an axis is split, the outermost first, with their sizes above one."""
        return {axis: self.mesh.shape[axis] for axis in ACTIVATIONS.get(name, ()) if self.mesh.shape[axis] > 1}

    def constrain(self, x: Array, names: Names) -> Array:
        """Return the same values, laid out."""
        if self.mesh.size == 1:
            return x
        sharding = NamedSharding(self.mesh, self.spec(names))
        laid: Array = jax.lax.with_sharding_constraint(x, sharding)  # type: ignore[no-untyped-call]
        return laid

    def spread(self, function: Callable[..., Array], inputs: Sequence[Names], output: Names) -> Callable[..., Array]:
        """Return `function` of whole arrays from that of each device's parts."""
        used = self._mesh_axes([name for names in (*inputs, output) for name in names])
        alike = [tuple(axis for axis in used if axis not in self._mesh_axes(names)) for names in inputs]

        def of_parts(*parts: Array) -> Array:
            # Told to differ where they do not, so that cotangents, which do, are summed over devices once, and here.
            told = [_differing(part, axes) for part, axes in zip(parts, alike, strict=True)]
            return function(*told)

        specs: Any = tuple(map(self.spec, inputs))
        whole: Callable[..., Array] = jax.shard_map(
            of_parts, mesh=self.mesh, in_specs=specs, out_specs=self.spec(output)
        )
        return whole

    def spec(self, names: Names) -> PartitionSpec:
        """Return the mesh axes of more than one device of an array whose axes have these names."""
        return PartitionSpec(*(tuple(self.sizes(name or "")) or None for name in names))  # type: ignore[no-untyped-call]

    def _mesh_axes(self, names: Iterable[str | None]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(axis for name in names for axis in self.sizes(name or "")))


def _differing(part: Array, mesh_axes: tuple[str, ...]) -> Array:
    """Return an array that is the same along these mesh axes as one that may differ."""
    differing: Array = jax.lax.pcast(part, mesh_axes, to="varying") if mesh_axes else part
    return differing
