"""What a compiled program takes of each device: memory, operations, and what devices send to each other.

All of it is known from the program alone; nothing runs. `jit(...).lower(...).compile()` of abstract arrays will do.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np

from weatherml.parallel.programs.text import Instruction, ProgramText, bytes_of, numbers

CollectiveKind = Literal["all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute"]


@dataclass(frozen=True)
class ProgramMemory:
    """Memory of one device while a program runs, bytes.

    Attributes:
        arguments: What it is given.
        outputs: What it returns.
        aliased: Of the outputs, what takes the place of arguments that were donated.
        temporary: What it needs beside them.
    """

    arguments: int
    outputs: int
    aliased: int
    temporary: int

    @property
    def total(self) -> int:
        """Of all, while it runs."""
        return self.arguments + self.outputs - self.aliased + self.temporary


@dataclass(frozen=True)
class ProgramCost:
    """Operations of one device in one run, as the compiler counts them; the body of a loop counts once.

    Attributes:
        flops: Additions and multiplications.
        transcendentals: Exponentials and the like.
        bytes_accessed: Read and written by all instructions.
    """

    flops: float
    transcendentals: float
    bytes_accessed: float


@dataclass(frozen=True)
class Collective:
    """One exchange between devices.

    Attributes:
        kind: Which.
        shapes: Of its result on one device, such as `f32[64,32]`.
        n_bytes: Of that result.
        devices: One of the groups within which devices exchange, as positions in the mesh; of a permutation all.
        times: How often in a run: more than once in loops.
    """

    kind: CollectiveKind
    shapes: tuple[str, ...]
    n_bytes: int
    devices: tuple[int, ...]
    times: int = 1

    @property
    def sent_bytes(self) -> float:
        """What one device sends in a run, by the ring algorithms of NCCL and gloo."""
        n = max(1, len(self.devices))
        share = {
            "all-reduce": 2 * (n - 1) / n,
            "all-gather": (n - 1) / n,
            "reduce-scatter": n - 1,  # the result is one of n pieces
            "all-to-all": (n - 1) / n,
            "collective-permute": 1,
        }
        return self.times * self.n_bytes * share[self.kind]


def memory_of(compiled: Any) -> ProgramMemory:
    """Return the memory that a program (`jax.stages.Compiled`) takes on one device."""
    told = compiled.memory_analysis()
    return ProgramMemory(
        told.argument_size_in_bytes,
        told.output_size_in_bytes,
        told.alias_size_in_bytes,
        told.temp_size_in_bytes,
    )


def cost_of(compiled: Any) -> ProgramCost:
    """Return what the compiler counts of a program (`jax.stages.Compiled`) on one device."""
    told = compiled.cost_analysis()
    return ProgramCost(*(float(told.get(key, 0)) for key in ("flops", "transcendentals", "bytes accessed")))


def collectives_of(text: str) -> list[Collective]:
    """Return every exchange in the text of a compiled program (`Compiled.as_text()`), those in loops among them.

    A loop whose count the compiler does not know counts once.
    """
    executed = ProgramText.parse(text).executed()
    found = ((one, times) for one, _, times in executed if one.operation.removesuffix("-start") in _KINDS)
    return [_collective(one, times) for one, times in found]


_KINDS = get_args(CollectiveKind)


def _collective(instruction: Instruction, times: int) -> Collective:
    kind, shapes = instruction.operation.removesuffix("-start"), instruction.shapes
    if instruction.operation.endswith("-start") and kind != "all-reduce":  # returns operands, too
        shapes = tuple(shape for shape in shapes if shape != ("u32", ()))
        shapes = shapes[len(shapes) // 2 :]
    written = tuple(f"{kind}[{','.join(map(str, sizes))}]" for kind, sizes in shapes)
    n_bytes = sum(map(bytes_of, shapes))
    return Collective(cast(CollectiveKind, kind), written, n_bytes, _devices(instruction.rest), times)


def _devices(line: str) -> tuple[int, ...]:
    """Return the first group of devices that an exchange names, in any of the ways in which XLA writes them."""
    if pairs := re.search(r"source_target_pairs=\{(.*?)\}\}", line):
        return tuple(sorted({int(n) for n in re.findall(r"\d+", pairs[1])}))
    if listed := re.search(r"replica_groups=\{\{([\d,]*)\}", line):
        return numbers(listed[1])
    if iota := re.search(r"replica_groups=\[([\d,]+)\](<=\S*?)(?:,\s|$)", line):
        return tuple(_iota(iota[2]).reshape(numbers(iota[1]))[0].tolist())
    mesh = re.search(r"replica_groups=mesh\[(.*?)\](?:, device_ids=\((.*?)\))? \{(.*?)\}", line)
    return () if mesh is None else _along(mesh[1], mesh[2], mesh[3])


def _along(axes: str, order: str | None, named: str) -> tuple[int, ...]:
    """Return the devices along the named axes of a mesh, from its first device on.

    Args:
        axes: `'axis_0'=2,'axis_1'=4`.
        order: `[2,4]T(1,0)` where devices are not in their own order.
        named: `'axis_0','axis_1':(1)2`; the latter is a part of an axis: what comes before it, and its size.
    """
    sizes = {name: int(size) for name, size in re.findall(r"'(\w+)'=(\d+)", axes)}
    ids = np.arange(math.prod(sizes.values())) if order is None else _iota(order)
    shape: list[int] = []
    chosen: list[Any] = []
    parts = {name: (before, size) for name, before, size in re.findall(r"'(\w+)'(?::\((\d+)\)(\d+))?", named)}
    for name, size in sizes.items():
        before, own = (int(part or 1) for part in parts.get(name, ("1", "1")))
        own = size if name in parts and not parts[name][1] else own
        shape += [before, own, size // (before * own)]
        chosen += [0, slice(None), 0]
    return tuple(ids.reshape(shape)[tuple(chosen)].ravel().tolist())


def _iota(written: str) -> np.ndarray:
    """Return the devices of `<=[4,2]T(1,0)`: counted in rows, then transposed; in one row."""
    shape = numbers(re.findall(r"\[([\d,]+)\]", written)[0])
    order: Sequence[int] = tuple(range(len(shape)))
    if transposed := re.search(r"T\(([\d,]+)\)", written):
        order = numbers(transposed[1])
    return np.arange(math.prod(shape)).reshape(shape).transpose(order).ravel()
