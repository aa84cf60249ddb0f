"""The devices of this process."""

import os

import jax

from weatherml.errors import UserError


def require_devices() -> None:
    """Require that there is a device to compute on.

    Raises:
        UserError: There is none of the kind that JAX_PLATFORMS names.
    """
    local_devices()


def local_devices() -> list[jax.Device]:
    """Return the devices of this process.

    Raises:
        UserError: There is none of the kind that JAX_PLATFORMS names.
    """
    try:
        devices: list[jax.Device] = jax.local_devices()
    except (AssertionError, RuntimeError):  # the former where JAX was installed without a plugin for the platform
        asked = os.environ.get("JAX_PLATFORMS", "")
        raise UserError(
            f"JAX finds no device for JAX_PLATFORMS={asked} on this machine; unset it to take what there is, set it to"
            " cpu, or install JAX for the device (pip install 'weatherml[cuda13]')"
        ) from None
    return devices


def computes_once() -> bool:
    """Return whether the compiler makes one of what a program computes twice to save memory.

    XLA on a CPU takes away the barriers that should keep both apart, before it looks for what is equal.
    """
    platform: str = local_devices()[0].platform
    return platform == "cpu"


def device_room(device: jax.Device) -> int:
    """Return how many bytes programs may take on a device: nine tenths of its memory.

    Devices that compute in the machine's own memory, as CPUs do, share half of it; the rest is for everything else.
    """
    told = device.memory_stats() or {}
    if "bytes_limit" in told:
        return int(0.9 * told["bytes_limit"])
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return machine // 2 // len(local_devices())
