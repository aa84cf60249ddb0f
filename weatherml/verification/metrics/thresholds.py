"""Thresholds of events: one for all, or by place and date."""

import numpy as np

from weatherml.verification.pairing.pair import Pair

Threshold = float | str | None
"""A number in the units of the field, or the name of a reference that has one for each place and date (`threshold`
where there is neither)."""


def level(pair: Pair, threshold: Threshold) -> np.ndarray | np.float32:
    """Return a threshold as a field `[*point]`, or a number as exact as the fields."""
    for name in named(threshold):
        return pair.references[name]
    return np.float32(threshold)


def named(*thresholds: Threshold) -> tuple[str, ...]:
    """Return the references among thresholds."""
    names = ["threshold" if own is None else own for own in thresholds]
    return tuple(own for own in names if isinstance(own, str))
