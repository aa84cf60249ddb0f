"""How far storms go from one time to the next, and which chains of them count: every threshold by its name."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.sphere.great_circles import DEGREE

ABSOLUTE_LATITUDE = "absolute_latitude"
"""What conditions call degrees from the equator, which is no column."""


@dataclass(frozen=True)
class Condition:
    """What a track must fulfil at some of its records, not necessarily in a row.

    Attributes:
        column: Of the track, or `absolute_latitude`, degrees.
        least: What counts as fulfilled: so much at least; None for no bound.
        most: So much at most; None for no bound.
        hours: For how long in all: 54 are ten records that are six hours apart.
        share: At which share of its records, at least.

    Raises:
        UserError: It has no bound, or a number makes no sense.
    """

    column: str
    least: float | None = None
    most: float | None = None
    hours: float = 0.0
    share: float = 0.0

    def __post_init__(self) -> None:
        if self.least is None and self.most is None:
            raise UserError(f"a condition on {self.column} has no bound; write least= or most=")
        if self.hours < 0 or not 0 <= self.share <= 1:
            raise UserError(
                f"hours={self.hours}, share={self.share} of {self.column}: no time is negative, no share above 1"
            )

    def at(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return at which records it is fulfilled `[record]`.

        Raises:
            UserError: There is no such column.
        """
        if self.column == ABSOLUTE_LATITUDE:
            values = np.abs(columns["latitude"])
        elif self.column in columns:
            values = columns[self.column]
        else:
            raise UserError(
                f"tracks have no {self.column!r}, only {listed(columns)}; give the fields it is made of, or a linking"
                " without the condition on it"
            )
        low = -np.inf if self.least is None else self.least
        return np.asarray((values >= low) & (values <= (np.inf if self.most is None else self.most)))


@dataclass(frozen=True)
class Linking:
    """How storms are followed in time, and which tracks count.

    Attributes:
        maximum_speed: m s-1; no storm goes further from one record to the next. 8 degrees in six hours are 41.2.
        least_reach: Degrees of a great circle that a storm may always go, however short the step, as between points of
            a coarse grid.
        maximum_gap: Hours between two records of a track, at most. The next time of the data is always near enough, but
            for one behind a hole (`steps.is_hole`), which is near enough within these hours only
            (`steps.longest_gaps`).
        momentum: The share of its last motion that a storm is expected to go on with. Within reach, storms are
            linked where they are closest to what is expected (`motion.assign`), all of a time together.
        maximum_deviation: m s-1; no storm is found further, over the time since it was last seen, from where it is
            expected. So tracks are smooth, as Hodges 1999 (doi:10.1175/1520-0493(1999)127<1362:ACFFT>2.0.CO;2) has them
            by other means; 4 degrees in six hours are 20.6. None for no bound but that of speed.
        merging_distance: Degrees of a great circle. A track merges into another that goes on where it is expected when
            it is last seen, a track splits from another that was where it must have come from.
        least_duration: Hours from first to last record.
        least_displacement: Degrees of a great circle from the first to the last record.
        conditions: What tracks must fulfil besides.

    Raises:
        UserError: A number makes no sense.
    """

    maximum_speed: float = 41.2
    least_reach: float = 0.0
    maximum_gap: float = 0.0
    momentum: float = 0.9
    maximum_deviation: float | None = None
    merging_distance: float = 6.0
    least_duration: float = 0.0
    least_displacement: float = 0.0
    conditions: tuple[Condition, ...] = ()

    def __post_init__(self) -> None:
        if not self.maximum_speed > 0:
            raise UserError(f"maximum_speed={self.maximum_speed} m s-1 links nothing; write 41.2 for 8 degrees in 6 h")
        if self.maximum_deviation is not None and not self.maximum_deviation > 0:
            raise UserError(f"maximum_deviation={self.maximum_deviation} m s-1 links nothing; write 20.6, or None")
        if not 0 <= self.momentum <= 1:
            raise UserError(f"momentum={self.momentum} is no share; write 0.9, or 0 to expect storms where they were")
        lengths = ("least_reach", "maximum_gap", "merging_distance", "least_duration", "least_displacement")
        if negative := [name for name in lengths if getattr(self, name) < 0]:
            raise UserError(f"{negative[0]}={getattr(self, negative[0])} is negative; write 0 for none")

    def reach(self, seconds: np.ndarray) -> np.ndarray:
        """Return how far storms may go in a time, radians of a great circle."""
        return self._angle(self.maximum_speed, seconds)

    def leeway(self, seconds: np.ndarray) -> np.ndarray:
        """Return how far storms may be from where they are expected after a time, radians of a great circle."""
        speeds = (self.maximum_speed, self.maximum_deviation or np.inf)
        return self._angle(min(speeds), seconds)

    def _angle(self, speed: float, seconds: np.ndarray) -> np.ndarray:
        degrees = np.maximum(speed * seconds / (1000 * DEGREE), self.least_reach)
        angle: np.ndarray = np.radians(np.minimum(degrees, 180))
        return angle
