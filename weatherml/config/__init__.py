"""Strict configuration: a frozen model beside what it builds, read from YAML, every key known."""

from weatherml.config.strict import (
    Config,
    apply_overrides,
    from_mapping,
    from_registry,
    load_yaml,
    read_mapping,
)

__all__ = [
    "Config",
    "apply_overrides",
    "from_mapping",
    "from_registry",
    "load_yaml",
    "read_mapping",
]
