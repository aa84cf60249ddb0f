"""The only room that knows devices."""

from weatherml.parallel.devices import device_room, local_devices, require_devices, split_cpu
from weatherml.parallel.layout import Layout
from weatherml.parallel.mesh import BATCH, MeshConfig, data_mesh, replicate, require_divisible, shard_batch

__all__ = [
    "BATCH",
    "Layout",
    "MeshConfig",
    "data_mesh",
    "device_room",
    "local_devices",
    "replicate",
    "require_devices",
    "require_divisible",
    "shard_batch",
    "split_cpu",
]
