"""FourCastNet: hidden widths of MLPs, and diagonal blocks of the filters, whose products need no other block."""

from weatherml.parallel.layouts.mesh import TENSOR
from weatherml.parallel.layouts.rules.rule import Rules

FOURCASTNET: Rules = {
    "*.mlp.expand.kernel": (None, TENSOR),
    "*.mlp.expand.bias": (TENSOR,),
    "*.mlp.contract.kernel": (None, TENSOR),
    "*.filter.w?": (None, TENSOR, None, None),
    "*.filter.b?": (None, TENSOR, None),
}
