"""The only room that knows devices."""

from weatherml.parallel.agreement import AnyOf
from weatherml.parallel.bands import require_bands
from weatherml.parallel.cores import split_cpu
from weatherml.parallel.devices import computes_once, device_room, local_devices, require_devices
from weatherml.parallel.host_memory import require_host_memory, to_device, to_host
from weatherml.parallel.layout import Layout
from weatherml.parallel.mesh import MeshConfig, require_batch, require_grid, require_members
from weatherml.parallel.portion import Portion
from weatherml.parallel.processes import Processes, join, leave
from weatherml.parallel.together import JointError, broadcast, is_first, meet, n_processes, together

__all__ = [
    "AnyOf",
    "JointError",
    "Layout",
    "MeshConfig",
    "Portion",
    "Processes",
    "broadcast",
    "computes_once",
    "device_room",
    "is_first",
    "join",
    "leave",
    "local_devices",
    "meet",
    "n_processes",
    "require_bands",
    "require_batch",
    "require_devices",
    "require_grid",
    "require_host_memory",
    "require_members",
    "split_cpu",
    "to_device",
    "to_host",
    "together",
]
