"""The only room that knows devices."""

from weatherml.parallel.agreement import AnyOf
from weatherml.parallel.devices import device_room, local_devices, require_devices, split_cpu
from weatherml.parallel.layout import Layout
from weatherml.parallel.mesh import BATCH, MeshConfig, data_mesh, portion, replicate, require_divisible, shard_batch
from weatherml.parallel.portion import Portion
from weatherml.parallel.processes import Processes, join, leave
from weatherml.parallel.together import JointError, broadcast, is_first, meet, n_processes, together

__all__ = [
    "BATCH",
    "AnyOf",
    "JointError",
    "Layout",
    "MeshConfig",
    "Portion",
    "Processes",
    "broadcast",
    "data_mesh",
    "device_room",
    "is_first",
    "join",
    "leave",
    "local_devices",
    "meet",
    "n_processes",
    "portion",
    "replicate",
    "require_devices",
    "require_divisible",
    "shard_batch",
    "split_cpu",
    "together",
]
