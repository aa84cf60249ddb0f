"""What rules are, and whose there are."""

from collections.abc import Mapping

from weatherml.registry import Registry

Axes = tuple[str | None, ...]
"""Over which mesh axis each axis of an array is split."""

Rules = Mapping[str, Axes]
"""Patterns of dotted names of weights, such as `*.mlp.expand.kernel`, with their axes; the first that fits counts."""

registry: Registry[Rules] = Registry("rules of weights")


def rules_of(network: str) -> Rules:
    """Return the rules of a network by its name in the registry of models; none where nobody has written any."""
    return registry[network] if network in registry else {}
