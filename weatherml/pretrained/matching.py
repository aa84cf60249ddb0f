"""Which tensor of a file is which: by the published names, or by shape and order where an export numbers otherwise."""

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from weatherml.errors import UserError
from weatherml.pretrained.onnx_file import OnnxTensor
from weatherml.pretrained.pangu_names import Wanted

_NUMBERED_TOGETHER = ("/b1/Constant_", "b1.a", "onnx::")


@dataclass(frozen=True)
class Matching:
    """What was found in a file.

    Attributes:
        tensors: By what they are to us.
        n_by_name: How many had their published names; the others were found by shape and order.
    """

    tensors: dict[str, OnnxTensor]
    n_by_name: int

    @property
    def summary(self) -> str:
        """How many were found how."""
        return f"{self.n_by_name} tensors by name, {len(self.tensors) - self.n_by_name} by shape and order"


def match(path: Path, wanted: Sequence[Wanted], found: Sequence[OnnxTensor]) -> Matching:
    """Find what a network needs among the tensors of a file.

    Numbers in names depend on the program that exported. Tensors that it numbers together are therefore found by name
    where all of their names are there, and else all by shape and order: what has a known name could be another.

    Args:
        path: Of the file, for messages.
        wanted: In the order in which a step uses them.
        found: In the order of the file.

    Raises:
        UserError: A tensor is missing, has another shape, or cannot be told from others of its shape.
    """
    by_name = {tensor.name: tensor for tensor in found}
    named = [one for prefix in _NUMBERED_TOGETHER for one in _complete(prefix, wanted, by_name)]
    for one in named:
        _require_shape(path, one, by_name[one.published])
    tensors = {one.name: by_name.pop(one.published) for one in named}
    rest = [one for one in wanted if one.name not in tensors]
    for shape in dict.fromkeys(one.shape for one in rest):
        alike = [one for one in rest if one.shape == shape]
        pairs = _pair_in_order(path, alike, [tensor for tensor in by_name.values() if tensor.shape == shape])
        tensors.update({one.name: tensor for one, tensor in pairs})
    return Matching(tensors, len(named))


def _complete(prefix: str, wanted: Sequence[Wanted], names: Container[str]) -> list[Wanted]:
    """Return what is numbered together, where all of it is there."""
    together = [one for one in wanted if one.published.startswith(prefix)]
    return together if all(one.published in names for one in together) else []


def _require_shape(path: Path, one: Wanted, tensor: OnnxTensor) -> None:
    if tensor.shape != one.shape:
        raise UserError(
            f"{path} is no Pangu-Weather: {tensor.name!r} has shape {tensor.shape}, not {one.shape}; pass"
            " pangu_weather_24.onnx or its kin"
        )


def _pair_in_order(
    path: Path, wanted: Sequence[Wanted], found: Sequence[OnnxTensor]
) -> list[tuple[Wanted, OnnxTensor]]:
    """Pair tensors of one shape: as operations use them, or where none does as their names are numbered."""
    if len(found) > len(wanted):
        found = _without_repeats(found)
    what = f"of shape {wanted[0].shape}, such as {wanted[0].name}"
    if len(wanted) != len(found):
        raise UserError(
            f"{path} is no Pangu-Weather: it has {len(found)} tensors {what}, not {len(wanted)}; pass"
            " pangu_weather_24.onnx or its kin"
        )
    uses = {tensor.first_use: tensor for tensor in found if tensor.first_use}
    if len(uses) == len(found):
        return list(zip(wanted, (uses[use] for use in sorted(uses)), strict=True))
    pairs = list(zip(sorted(wanted, key=_published_number), sorted(found, key=_number), strict=True))
    if len(pairs) > 1 and any(_published_number(one)[0] != _number(tensor)[0] for one, tensor in pairs):
        raise UserError(
            f"{path} has {len(found)} tensors {what}, which cannot be told apart: no operation reads them, and their"
            " names are not numbered like published ones; pass a published file"
        )
    return pairs


def _without_repeats(found: Sequence[OnnxTensor]) -> list[OnnxTensor]:
    """Keep one tensor of those that are equal: an export writes a constant again where it is used again."""
    first: dict[bytes, OnnxTensor] = {}
    for tensor in sorted(found, key=lambda tensor: tensor.first_use or ()):
        first.setdefault(tensor.read().tobytes(), tensor)
    return list(first.values())


def _published_number(one: Wanted) -> tuple[str, list[int]]:
    return _numbering(one.published)


def _number(tensor: OnnxTensor) -> tuple[str, list[int]]:
    return _numbering(tensor.name)


def _numbering(name: str) -> tuple[str, list[int]]:
    """Return a name without its numbers, and the numbers."""
    return re.sub(r"\d+", "#", name), [int(number) for number in re.findall(r"\d+", name)]
