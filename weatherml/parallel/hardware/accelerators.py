"""Devices that a training is planned for: what they can do, and how many of them there are."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from pydantic import PositiveFloat, PositiveInt

from weatherml.config import Config, from_mapping
from weatherml.config.yaml_text import parse_yaml
from weatherml.errors import UserError
from weatherml.process.memory import MemoryText, parse_memory
from weatherml.registry import nearest

CPU = "cpu"
"""What this machine is called among devices; its rates are measured."""

PRODUCTS, BANDWIDTH, LINK = 0.5, 0.75, 0.7
"""Shares of what is published that programs are taken to reach: of matrix products, memory, and links."""


CALL = 4e-6
"""Seconds that the start of a kernel takes, where the one before has ended."""


class Accelerator(Config):
    """What one device can do.

    Attributes:
        title: What people call it.
        flops: Operations a second of matrix products, by the type of their inputs.
        memory: Of the device.
        bandwidth: Of that memory, bytes/s.
        link: To other devices of its node, one direction, bytes/s.
        network: To other nodes, bytes/s.
        host: To the memory of its host, one direction, bytes/s.
        per_node: Devices of a node.
        source: Where this is from.
    """

    title: str
    flops: Mapping[str, PositiveFloat]
    memory: MemoryText
    bandwidth: PositiveFloat
    link: PositiveFloat
    network: PositiveFloat
    host: PositiveFloat
    per_node: PositiveInt
    source: str

    @property
    def n_bytes(self) -> int:
        """Memory of the device, bytes."""
        return parse_memory(self.memory)


@dataclass(frozen=True)
class Devices:
    """What `8xh200` says.

    Attributes:
        count: How many.
        kind: Name of an accelerator, or `cpu`.
    """

    count: int
    kind: str

    @classmethod
    def parse(cls, text: str) -> "Devices":
        """Read `8xh200`, `h200` or `2xcpu`.

        Raises:
            UserError: It is not written so, or the kind is not known.
        """
        match = re.fullmatch(r"(?:([1-9]\d{0,5})\s*x\s*)?([a-z]+\d*)", text.strip().lower())
        known = (*accelerators(), CPU)
        if match is None:
            raise UserError(
                f"--devices {text!r} must be a number and a kind, such as 8xh200; kinds: {', '.join(known)}"
            )
        if match[2] not in known:
            raise UserError(f"--devices {text}: unknown kind {match[2]!r}{nearest(match[2], known)}")
        return cls(int(match[1] or 1), match[2])

    def __str__(self) -> str:
        return f"{self.count}x{self.kind}"


@cache
def accelerators() -> Mapping[str, Accelerator]:
    """Return what is published of accelerators, by name."""
    content = parse_yaml((files("weatherml.parallel.hardware") / "accelerators.yaml").read_bytes(), "accelerators")
    return MappingProxyType({name: from_mapping(Accelerator, told, name) for name, told in content.items()})
