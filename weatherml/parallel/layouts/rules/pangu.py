"""Pangu-Weather: heads of the attention, and hidden widths of MLPs.

Queries, keys and values lie side by side in one kernel, `3 * head * embed`, whose parts would not be heads: it lies
whole.
"""

from weatherml.parallel.layouts.mesh import TENSOR
from weatherml.parallel.layouts.rules.rule import Rules

PANGU: Rules = {
    "*.mlp.expand.kernel": (None, TENSOR),
    "*.mlp.expand.bias": (TENSOR,),
    "*.mlp.contract.kernel": (None, TENSOR),
    "*.attention.project.kernel": (TENSOR, None),
    "*.attention.bias.table": (None, TENSOR),
}
