"""The mesh that devices form, and how batches and weights lie on it."""

from typing import TypeVar

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from weatherml.errors import UserError
from weatherml.parallel.devices import require_devices

Tree = TypeVar("Tree")

BATCH = "batch"
"""The mesh axis over which samples are spread."""


def data_mesh() -> Mesh:
    """Return the mesh of every device in one row, for data parallelism: samples are spread, weights are everywhere.

    Raises:
        UserError: There is no device to compute on.
    """
    require_devices()
    return Mesh(np.asarray(jax.devices()), (BATCH,))


def replicate(tree: Tree, mesh: Mesh) -> Tree:
    """Put a copy of every array of `tree` on every device."""
    placed: Tree = jax.device_put(tree, _sharding(mesh))
    return placed


def shard_batch(tree: Tree, mesh: Mesh) -> Tree:
    """Spread the first axis of every array of `tree` over the devices."""
    placed: Tree = jax.device_put(tree, _sharding(mesh, BATCH))
    return placed


def _sharding(mesh: Mesh, *axes: str) -> NamedSharding:
    return NamedSharding(mesh, PartitionSpec(*axes))  # type: ignore[no-untyped-call]


def require_divisible(batch_size: int, mesh: Mesh) -> None:
    """Require that every device gets the same number of samples.

    Raises:
        UserError: The batch size is not a multiple of the number of devices.
    """
    if batch_size % mesh.size:
        raise UserError(f"batch_size must be a multiple of the number of devices ({mesh.size}), got {batch_size}")
