"""FourCastNet: hidden widths of MLPs, and diagonal blocks of the filters, whose products need no other block."""

from weatherml.parallel.mesh import TENSOR
from weatherml.parallel.rules.rule import Rules

FOURCASTNET: Rules = {
    "*.mlp.expand.kernel": (None, TENSOR),
    "*.mlp.expand.bias": (TENSOR,),
    "*.mlp.contract.kernel": (None, TENSOR),
    "*.filter.w?": (None, TENSOR, None, None),
    "*.filter.b?": (None, TENSOR, None),
}
