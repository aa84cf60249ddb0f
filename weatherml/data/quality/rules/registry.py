"""The rules by their ids, which `--ignore` and findings name."""

from collections.abc import Callable, Iterator

from weatherml.data.quality.evidence import Evidence
from weatherml.data.quality.finding import Finding
from weatherml.registry import Registry

Rule = Callable[[Evidence], Iterator[Finding]]
"""Yields findings that carry the id under which it is registered; its docstring is what `check --rules` shows."""

RULES: Registry[Rule] = Registry("rule")
