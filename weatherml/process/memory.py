"""Amounts of memory as people write them: `4GiB`, `800MB`."""

import re
from typing import Annotated

from pydantic import BeforeValidator

from weatherml.errors import UserError

GIB = 2**30
_UNITS = {
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": GIB,
    "tib": 2**40,
}


def parse_memory(text: str | int) -> int:
    """Read an amount of memory, bytes.

    Raises:
        UserError: It is none.
    """
    if isinstance(text, int) and not isinstance(text, bool) and text > 0:
        return text
    match = re.fullmatch(r"\s*(\d{1,15}(?:\.\d+)?)\s*([a-zA-Z]+)\s*", text) if isinstance(text, str) else None
    if match is None or match[2].lower() not in _UNITS or not float(match[1]):
        raise UserError(f"{text!r} is no amount of memory; write it as 4GiB or 800MB")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def write_memory(n_bytes: int) -> str:
    """Write an amount in the largest unit that it is a whole number of."""
    for unit, size in (("GiB", GIB), ("MiB", 2**20), ("KiB", 2**10)):
        if n_bytes % size == 0:
            return f"{n_bytes // size}{unit}"
    return f"{n_bytes}B"


MemoryText = Annotated[
    str, BeforeValidator(lambda value: value if parse_memory(value) and isinstance(value, str) else write_memory(value))
]
"""An amount of memory in a configuration."""
