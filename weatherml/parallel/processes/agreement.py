"""What any of several processes has been asked for, so that all do it at the same step."""

from typing import Any

import jax
import numpy as np

from weatherml.parallel.processes.together import n_processes


class AnyOf:
    """Whether any process has been asked for something, so that all know it at the same step.

    What a process says is on its way while the next step is computed: nobody waits for it, and all hear it one step
    later, the same one.
    """

    def __init__(self) -> None:
        self._coming: Any = None

    def say(self, asked: bool) -> bool:
        """Say whether this process has been asked; return whether any had when this was called before.

        Every process must call it equally often. One that is alone hears itself at once.
        """
        if n_processes() == 1:
            return asked
        before, self._coming = self._coming, _sum_of(np.int32(asked))
        return before is not None and int(np.asarray(before.addressable_data(0))) > 0


def _sum_of(number: np.int32) -> jax.Array:
    """Return the sum over processes, once it is there."""
    devices = np.asarray([devices[0] for devices in _devices_of_processes()])
    mesh = jax.sharding.Mesh(devices, ("process",))
    spread = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("process"))  # type: ignore[no-untyped-call]
    everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())  # type: ignore[no-untyped-call]
    own = jax.make_array_from_process_local_data(spread, np.full(1, number))  # type: ignore[no-untyped-call]
    return _sum(own, everywhere)


def _sum(numbers: jax.Array, where: jax.sharding.NamedSharding) -> jax.Array:
    total: jax.Array = jax.jit(jax.numpy.sum, out_shardings=where)(numbers)
    return total


def _devices_of_processes() -> list[list[jax.Device]]:
    """Return the devices of each process, in order."""
    devices: list[list[jax.Device]] = [[] for _ in range(n_processes())]
    for device in jax.devices():
        devices[device.process_index].append(device)
    return devices
