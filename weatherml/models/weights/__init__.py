"""Weights: a module's trained arrays as one mapping, and the published ones in it."""

from weatherml.models.weights.flat import (
    Constants,
    Frozen,
    Weights,
    freeze,
    split_weights,
    weights_of,
    with_weights,
)

__all__ = [
    "Constants",
    "Frozen",
    "Weights",
    "freeze",
    "split_weights",
    "weights_of",
    "with_weights",
]
