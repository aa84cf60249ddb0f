"""What every method gives, and how each is found by its name."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from weatherml.registry import Registry
from weatherml.verification.significance.sample import Sample

CONFIDENCE = 0.95
"""Probability between the bounds."""


@dataclass(frozen=True, eq=False)
class Bounds:
    """An estimate and how sure it is; arrays of one shape.

    Attributes:
        estimate: Of all forecasts.
        lower: Lower bound; NaN where there are too few forecasts to tell.
        upper: Upper bound.
        p_value: Two-sided, of an estimate so far from zero if the truth were zero.
    """

    estimate: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    p_value: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence["Bounds"]) -> "Bounds":
        """Join those of some cells and of others."""
        names = ("estimate", "lower", "upper", "p_value")
        return cls(*(np.concatenate([getattr(own, name) for own in parts]) for name in names))

    @classmethod
    def untold(cls, estimate: np.ndarray) -> "Bounds":
        """Return an estimate of which nothing else is known."""
        unknown = np.full_like(estimate, np.nan)
        return cls(estimate, unknown, unknown, unknown)

    def where(self, known: np.ndarray) -> "Bounds":
        """Leave only the estimate elsewhere."""
        told = (np.where(known, own, np.nan) for own in (self.lower, self.upper, self.p_value))
        return Bounds(self.estimate, *told)


def student_bounds(estimate: np.ndarray, error: np.ndarray, freedom: np.ndarray, confidence: float) -> Bounds:
    """Return Student's interval around an estimate.

    Args:
        estimate: Of all forecasts.
        error: Its standard error.
        freedom: With how many degrees of freedom that is known.
        confidence: Probability between the bounds.
    """
    half = -special.stdtrit(freedom, (1 - confidence) / 2) * error
    distance = np.where(estimate == 0, 0, np.abs(estimate) / error)
    return Bounds(estimate, estimate - half, estimate + half, 2 * special.stdtr(freedom, -distance))


class Method(ABC):
    """A way from a sample to bounds."""

    def judge(self, sample: Sample, confidence: float = CONFIDENCE) -> Bounds:
        """Return bounds `[cell, *own axes]` that hold the truth with so much probability."""
        used = sample.used()
        if not used.n_init:
            return Bounds.untold(sample.estimate)
        with np.errstate(divide="ignore", invalid="ignore"):
            return Bounds.joined([self._judge(part, confidence) for part in used.parts()])

    @abstractmethod
    def _judge(self, sample: Sample, confidence: float) -> Bounds:
        """Judge some cells."""


registry: Registry[type[Method]] = Registry("method of intervals")
"""By name."""
