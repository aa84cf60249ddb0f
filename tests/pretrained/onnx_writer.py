"""ONNX files written field by field, one tensor in memory at a time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import prod

import numpy as np

TYPES = {"float32": 1, "int64": 7, "float16": 10, "float64": 11}


def varint(number):
    pieces = bytearray()
    while number > 127:
        pieces.append(number & 127 | 128)
        number >>= 7
    return bytes([*pieces, number])


def number(field_number, value):
    return varint(field_number << 3) + varint(value)


def text(field_number, content):
    content = content.encode() if isinstance(content, str) else content
    return before(field_number, len(content)) + content


def before(field_number, n_bytes):
    return varint(field_number << 3 | 2) + varint(n_bytes)


def tensor_header(name, shape, dtype="float32"):
    """Everything of a tensor but its values."""
    return b"".join(number(1, n) for n in shape) + number(2, TYPES[dtype]) + text(8, name)


def node(operator, inputs, outputs=("y",), name="", rest=b""):
    return (
        b"".join([text(1, i) for i in inputs] + [text(2, o) for o in outputs])
        + text(3, name)
        + text(4, operator)
        + rest
    )


@dataclass(frozen=True)
class Tensor:
    """A float32 tensor of a file; `make` gives its values when they are written."""

    name: str
    shape: tuple[int, ...]
    make: Callable[[], np.ndarray] = field(repr=False)
    is_constant: bool = False

    @property
    def header(self):
        """What comes before the values: all that is around them has their length in it."""
        n_bytes = 4 * prod(self.shape)
        header = tensor_header(self.name, self.shape) + before(9, n_bytes)
        if not self.is_constant:
            return before(5, len(header) + n_bytes) + header
        header = text(1, "value") + number(20, 4) + before(5, len(header) + n_bytes) + header
        header = before(5, len(header) + n_bytes) + header
        header = node("Constant", [], [f"{self.name}_output_0"], self.name) + header
        return before(1, len(header) + n_bytes) + header

    @property
    def n_bytes(self):
        return len(self.header) + 4 * prod(self.shape)


def write_onnx(path, tensors: Iterable[Tensor], nodes: Iterable[bytes] = ()):
    """Write a model of constants, initializers and nodes, in this order."""
    tensors = sorted(tensors, key=lambda tensor: not tensor.is_constant)
    nodes = b"".join(text(1, each) for each in nodes)
    with open(path, "wb") as file:
        file.write(number(1, 8))
        file.write(before(7, len(nodes) + sum(tensor.n_bytes for tensor in tensors)))
        file.write(nodes)
        for tensor in tensors:
            file.write(tensor.header)
            file.write(np.ascontiguousarray(tensor.make(), "<f4").data)
        file.write(text(8, b"\x10\x11"))
    return path
