"""What a compiled program computes and moves on one device, loops counted as often as they run."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from weatherml.parallel.programs.text import Computation, Instruction, ProgramText, numbers


@dataclass(frozen=True)
class Work:
    """Of one device in one run.

    Attributes:
        products: Additions and multiplications of matrix products, by their kind (`rows`, `gradients`, `batched`) and
            the narrowest of the three sizes of a product.
        product_moved: Bytes read and written by them, by the size of what one reads and writes as a power of two.
        moved: Bytes read and written by all else, by how it goes through them (`streamed`, `transposed`, `summed`,
            `joined`) and by the size of what an instruction reads and writes as a power of two: what is small may still
            be in a cache.
        n_instructions: How many run, one after the other.
        n_arguments: Arrays that it is given.
        kernels: How many of these an accelerator would start a kernel for, by the size of what one reads and writes as
            a power of two: its compiler makes what only copies, cuts, pads or repeats a part of what comes after it.
    """

    products: Mapping[str, Mapping[int, float]]
    product_moved: Mapping[int, float]
    moved: Mapping[str, Mapping[int, float]]
    n_instructions: int
    n_arguments: int = 0
    kernels: Mapping[int, int] = field(default_factory=dict)

    @property
    def product_flops(self) -> float:
        """Of matrix products, in all."""
        return sum(sum(by_size.values()) for by_size in self.products.values())

    @property
    def product_bytes(self) -> float:
        """Read and written by matrix products."""
        return sum(self.product_moved.values())

    @property
    def n_bytes(self) -> float:
        """Read and written in all."""
        return self.product_bytes + sum(sum(by_size.values()) for by_size in self.moved.values())

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        """Read what `asdict` wrote as JSON, in which sizes are text."""
        flat = {key: _sizes(told[key]) for key in ("product_moved", "kernels")}
        nested = {key: {kind: _sizes(own) for kind, own in told[key].items()} for key in ("products", "moved")}
        return cls(**(told | flat | nested))


def _sizes(told: Mapping[str, Any]) -> dict[int, Any]:
    return {int(size): number for size, number in told.items()}


def work_of(text: str) -> Work:
    """Return what a compiled program does, by its text (`Compiled.as_text()`)."""
    program = ProgramText.parse(text)
    products, moved = defaultdict[str, Counter[int]](Counter), defaultdict[str, Counter[int]](Counter)
    product_moved, kernels = Counter[int](), Counter[int]()
    n_instructions = 0
    for instruction, around, times in program.executed():
        own = list(_products(instruction, around, program))
        for kind, narrowest, flops in own:
            products[kind][narrowest] += int(times * flops)
        n_bytes = int(_moved(instruction, around, program))
        if not n_bytes:
            continue
        n_instructions += times
        if not _is_part_of_another(instruction, program):
            kernels[n_bytes.bit_length()] += times
        sums = product_moved if own else moved[_passes(instruction, program)]
        sums[n_bytes.bit_length()] += times * n_bytes
    n_arguments = sum(one.operation == "parameter" for one in program.computations.get(program.entry, {}).values())
    nested = ({kind: dict(own) for kind, own in sums.items()} for sums in (products, moved))
    flops_by_kind, moved_by_kind = nested
    return Work(flops_by_kind, dict(product_moved), moved_by_kind, n_instructions, n_arguments, dict(kernels))


_NOTHING = frozenset(
    "parameter constant tuple get-tuple-element bitcast while call conditional after-all partition-id iota"
    " optimization-barrier async-start async-done".split()
)
"""Instructions that move nothing themselves."""

_MOVES = _NOTHING | frozenset("copy broadcast convert reshape slice dynamic-slice dynamic-update-slice pad".split())
"""Instructions that compute nothing."""

_PIECES = frozenset({"dynamic-slice", "slice", "gather"})
"""Instructions that read as much as they return of what may be far larger."""

_SUMS = frozenset({"reduce", "reduce-window"})
_MANY_PIECES = 4
"""Joined in an instruction, from which on each value asks in which of them it lies."""

_FEW = 2
"""Products in a batch, up to which each is taken to be as fast as one alone: real and imaginary parts."""

_DIMENSIONS = re.compile(r"dimensions=\{([\d,]*)\}")
_CONTRACTED = re.compile(r"lhs_contracting_dims=\{([\d,]*)\}")
_BATCHED = re.compile(r"lhs_batch_dims=\{([\d,]*)\}")


def _inside(instruction: Instruction, program: ProgramText) -> Computation:
    """Return what a fusion does; nothing of anything else."""
    is_fusion = instruction.operation == "fusion" and instruction.called
    return program.computations.get(instruction.called[0], {}) if is_fusion else {}


def _products(instruction: Instruction, around: Computation, program: ProgramText) -> Iterator[tuple[str, int, float]]:
    """Yield the kind, the narrowest size and the operations of the products of an instruction."""
    inside = _inside(instruction, program)
    for one in inside.values():
        yield from _products(one, inside, program)
    if instruction.operation == "dot":
        left = around[instruction.operands[0]].shapes[0][1]
        contracted_axes, batch_axes = (_axes(written, instruction.rest) for written in (_CONTRACTED, _BATCHED))
        contracted, batch = (math.prod(left[axis] for axis in axes) for axes in (contracted_axes, batch_axes))
        out, rows = math.prod(instruction.shapes[0][1]), math.prod(left) // (contracted * batch)
        across = len(left) - 1 not in contracted_axes  # rows of both inputs are summed over, as for weights
        kind = "batched" if batch > _FEW else "gradients" if across else "rows"
        yield kind, min(contracted, rows, out // (rows * batch)), 2.0 * out * contracted


def _axes(written: re.Pattern[str], rest: str) -> tuple[int, ...]:
    found = written.search(rest)
    return numbers(found[1]) if found else ()


def _passes(instruction: Instruction, program: ProgramText) -> str:
    """Return how an instruction goes through what it reads and writes, the slowest of what it does."""
    parts = (instruction, *_inside(instruction, program).values())
    if any(one.operation == "concatenate" and len(one.operands) >= _MANY_PIECES for one in parts):
        return "joined"
    if any(one.operation == "transpose" and _moves_neighbours(one) for one in parts):
        return "transposed"
    return "summed" if any(one.operation in _SUMS for one in parts) else "streamed"


def _moves_neighbours(transpose: Instruction) -> bool:
    """Return whether values that lie side by side no longer do after a transposition."""
    axes = _axes(_DIMENSIONS, transpose.rest)
    return bool(axes) and axes[-1] != len(axes) - 1


def _is_part_of_another(instruction: Instruction, program: ProgramText) -> bool:
    """Return whether an instruction computes nothing, so that it can be a part of what reads it."""
    inside = _inside(instruction, program) or {instruction.name: instruction}
    return all(one.operation in _MOVES for one in inside.values())


def _moved(instruction: Instruction, around: Computation, program: ProgramText) -> float:
    """Return the bytes that an instruction reads and writes."""
    if instruction.operation in _NOTHING:
        return 0.0
    if instruction.operation in _PIECES:
        return 2.0 * instruction.n_bytes
    if instruction.operation == "dynamic-update-slice":
        return 2.0 * _bytes_at(around, instruction.operands[1])
    if inside := _inside(instruction, program):
        return _moved_by_fusion(instruction, around, inside)
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
