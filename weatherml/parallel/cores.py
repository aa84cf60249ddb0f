"""The cores of this machine as devices."""

import os

import jax

from weatherml.parallel.mesh import MeshConfig

_MOST_CPU_DEVICES = 4
"""Beyond, one device with several threads does as well, and weights are held fewer times."""


def split_cpu(batch_size: int, mesh: MeshConfig) -> None:
    """Let cores be devices of their own, as many as suit a batch and a mesh; call it before the first computation.

    Programs of small arrays keep one core busy, however many there are. Accelerators, and a number of devices that the
    environment says (`JAX_NUM_CPU_DEVICES`, `XLA_FLAGS`), are left as they are.
    """
    is_said = "JAX_NUM_CPU_DEVICES" in os.environ or "host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if not is_said:
        most = min(_n_cores(), _MOST_CPU_DEVICES)
        suiting = [n for n in range(1, most + 1) if mesh.suits(n, batch_size)]
        jax.config.update("jax_num_cpu_devices", max(suiting, default=1))  # type: ignore[no-untyped-call]


def _n_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
