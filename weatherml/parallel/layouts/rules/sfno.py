"""SFNO: hidden widths of MLPs, and degrees of the filters, whose products need no other degree."""

from weatherml.parallel.layouts.mesh import TENSOR
from weatherml.parallel.layouts.rules.rule import Rules

SFNO: Rules = {
    "*.expand.kernel": (None, TENSOR),
    "*.expand.bias": (TENSOR,),
    "*.contract.kernel": (TENSOR, None),
    "*.filter.weight": (None, TENSOR, None, None),
}
