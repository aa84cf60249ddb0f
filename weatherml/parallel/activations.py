"""Over which mesh axes the named axes of activations are split."""

from weatherml.parallel.mesh import DATA, FSDP, LAT, LON, MEMBER, TENSOR

ACTIVATIONS: dict[str, tuple[str, ...]] = {
    "sample": (DATA, FSDP),
    "batch": (DATA, FSDP, MEMBER),
    "member": (MEMBER,),
    "lat": (LAT,),
    "lon": (LON,),
    "hidden": (TENSOR,),
    "head": (TENSOR,),
}
"""Mesh axes, the outermost first. A sample's members lie side by side in a batch, `[batch * member]`."""
