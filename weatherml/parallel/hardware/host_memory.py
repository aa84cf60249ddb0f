"""Memory of the host that devices reach, for what they need once a step and not in between."""

from typing import TypeVar

import jax

from weatherml.errors import UserError
from weatherml.parallel.hardware.devices import local_devices

Tree = TypeVar("Tree")

_HOST = "pinned_host"


def require_host_memory(key: str) -> None:
    """Require that the devices of this process reach memory of the host.

    Args:
        key: The setting that asks for it.

    Raises:
        UserError: They do not.
    """
    for device in local_devices():
        kinds = {memory.kind for memory in device.addressable_memories()}
        if _HOST not in kinds:
            raise UserError(
                f"{key} needs memory of kind {_HOST}, which {device.device_kind} devices do not have"
                f" ({', '.join(sorted(kinds))}); set {key}=[]"
            )


def to_host(tree: Tree) -> Tree:
    """Move arrays to memory of the host, or say so in what is compiled; they stay with their devices.

    Abstract arrays only say that they lie there.
    """
    if any(isinstance(array, jax.ShapeDtypeStruct) for array in jax.tree.leaves(tree)):
        outlines: Tree = jax.tree.map(_on_host, tree)
        return outlines
    moved: Tree = jax.device_put(tree, jax.memory.Space.Host)
    return moved


def _on_host(array: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    sharding = array.sharding.with_memory_kind(_HOST)
    return jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=sharding)  # type: ignore[no-untyped-call]


def to_device(tree: Tree) -> Tree:
    """Move arrays to memory of their devices, or say so in what is compiled."""
    moved: Tree = jax.device_put(tree, jax.memory.Space.Device)
    return moved
