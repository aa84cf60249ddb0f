"""The cores of this machine as devices."""

import os
from collections.abc import Collection

import jax

from weatherml.parallel.layouts.mesh import MeshConfig
from weatherml.parallel.processes.joining import ALONE, Processes

_MOST_CPU_DEVICES = 4
"""Beyond, one device with several threads does as well, and weights are held fewer times."""


def split_cpu(batches: Collection[tuple[MeshConfig, int]], processes: Processes = ALONE) -> None:
    """Let cores be devices of their own, as many as suit all batches; call it before the first computation.

    Programs of small arrays keep one core busy, however many there are. Accelerators, and a number of devices that the
    environment says (`JAX_NUM_CPU_DEVICES`, `XLA_FLAGS`), are left as they are.

    Args:
        batches: Samples that are computed at once, each with the mesh on which they are.
        processes: That compute them together.
    """
    is_said = "JAX_NUM_CPU_DEVICES" in os.environ or "host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if not is_said:
        most = min(max(1, _n_cores() // processes.n_here), _MOST_CPU_DEVICES)
        numbers = range(1, most + 1)
        suiting = [n for n in numbers if all(mesh.suits(n * processes.count, size) for mesh, size in batches)]
        jax.config.update("jax_num_cpu_devices", max(suiting, default=1))  # type: ignore[no-untyped-call]


def _n_cores() -> int:
    """Return how many cores this process may use; a task of SLURM is given some, whether or not it is kept to them."""
    if "SLURM_STEP_NUM_TASKS" in os.environ:
        return int(os.environ.get("SLURM_CPUS_PER_TASK", 1))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
