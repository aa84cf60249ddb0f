"""What a compiled program computes and moves on one device, loops counted as often as they run."""

import math
import re
from dataclasses import dataclass

from weatherml.parallel.program_text import Computation, Instruction, ProgramText, numbers


@dataclass(frozen=True)
class Work:
    """Of one device in one run.

    Attributes:
        product_flops: Additions and multiplications of matrix products.
        n_bytes: Read from memory and written to it, where nothing stays in a cache between two instructions.
    """

    product_flops: float
    n_bytes: float


def work_of(text: str) -> Work:
    """Return what a compiled program does, by its text (`Compiled.as_text()`)."""
    program = ProgramText.parse(text)
    flops = n_bytes = 0.0
    for instruction, around, times in program.executed():
        flops += times * _product_flops(instruction, around, program)
        n_bytes += times * _moved(instruction, around, program)
    return Work(flops, n_bytes)


_NOTHING = frozenset(
    "parameter constant tuple get-tuple-element bitcast while call conditional after-all partition-id iota"
    " optimization-barrier async-start async-done".split()
)
"""Instructions that move nothing themselves."""

_PIECES = frozenset({"dynamic-slice", "slice", "gather"})
"""Instructions that read as much as they return of what may be far larger."""

_CONTRACTED = re.compile(r"lhs_contracting_dims=\{([\d,]*)\}")


def _product_flops(instruction: Instruction, around: Computation, program: ProgramText) -> float:
    if instruction.operation == "fusion":
        inside = [program.computations.get(name, {}) for name in instruction.called]
        return sum(_product_flops(one, fused, program) for fused in inside for one in fused.values())
    if instruction.operation != "dot":
        return 0.0
    left = around[instruction.operands[0]].shapes[0][1]
    contracted = _CONTRACTED.search(instruction.rest)
    axes = numbers(contracted[1]) if contracted else ()
    return 2.0 * math.prod(instruction.shapes[0][1]) * math.prod(left[axis] for axis in axes)


def _moved(instruction: Instruction, around: Computation, program: ProgramText) -> float:
    """Return the bytes that an instruction reads and writes."""
    if instruction.operation in _NOTHING:
        return 0.0
    if instruction.operation in _PIECES:
        return 2.0 * instruction.n_bytes
    if instruction.operation == "dynamic-update-slice":
        return 2.0 * _bytes_at(around, instruction.operands[1])
    if instruction.operation == "fusion" and instruction.called:
        return _moved_by_fusion(instruction, around, program.computations.get(instruction.called[0], {}))
    return instruction.n_bytes + sum(_bytes_at(around, name) for name in instruction.operands)


def _moved_by_fusion(instruction: Instruction, around: Computation, inside: Computation) -> float:
    parameters = {one.number: one for one in inside.values() if one.operation == "parameter"}
    read = (_read(parameters[n], _bytes_at(around, name), inside) for n, name in enumerate(instruction.operands))
    return _written(instruction, inside) + sum(read)


def _written(instruction: Instruction, inside: Computation) -> float:
    """Return the bytes that a fusion writes: of what is changed in place, the part that is new."""
    root = next((one for one in inside.values() if one.is_root), None)
    while root is not None and root.operation in {"bitcast", "convert", "copy"} and root.operands:
        root = inside.get(root.operands[0])
    if root is not None and root.operation == "dynamic-update-slice":
        return float(_bytes_at(inside, root.operands[1]))
    return float(instruction.n_bytes)


def _read(parameter: Instruction, n_bytes: int, inside: Computation) -> float:
    """Return the bytes that a fusion reads of an operand: of what is only cut or changed in part, that part."""
    users = [one for one in inside.values() if parameter.name in one.operands]
    if users and all(one.operation in _PIECES and one.operands[0] == parameter.name for one in users):
        return float(min(n_bytes, sum(one.n_bytes for one in users)))
    if users and all(one.operation == "dynamic-update-slice" and one.operands[0] == parameter.name for one in users):
        return 0.0
    return float(n_bytes)


def _bytes_at(computation: Computation, name: str) -> int:
    return computation[name].n_bytes if name in computation else 0
