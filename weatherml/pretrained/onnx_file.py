"""The constant tensors of an ONNX file, found without loading it.

ONNX is a protocol buffer: nested messages of numbered fields, with the length of each before it. A walk over the
lengths finds every tensor of a file of gigabytes in a fraction of a second and touches no weights, where the `onnx`
package holds all of them twice. Numbers of fields are those of onnx.proto, version 3.
"""

import mmap
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from pathlib import Path

import numpy as np

from weatherml.errors import UserError
from weatherml.storage.locations import local_path

_GRAPH = 7  # of ModelProto
_NODE, _INITIALIZER = 1, 5  # of GraphProto
_INPUT, _OUTPUT, _NAME, _OPERATOR, _ATTRIBUTE = 1, 2, 3, 4, 5  # of NodeProto
_TENSOR = 5  # of AttributeProto
_DIMS, _TYPE, _FLOATS, _TENSOR_NAME, _RAW, _EXTERNAL, _LOCATION = 1, 2, 4, 8, 9, 13, 14  # of TensorProto
_DTYPES = {1: "<f4", 10: "<f2", 11: "<f8"}  # of floating-point tensors; others are no weights

_VARINT, _WITH_LENGTH = 0, 2  # how a field is written
_SIZES = {1: 8, 5: 4}  # bytes of the other ways
_MOST_BITS = 70  # of a number


@dataclass(frozen=True, slots=True)
class OnnxTensor:
    """A tensor that is still on disk.

    Attributes:
        path: The file.
        name: Of an initializer, or of the `Constant` node that holds it.
        shape: Of the tensor.
        dtype: As numpy writes it.
        offset: Its first byte in the file.
        first_use: Position of the first node that reads it, and its place among the inputs of that node; None where no
            node does.
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: str
    offset: int
    first_use: tuple[int, int] | None = None

    def read(self) -> np.ndarray:
        """Read the tensor, float32."""
        values = np.fromfile(self.path, self.dtype, prod(self.shape), offset=self.offset)
        return values.reshape(self.shape).astype(np.float32, copy=False)


def open_onnx(path: str | Path) -> list[OnnxTensor]:
    """Find the floating-point initializers and constants of a model, in the order of the file.

    Raises:
        UserError: The file cannot be read, is no ONNX model, is cut off, or keeps its tensors in other files.
    """
    path = local_path(path)
    try:
        if not path.stat().st_size:  # it could not be mapped
            raise _MalformedError("it is empty")
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _find_tensors(path, content)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; pass an ONNX file") from None
    except _MalformedError as error:
        raise UserError(f"{path} is no whole ONNX model: {error}; copy it again, or pass an ONNX file") from None


class _MalformedError(Exception):
    """The content is no protocol buffer, or not the one it should be."""


def _find_tensors(path: Path, content: mmap.mmap) -> list[OnnxTensor]:
    model = _Message(content, slice(0, len(content)))
    if len(model.parts(_GRAPH)) != 1:
        raise _MalformedError("it holds no graph")
    graph = model.parts(_GRAPH)[0]
    tensors = {tensor.name: tensor for part in graph.parts(_INITIALIZER) if (tensor := _read_tensor(path, part))}
    uses: dict[str, tuple[int, int]] = {}
    for position, node in enumerate(graph.parts(_NODE)):
        for place, name in enumerate(node.texts(_INPUT)):
            uses.setdefault(name, (position, place))
        if "Constant" in node.texts(_OPERATOR) and (tensor := _read_constant(path, node)):
            tensors[node.texts(_OUTPUT)[0]] = tensor
    return [replace(tensor, first_use=uses.get(value)) for value, tensor in tensors.items()]


def _read_constant(path: Path, node: "_Message") -> OnnxTensor | None:
    """Return the tensor of a `Constant` node, under the name of the node."""
    values = [value for attribute in node.parts(_ATTRIBUTE) for value in attribute.parts(_TENSOR)]
    tensor = _read_tensor(path, values[0]) if values else None
    return tensor and replace(tensor, name=(node.texts(_NAME) or node.texts(_OUTPUT))[0])


def _read_tensor(path: Path, message: "_Message") -> OnnxTensor | None:
    """Return where a tensor is; None where it is no floating-point one."""
    name = "".join(message.texts(_TENSOR_NAME))
    dtype = next(map(_DTYPES.get, message.numbers(_TYPE)), None)
    if dtype is None:
        return None
    if message.parts(_EXTERNAL) or any(message.numbers(_LOCATION)):
        raise UserError(f"{path} keeps {name!r} in another file; pass an ONNX file that holds its weights itself")
    shape = tuple(message.numbers(_DIMS))
    values = [part.place for number in (_RAW, _FLOATS) for part in message.parts(number)]
    n_bytes = prod(shape) * np.dtype(dtype).itemsize
    if [place.stop - place.start for place in values] != [n_bytes] * bool(n_bytes):
        raise _MalformedError(f"{name!r} of shape {shape} does not hold {n_bytes} bytes")
    return OnnxTensor(path, name, shape, dtype, values[0].start if values else 0)


class _Message:
    """A message, or a text, at a place of the file; its fields are looked for when they are asked for."""

    def __init__(self, content: mmap.mmap, place: slice) -> None:
        self.place = place
        self._content = content

    @cached_property
    def _fields(self) -> Mapping[int, list[int | slice]]:
        """Values by field: a number, or where its bytes are."""
        fields = defaultdict(list)
        position = self.place.start
        while position < self.place.stop:
            key, position = self._varint(position)
            value, position = self._value(key & 7, position)
            fields[key >> 3].append(value)
        return fields

    def parts(self, field: int) -> list["_Message"]:
        """Return what a field holds."""
        return [_Message(self._content, value) for value in self._fields.get(field, []) if isinstance(value, slice)]

    def texts(self, field: int) -> list[str]:
        """Return what a field holds, as text."""
        return [self._content[part.place].decode(errors="replace") for part in self.parts(field)]

    def numbers(self, field: int) -> list[int]:
        """Return the numbers of a field, packed in one piece or not."""
        numbers = [value for value in self._fields.get(field, []) if isinstance(value, int)]
        for part in self.parts(field):
            position = part.place.start
            while position < part.place.stop:
                number, position = self._varint(position)
                numbers.append(number)
        return numbers

    def _value(self, kind: int, position: int) -> tuple[int | slice, int]:
        if kind == _VARINT:
            return self._varint(position)
        length, position = self._varint(position) if kind == _WITH_LENGTH else (_SIZES.get(kind, -1), position)
        end = position + length
        if length < 0:
            raise _MalformedError("it holds a field of no known kind")
        if end > self.place.stop:
            raise _MalformedError(f"it is cut off at byte {self.place.stop}")
        return slice(position, end), end

    def _varint(self, position: int) -> tuple[int, int]:
        number = shift = 0
        while position < self.place.stop and shift < _MOST_BITS:
            byte = self._content[position]
            number, shift, position = number | (byte & 127) << shift, shift + 7, position + 1
            if byte < 128:
                return number, position
        raise _MalformedError(f"it breaks off at byte {position}")
