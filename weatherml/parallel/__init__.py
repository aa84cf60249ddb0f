"""The only room that knows devices."""

from weatherml.parallel.devices import device_room, local_devices, require_devices, split_cpu
from weatherml.parallel.mesh import BATCH, data_mesh, replicate, require_divisible, shard_batch

__all__ = [
    "BATCH",
    "data_mesh",
    "device_room",
    "local_devices",
    "replicate",
    "require_devices",
    "require_divisible",
    "shard_batch",
    "split_cpu",
]
