"""The text of a compiled program (`jax.stages.Compiled.as_text()`), read: what runs, and how often."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

Shape = tuple[str, tuple[int, ...]]
"""Type and sizes of an array, such as `("f32", (64, 32))`."""


@dataclass(frozen=True)
class Instruction:
    """One line of a program.

    Attributes:
        name: Of its result.
        operation: Such as `dot`, `fusion`, `all-reduce`.
        shapes: Of its result; several of a tuple.
        operands: Names of what it reads.
        rest: What follows the operands.
        is_root: Whether its result is that of its computation.
        number: Of a parameter; 0 of others.
    """

    name: str
    operation: str
    shapes: tuple[Shape, ...]
    operands: tuple[str, ...]
    rest: str
    is_root: bool
    number: int = 0

    @cached_property
    def n_bytes(self) -> int:
        """Of its result."""
        return sum(bytes_of(shape) for shape in self.shapes)

    @cached_property
    def called(self) -> tuple[str, ...]:
        """The computations that it runs."""
        branches = _BRANCHES.search(self.rest)
        names = branches[1].split(",") if branches else []
        return (*_CALLED.findall(self.rest), *(name.strip().removeprefix("%") for name in names))

    @property
    def times(self) -> int:
        """How often it runs what it calls; once where the compiler does not know."""
        told = _TIMES.search(self.rest)
        return int(told[1]) if told else 1


Computation = dict[str, Instruction]
"""Instructions in order, by the names of their results."""


@dataclass(frozen=True)
class ProgramText:
    """A compiled program.

    Attributes:
        computations: By name.
        entry: The name of that which runs.
    """

    computations: dict[str, Computation]
    entry: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a program."""
        found: dict[str, Computation] = {}
        entry, current = "", Computation()
        for line in text.splitlines():
            if head := _HEAD.match(line):
                current = found.setdefault(head[2], {})
                entry = head[2] if head[1] else entry
            elif match := _LINE.match(line):
                current[match[2]] = _instruction(match)
        return cls(found, entry)

    def executed(self) -> Iterator[tuple[Instruction, Computation, int]]:
        """Yield every instruction that runs, its computation, and how often; a fusion is one instruction."""
        yield from self._executed(self.entry, 1)

    def _executed(self, name: str, times: int) -> Iterator[tuple[Instruction, Computation, int]]:
        computation = self.computations.get(name, {})
        for instruction in computation.values():
            yield instruction, computation, times
            if instruction.operation in _RUNS_OTHERS:
                for called in instruction.called:
                    yield from self._executed(called, times * instruction.times)


def bytes_of(shape: Shape) -> int:
    """Return the bytes of an array of type `f32`, `bf16`, `pred`, `f8e4m3fn`, ..."""
    bits = re.match(r"[a-z]+(\d+)", shape[0])
    return math.prod(shape[1]) * (1 if bits is None else max(1, int(bits[1]) // 8))


def numbers(written: str) -> tuple[int, ...]:
    """Read `64,32`."""
    return tuple(int(number) for number in written.split(",") if number)


_RUNS_OTHERS = frozenset({"while", "call", "conditional", "async-start"})
_HEAD = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\) -> .* \{$")
_LINE = re.compile(r"^\s+(ROOT )?%?([\w.\-]+) = (.+?) ([a-z][\w\-]*)\(([^)]*)\)(.*)$")
_CALLED = re.compile(r"(?:body|to_apply|calls|true_computation|false_computation)=%?([\w.\-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
_TIMES = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
_SHAPE = re.compile(r"\b(pred|[a-z]+\d+\w*)\[([\d,]*)\]")
_NAME = re.compile(r"%([\w.\-]+)")


def _instruction(match: re.Match[str]) -> Instruction:
    is_root, name, written, operation, inside, rest = match.groups()
    shapes = tuple((kind, numbers(sizes)) for kind, sizes in _SHAPE.findall(written))
    number = int(inside) if operation == "parameter" else 0
    return Instruction(name, operation, shapes, tuple(_NAME.findall(inside)), rest, bool(is_root), number)
