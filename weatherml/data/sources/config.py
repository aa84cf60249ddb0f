"""What every kind of source has in a configuration, and all kinds by name."""

from abc import abstractmethod
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, SerializeAsAny

from weatherml.config import Config, from_registry
from weatherml.data.source import Source
from weatherml.registry import Registry


class SourceConfig(Config):
    """What to read, and from where.

    Attributes:
        name: The key in the registry.
    """

    name: str

    @abstractmethod
    def open(self, folder: Path) -> Source:
        """Return the source; nothing is read before it is asked for.

        Args:
            folder: Folder of the run, where a source keeps what it would not fetch or compute twice.
        """


registry: Registry[type[SourceConfig]] = Registry("source")
"""Kinds of sources by name, for configurations: `source: {name: files, ...}`."""

AnySource = Annotated[SerializeAsAny[SourceConfig], BeforeValidator(from_registry(registry))]
"""A configuration field that takes any registered source."""
