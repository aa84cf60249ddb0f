"""What a compiled program takes of each device: memory, operations, and what devices send to each other.

All of it is known from the program alone; nothing runs. `jit(...).lower(...).compile()` of abstract arrays will do.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np

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
    computations, entry = _computations(text)
    return list(_collectives_in(computations, entry, 1))


_HEAD = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\) -> .* \{$")
_COLLECTIVE = re.compile(rf"= (.*?) ({'|'.join(get_args(CollectiveKind))})(-start)?\(")
_CALLED = re.compile(r"(?:body|to_apply|calls|true_computation|false_computation)=%?([\w.\-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
_TIMES = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
_SHAPE = re.compile(r"\b(pred|[a-z]+\d+\w*)\[([\d,]*)\]")


def _computations(text: str) -> tuple[dict[str, list[str]], str]:
    """Return the lines of each computation by its name, and the name of that which runs."""
    found: dict[str, list[str]] = {}
    entry, lines = "", []
    for line in text.splitlines():
        if head := _HEAD.match(line):
            lines = found.setdefault(head[2], [])
            entry = head[2] if head[1] else entry
        else:
            lines.append(line)
    return found, entry


def _collectives_in(computations: dict[str, list[str]], name: str, times: int) -> Iterator[Collective]:
    for line in computations.get(name, ()):
        if match := _COLLECTIVE.search(line):
            yield _collective(line, match, times)
        else:
            told = _TIMES.search(line)
            for called in _called(line):
                yield from _collectives_in(computations, called, times * (int(told[1]) if told else 1))


def _called(line: str) -> list[str]:
    """Return the computations that an instruction runs."""
    branches = _BRANCHES.search(line)
    names = branches[1].split(",") if branches else []
    return [*_CALLED.findall(line), *(name.strip().removeprefix("%") for name in names)]


def _collective(line: str, match: re.Match[str], times: int) -> Collective:
    shapes = _SHAPE.findall(match[1])
    if match[3] and match[2] != "all-reduce":  # what begins an exchange returns its operands, too
        shapes = [shape for shape in shapes if shape != ("u32", "")]
        shapes = shapes[len(shapes) // 2 :]
    n_bytes = sum(math.prod(_numbers(sizes)) * _item_bytes(kind) for kind, sizes in shapes)
    written = tuple(f"{kind}[{sizes}]" for kind, sizes in shapes)
    return Collective(cast(CollectiveKind, match[2]), written, n_bytes, _devices(line), times)


def _item_bytes(kind: str) -> int:
    """Return the bytes of an element of type `f32`, `bf16`, `pred`, `f8e4m3fn`, ..."""
    bits = re.match(r"[a-z]+(\d+)", kind)
    return 1 if bits is None else max(1, int(bits[1]) // 8)


def _devices(line: str) -> tuple[int, ...]:
    """Return the first group of devices that an exchange names, in any of the ways in which XLA writes them."""
    if pairs := re.search(r"source_target_pairs=\{(.*?)\}\}", line):
        return tuple(sorted({int(n) for n in re.findall(r"\d+", pairs[1])}))
    if listed := re.search(r"replica_groups=\{\{([\d,]*)\}", line):
        return _numbers(listed[1])
    if iota := re.search(r"replica_groups=\[([\d,]+)\](<=\S*?)(?:,\s|$)", line):
        return tuple(_iota(iota[2]).reshape(_numbers(iota[1]))[0].tolist())
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
    shape = _numbers(re.findall(r"\[([\d,]+)\]", written)[0])
    order: Sequence[int] = tuple(range(len(shape)))
    if transposed := re.search(r"T\(([\d,]+)\)", written):
        order = _numbers(transposed[1])
    return np.arange(math.prod(shape)).reshape(shape).transpose(order).ravel()


def _numbers(written: str) -> tuple[int, ...]:
    return tuple(int(number) for number in written.split(",") if number)
