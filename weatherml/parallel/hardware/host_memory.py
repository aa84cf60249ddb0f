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
    """Move arrays to memory of the host, or say so in what is compiled; they stay with their devices."""
    moved: Tree = jax.device_put(tree, jax.memory.Space.Host)
    return moved


def to_device(tree: Tree) -> Tree:
    """Move arrays to memory of their devices, or say so in what is compiled."""
    moved: Tree = jax.device_put(tree, jax.memory.Space.Device)
    return moved
