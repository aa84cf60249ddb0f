"""What a statistic is: values of forecast and truth, summed over area; its name says its parameters.

A new one is a frozen dataclass with one method. Most are `PointStatistic`s: a value at each point. Those that put each
point in a class are `ClassStatistic`s, and those that need whole fields are `Statistic`s with sums of their own.
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from weatherml.verification.pairing.pair import Pair


@dataclass(frozen=True)
class Statistic(ABC):
    """Something whose means over area and forecasts make scores.

    Attributes:
        inputs: Variables that it takes together; each variable by itself where there are none.
        output: What the result is called where there are inputs; their level comes after it.
        axes: Names of the axes that it has beside those of all, such as `rank`.
        needs_members: Whether a deterministic forecast has no such statistic.
        is_local: Whether sums over parts of a field add up to that over all of it, so that it may be cut.
    """

    inputs: ClassVar[tuple[str, ...]] = ()
    output: ClassVar[str] = ""
    axes: ClassVar[tuple[str, ...]] = ()
    needs_members: ClassVar[bool] = False
    is_local: ClassVar[bool] = False

    @property
    def references(self) -> tuple[str, ...]:
        """Names of fields that it compares with, such as `climatology`."""
        return ()

    @property
    def name(self) -> str:
        """What it is and with which parameters: `squared_error`, `exceedance(threshold=300.0)`."""
        words = re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()
        told = ", ".join(f"{own.name}={getattr(self, own.name)!r}" for own in fields(self))
        return f"{words}({told})" if told else words

    @abstractmethod
    def sums(self, *pairs: Any, weights: np.ndarray, **_: Any) -> np.ndarray:
        """Return sums over points.

        Args:
            *pairs: One for each of `inputs`, or one; their fields are `[lead, lat, lon]`, or `[lead, point]` of a part
                of a field where the statistic is local.
            weights: Area of each point that counts in each region, 0 elsewhere: `[region, lead, *point]`, where all
                leads may be one.

        Returns:
            `[lead, region, *axes]`.
        """


class PointStatistic(Statistic):
    """A value at each point."""

    is_local: ClassVar[bool] = True

    @abstractmethod
    def at(self, *pairs: Any, **_: Any) -> np.ndarray:  # so that a statistic may name its pairs
        """Return `[*axes, *point]` of one `Pair`, or of one for each of `inputs`, in any arrangement of points."""

    def sums(self, *pairs: Pair, weights: np.ndarray, **_: Any) -> np.ndarray:
        """Return `[lead, region, *axes]`."""
        return weighted_sums(self.at(*pairs), weights)


class ClassStatistic(Statistic):
    """The area that falls in each of some classes."""

    is_local: ClassVar[bool] = True

    @abstractmethod
    def classes(self, *pairs: Any, **_: Any) -> tuple[np.ndarray, tuple[int, ...]]:
        """Return the class of each point, int `[*point]`, and how many there are along each of `axes`."""

    def sums(self, *pairs: Pair, weights: np.ndarray, **_: Any) -> np.ndarray:
        """Return `[lead, region, *axes]`."""
        classes, shape = self.classes(*pairs)
        n_leads, n_classes = len(classes), int(np.prod(shape))
        cells = (classes + n_classes * np.arange(n_leads).reshape(-1, *[1] * (classes.ndim - 1))).ravel()
        counts = [
            np.bincount(cells, np.broadcast_to(own, classes.shape).ravel(), n_leads * n_classes) for own in weights
        ]
        return np.stack([own.reshape(n_leads, *shape) for own in counts], axis=1)


def weighted_sums(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum over points.

    Args:
        values: `[*axes, lead, *point]`.
        weights: `[region, lead, *point]`, or with one lead for all.

    Returns:
        `[lead, region, *axes]`.
    """
    n_points = weights.ndim - 2
    values = values.reshape(*values.shape[: values.ndim - n_points], 1, -1)
    weights = np.moveaxis(weights.reshape(*weights.shape[:2], -1), 0, 1)
    # Each sum by itself: products of matrices round otherwise for another number of leads.
    return np.moveaxis(np.vecdot(values, weights), (-2, -1), (0, 1))
