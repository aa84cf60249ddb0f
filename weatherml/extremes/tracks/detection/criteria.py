"""What makes a point a storm: every threshold by its name.

Fields are named as channels are, `mean_sea_level_pressure`, `vorticity_850`; a thickness is a difference,
`geopotential_300 - geopotential_500`; a wind speed that is not there is made of its components.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from weatherml.errors import UserError

Extremum = Literal["minimum", "maximum", "cyclonic"]
Within = Literal["maximum", "minimum", "mean"]


@dataclass(frozen=True)
class ClosedContour:
    """A field rises, or falls, by so much in every direction, before so far away.

    As in Ullrich & Zarzycki 2017 (doi:10.5194/gmd-10-1069-2017): no path over cells that share a side leads further
    away than `distance` and stays below the rise. Where a path crosses the distance between two cells, the field there
    is interpolated, so that coarse grids are judged alike.

    Attributes:
        field: Which one.
        change: In its units; a rise where positive, a fall where negative. Of vorticity that is sought by
            "cyclonic" extrema, of its cyclonic sense.
        distance: Degrees of a great circle.
        offset: Degrees of a great circle within which the contour's own extremum may lie off the candidate.
        absent: Whether there must be none.

    Raises:
        UserError: A number makes no sense.
    """

    field: str
    change: float
    distance: float
    offset: float = 0.0
    absent: bool = False

    def __post_init__(self) -> None:
        if not self.change:
            raise UserError(f"change={self.change} of {self.field} closes no contour; write 200 for a rise of 200")
        if not 0 < self.distance < 90:
            raise UserError(f"distance={self.distance} degrees of a contour is not within 0 .. 90; write 5.5")
        if not 0 <= self.offset < 90:
            raise UserError(f"offset={self.offset} degrees is not within 0 .. 90; write 1, or 0 for none")


@dataclass(frozen=True)
class Nearby:
    """What a field is like around a storm, which becomes a column of its track.

    Attributes:
        column: Its name.
        field: Which one.
        statistic: What is taken of the points: their maximum, minimum or mean by area.
        distance: Degrees of a great circle around the candidate; 0 for the point itself.
        least: Candidates with less are none; None to keep all.
        most: Candidates with more are none; None to keep all.

    Raises:
        UserError: There is no such statistic, or the distance makes no sense.
    """

    column: str
    field: str
    statistic: Within = "maximum"
    distance: float = 0.0
    least: float | None = None
    most: float | None = None

    def __post_init__(self) -> None:
        if self.statistic not in get_args(Within):
            raise UserError(f"statistic {self.statistic!r} of {self.column}: choose of {', '.join(get_args(Within))}")
        if not 0 <= self.distance < 90:
            raise UserError(f"distance={self.distance} degrees of {self.column} is not within 0 .. 90; write 2")

    @property
    def is_judged(self) -> bool:
        """Whether candidates are judged by it."""
        return self.least is not None or self.most is not None


@dataclass(frozen=True)
class Detection:
    """What makes a point of a field a storm.

    Attributes:
        field: In which extrema are sought.
        extremum: Which ones: minima, maxima, or maxima in the northern and minima in the southern hemisphere, as
            vorticity of cyclones has them.
        intensity: How low a minimum must be at most, how high a maximum at least, a cyclonic one in its own sense; in
            the field's units; None for any.
        merge_distance: Degrees of a great circle; of candidates that are closer only the strongest is kept.
        contours: That must be closed around a candidate, or must not be.
        nearby: What else is told of storms; what no criterion needs is left out where its field is not there.

    Raises:
        UserError: There is no such kind of extremum, or the distance is negative.
    """

    field: str = "mean_sea_level_pressure"
    extremum: Extremum = "minimum"
    intensity: float | None = None
    merge_distance: float = 6.0
    contours: tuple[ClosedContour, ...] = ()
    nearby: tuple[Nearby, ...] = ()

    def __post_init__(self) -> None:
        if self.extremum not in get_args(Extremum):
            raise UserError(f"extremum {self.extremum!r} is none of {', '.join(get_args(Extremum))}; choose one")
        if not 0 <= self.merge_distance < 90:
            raise UserError(f"merge_distance={self.merge_distance} degrees is not within 0 .. 90; write 6, or 0")

    @property
    def needed(self) -> tuple[str, ...]:
        """Fields without which candidates cannot be judged."""
        judged = [own.field for own in self.nearby if own.is_judged]
        return tuple(dict.fromkeys([self.field, *(own.field for own in self.contours), *judged]))

    @property
    def told(self) -> tuple[str, ...]:
        """All fields, the needed ones first."""
        return tuple(dict.fromkeys([*self.needed, *(own.field for own in self.nearby)]))
