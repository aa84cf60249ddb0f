"""Operations of a traced program, counted from its equations: no compiler, no devices."""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

TRANSCENDENTAL = "transcendental"
"""Under which exponentials and the like are counted."""

_MANUAL = ("newly_manual_axes", "manual_axes")
"""What versions of jax call the axes of a mesh over which `shard_map` shares."""

_TRANSCENDENTALS = frozenset("exp exp2 expm1 log log1p tanh logistic erf erfc erf_inv sin cos tan pow atan2".split())


def count(jaxpr: core.ClosedJaxpr) -> dict[str, float]:
    """Return the operations of a program, over all devices.

    Matrix products are counted by what their inputs are computed as: `bfloat16`; `tensorfloat32`, which is float32 of
    default precision; `float32`, of highest precision, and Fourier transforms. An addition and a multiplication are
    two. Loops count as often as they run; of branches the longest counts.
    """
    return dict(_count(jaxpr.jaxpr))


def _count(jaxpr: Any) -> Counter[str]:
    total: Counter[str] = Counter()
    for equation in jaxpr.eqns:
        total.update(_own(equation))
        inside = [_count(one) for one in _inside(equation)]
        if equation.primitive.name == "cond":
            inside = [max(inside, key=lambda counts: counts.total())]
        for counts in inside:
            total.update({kind: _times(equation) * number for kind, number in counts.items()})
    return total


def _times(equation: Any) -> int:
    """Return how often an equation runs what is inside: in loops, and on each of the devices that share it."""
    params = equation.params
    if equation.primitive.name == "scan":
        return int(params["length"])
    if equation.primitive.name == "shard_map":
        axes = next((params[key] for key in _MANUAL if key in params), params["mesh"].axis_names)
        return math.prod(params["mesh"].shape[axis] for axis in axes)
    return 1


def _inside(equation: Any) -> Iterator[Any]:
    """Yield the programs that an equation runs."""
    for value in equation.params.values():
        for one in value if isinstance(value, tuple | list) else (value,):
            if isinstance(one, core.ClosedJaxpr):
                yield one.jaxpr
            elif isinstance(one, core.Jaxpr):
                yield one


def _own(equation: Any) -> dict[str, float]:
    name, outputs = equation.primitive.name, [out.aval for out in equation.outvars]
    if name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        left = equation.invars[0].aval
        flops = 2.0 * outputs[0].size * math.prod(left.shape[axis] for axis in contracted)
        return {_type_of(equation): flops}
    if name == "conv_general_dilated":
        kernel, numbers = equation.invars[1].aval, equation.params["dimension_numbers"]
        return {_type_of(equation): 2.0 * outputs[0].size * kernel.size / kernel.shape[numbers.rhs_spec[0]]}
    if name == "fft":
        points = math.prod(equation.params["fft_lengths"])
        return {"float32": 2.5 * outputs[0].size * math.log2(max(points, 2))}
    if name in _TRANSCENDENTALS:
        return {TRANSCENDENTAL: float(outputs[0].size)}
    return {}


def _type_of(equation: Any) -> str:
    """Return what the inputs of a product are computed as on an accelerator."""
    if any(variable.aval.dtype == jnp.bfloat16 for variable in equation.invars[:2]):
        return "bfloat16"
    precision = equation.params["precision"]
    first = precision[0] if isinstance(precision, tuple) else precision
    return "float32" if first in (jax.lax.Precision.HIGHEST, jax.lax.Precision.HIGH) else "tensorfloat32"
