"""What every file format for forecast steps has."""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from weatherml.errors import UserError
from weatherml.export.portable import PortableStep
from weatherml.registry import Registry

Run = Callable[[Mapping[str, np.ndarray]], np.ndarray]
"""From named inputs to the next state."""


class Format(Protocol):
    """Writes a step to one file, and runs that file as somebody without weatherml would.

    Attributes:
        has_bfloat16: Whether runtimes of this format know the type; else the step is written in float32.
    """

    has_bfloat16: bool

    def write(self, step: PortableStep, path: Path) -> None:
        """Write the file.

        Raises:
            UserError: A library that this needs is not installed, or cannot express the step.
        """

    def open(self, path: Path) -> Run:
        """Load what `write` wrote."""


def need(package: str) -> Any:
    """Import a package that only exports use.

    Raises:
        UserError: It is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError:
        raise UserError(f"export needs {package}, which is not installed; pip install 'weatherml[export]'") from None


formats: Registry[Format] = Registry("export format")
