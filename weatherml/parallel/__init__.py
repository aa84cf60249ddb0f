"""The only room that knows devices."""

from weatherml.parallel.cores import split_cpu
from weatherml.parallel.hardware.devices import computes_once, device_room, local_devices, require_devices
from weatherml.parallel.hardware.host_memory import require_host_memory, to_device, to_host
from weatherml.parallel.layouts.bands import require_bands
from weatherml.parallel.layouts.layout import Layout
from weatherml.parallel.layouts.mesh import MeshConfig, require_batch, require_members
from weatherml.parallel.layouts.own_samples import Laying
from weatherml.parallel.layouts.portion import Portion, hull
from weatherml.parallel.processes.agreement import AnyOf
from weatherml.parallel.processes.joining import Processes, join, leave
from weatherml.parallel.processes.together import JointError, broadcast, is_first, meet, n_processes, together

__all__ = [
    "AnyOf",
    "JointError",
    "Laying",
    "Layout",
    "MeshConfig",
    "Portion",
    "Processes",
    "broadcast",
    "computes_once",
    "device_room",
    "hull",
    "is_first",
    "join",
    "leave",
    "local_devices",
    "meet",
    "n_processes",
    "require_bands",
    "require_batch",
    "require_devices",
    "require_host_memory",
    "require_members",
    "split_cpu",
    "to_device",
    "to_host",
    "together",
]
