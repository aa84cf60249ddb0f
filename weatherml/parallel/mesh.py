"""The mesh that devices form, and how batches and weights lie on it."""

from collections.abc import Sequence
from typing import TypeVar

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from pydantic import PositiveInt

from weatherml.config import Config
from weatherml.errors import UserError
from weatherml.parallel.devices import require_devices
from weatherml.parallel.placing import place
from weatherml.parallel.portion import Portion

Tree = TypeVar("Tree")

DATA, FSDP, MEMBER, LAT, LON, TENSOR = AXES = ("data", "fsdp", "member", "lat", "lon", "tensor")
"""The axes of every mesh, the outermost first: devices of the last are neighbours."""

BATCH = "batch"
"""The mesh axis over which samples are spread."""


class MeshConfig(Config):
    """How devices share the work: the product of all is their number.

    Attributes:
        data: Parts of a batch, each with weights of its own; all devices that are left when None.
        fsdp: Parts of a batch whose devices share one copy of weights, optimiser state and average.
        spatial: Bands of latitude that a field is cut into, or [bands of latitude, bands of longitude].
        tensor: Parts of attention heads, widths of MLPs and spectral blocks.
        member: Parts of the members of a sample, where several are judged together.
    """

    data: PositiveInt | None = None
    fsdp: PositiveInt = 1
    spatial: PositiveInt | tuple[PositiveInt, PositiveInt] = 1
    tensor: PositiveInt = 1
    member: PositiveInt = 1

    def build(self, devices: Sequence[jax.Device] | None = None) -> Mesh:
        """Return the mesh of these devices, or of all there are.

        Raises:
            UserError: The product does not divide their number, or there is none.
        """
        require_devices()
        devices = jax.devices() if devices is None else devices
        lat, lon = self.spatial if isinstance(self.spatial, tuple) else (self.spatial, 1)
        rest = self.fsdp * self.member * lat * lon * self.tensor
        data = self.data or max(1, len(devices) // rest)
        if data * rest != len(devices):
            raise UserError(f"a mesh of {data * rest} devices does not fit the {len(devices)} that there are")
        shape = (data, self.fsdp, self.member, lat, lon, self.tensor)
        return jax.make_mesh(shape, AXES, (AxisType.Auto,) * len(AXES), devices=devices)


def data_mesh() -> Mesh:
    """Return the mesh of every device in one row, for data parallelism: samples are spread, weights are everywhere.

    Raises:
        UserError: There is no device to compute on.
    """
    require_devices()
    return Mesh(np.asarray(jax.devices()), (BATCH,))


def replicate(tree: Tree, mesh: Mesh) -> Tree:
    """Put a copy of every array of `tree` on every device."""
    placed: Tree = place(tree, _sharding(mesh))
    return placed


def shard_batch(tree: Tree, mesh: Mesh) -> Tree:
    """Spread the first axis of every array of `tree`, of which each process has its own run, over the devices."""
    return portion(mesh).place(tree, _sharding(mesh, BATCH))


def portion(mesh: Mesh) -> Portion:
    """Return what this process makes of every batch."""
    return Portion.of(_sharding(mesh, BATCH))


def _sharding(mesh: Mesh, *axes: str) -> NamedSharding:
    return NamedSharding(mesh, PartitionSpec(*axes))  # type: ignore[no-untyped-call]


def require_divisible(batch_size: int, mesh: Mesh) -> None:
    """Require that every device gets the same number of samples.

    Raises:
        UserError: The batch size is not a multiple of the number of devices.
    """
    if batch_size % mesh.size:
        raise UserError(f"batch_size must be a multiple of the number of devices ({mesh.size}), got {batch_size}")
