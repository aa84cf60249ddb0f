"""What a statistic is: values of forecast and truth, summed over area; its name says its parameters.

A new one is a frozen dataclass with one method. Most are `PointStatistic`s: a value at each point. Those that put each
point in a class are `ClassStatistic`s, and those that need whole fields are `Statistic`s with sums of their own.
"""

import hashlib
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from weatherml.state import Channel
from weatherml.verification.pairing.pair import Pair


@dataclass(frozen=True)
class Statistic(ABC):
    """Something whose means over area and forecasts make scores.

    Attributes:
        inputs: Variables that it takes together, by what the result is called, to which their level is added; each
            variable by itself where there are none. Of several sets those are taken that a forecast has.
        axes: Names of the axes that it has beside those of all, such as `rank`.
        needs_members: Whether a deterministic forecast has no such statistic.
        of_members: Whether it is of the members themselves and not of their mean.
        is_local: Whether sums over parts of a field add up to that over all of it, so that it may be cut.
        needs_circles: Whether it is of whole circles of latitude, which a region has not.
    """

    inputs: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    axes: ClassVar[tuple[str, ...]] = ()
    needs_members: ClassVar[bool] = False
    of_members: ClassVar[bool] = False
    is_local: ClassVar[bool] = False
    needs_circles: ClassVar[bool] = False

    @property
    def references(self) -> tuple[str, ...]:
        """Names of fields that it compares with, such as `climatology`."""
        return ()

    @property
    def name(self) -> str:
        """What it is and with which parameters: `squared_error`, `exceedance(threshold=300.0)`."""
        words = re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()
        told = ", ".join(f"{own.name}={_told(getattr(self, own.name))}" for own in fields(self))
        return f"{words}({told})" if told else words

    def outputs(self, levels: Mapping[str, Sequence[int]]) -> dict[str, list[Channel]]:
        """Return what it is called for each channel of a forecast, and which channels it takes together.

        Args:
            levels: Of each variable of the forecast, hPa; empty where it has one height.
        """
        outputs = {}
        for output, names in (self.inputs or {name: (name,) for name in levels}).items():
            for level in _shared([levels.get(name) for name in names]):
                outputs[output if level is None else f"{output}_{level}"] = [Channel(name, level) for name in names]
        return outputs

    def events(self, sums: np.ndarray) -> np.ndarray | None:
        """Return the area of the event that the truth had, of sums `[..., *axes]`; None where it is of no event."""
        return None

    @abstractmethod
    def sums(self, *pairs: Any, **area: Any) -> np.ndarray:
        """Return sums over points.

        Args:
            *pairs: One for each variable of `inputs`, or one; their fields are `[lead, lat, lon]`, or `[lead, point]`
                of a part of a field where the statistic is local.
            **area: `weights`: area of each point that counts in each region, 0 elsewhere, `[region, lead, *point]`,
                where all leads may be one. What takes whole fields is given `mask`, too: the points that count in
                whatever region, bool `[lead, lat, lon]`, where all leads may be one.

        Returns:
            `[lead, region, *axes]`.
        """


class PointStatistic(Statistic):
    """A value at each point."""

    is_local: ClassVar[bool] = True

    @abstractmethod
    def at(self, *pairs: Any, **_: Any) -> np.ndarray:  # so that a statistic may name its pairs
        """Return `[*axes, *point]` of one `Pair`, or of one for each variable, in any arrangement of points."""

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
        counts = class_sums(classes, int(np.prod(shape)), weights)
        return counts.reshape(*counts.shape[:2], *shape)


def class_sums(classes: np.ndarray, n_classes: int, weights: np.ndarray) -> np.ndarray:
    """Sum the weights of the points in each class.

    Args:
        classes: int `[lead, *point]`.
        n_classes: How many there are.
        weights: `[region, lead, *point]`, or with one lead for all.

    Returns:
        `[lead, region, class]`.
    """
    n_leads = len(classes)
    cells = (classes + n_classes * np.arange(n_leads).reshape(-1, *[1] * (classes.ndim - 1))).ravel()
    counts = [np.bincount(cells, np.broadcast_to(own, classes.shape).ravel(), n_leads * n_classes) for own in weights]
    return np.stack([own.reshape(n_leads, n_classes) for own in counts], axis=1)


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
    weights = weights.reshape(*weights.shape[:2], -1).swapaxes(0, 1)
    # Each sum by itself: products of matrices round otherwise for another number of leads.
    sums: np.ndarray = np.vecdot(values, weights)
    return sums.transpose(sums.ndim - 2, sums.ndim - 1, *range(sums.ndim - 2))


def _told(parameter: Any) -> str:
    """Return what tells a parameter from any other: its text, or of arrays, whose text is cut short, a digest."""
    if isinstance(parameter, np.ndarray | xr.DataArray):
        values = np.ascontiguousarray(parameter)
        content = f"{values.dtype}{values.shape}".encode() + values.tobytes()
        return f"array{values.shape}:{hashlib.sha256(content).hexdigest()[:16]}"
    with np.printoptions(threshold=sys.maxsize, floatmode="unique"):  # of what holds arrays, all digits of all
        return repr(parameter)


def _shared(levels: Sequence[Sequence[int] | None]) -> list[int | None]:
    """Return the levels that all variables have, None for those of one height; none where one is not there."""
    there = [own or (None,) for own in levels if own is not None]
    return [level for level in there[0] if all(level in own for own in there)] if len(there) == len(levels) else []
