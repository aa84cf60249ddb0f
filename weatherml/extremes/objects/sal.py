"""Structure, amplitude and location of rain in a region: SAL (Wernli et al. 2008, doi:10.1175/2008MWR2415.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from weatherml.errors import UserError
from weatherml.extremes.objects.labels import label
from weatherml.extremes.objects.shapes import Cells, extents
from weatherml.grid import LatLonGrid
from weatherml.sphere.great_circles import distance, places, unit_vectors


@dataclass(frozen=True)
class Threshold:
    """From which amount on cells are of an object.

    Attributes:
        factor: Of the highest amount.
        highest: What that is: the 95th percentile of the wet cells (Wernli et al. 2009,
            doi:10.1175/2009WAF2222271.1), or the maximum, as the paper of 2008 has it.
        wet: From which amount on a cell is wet, in the units of the field; 0.0001 m are 0.1 mm.
        neighbours: 8, or 4 of which objects are made that touch along sides alone.
    """

    factor: float = 1 / 15
    highest: Literal["percentile_95", "maximum"] = "percentile_95"
    wet: float = 1e-4
    neighbours: int = 8

    def __post_init__(self) -> None:
        if not 0 < self.factor < 1 or not self.wet >= 0:
            raise UserError(f"{self} is no threshold of SAL: the factor lies within 0 .. 1, and wet is 0 or more")
        if self.highest not in ("percentile_95", "maximum"):
            raise UserError(f"highest {self.highest!r} is unknown; choose 'percentile_95' or 'maximum'")

    def of(self, field: np.ndarray) -> float:
        """Return the threshold of a field `[lat, lon]`; infinite where all of it is dry."""
        is_wet = field[field > self.wet]
        if not len(is_wet):
            return float("inf")
        return self.factor * float(is_wet.max() if self.highest == "maximum" else np.percentile(is_wet, 95))


_LEAST = -1e-4  # what packing makes of no rain, m
_THRESHOLD = Threshold()


@dataclass(frozen=True)
class Sal:
    """How a forecast of a region differs from the truth; all are 0 of a perfect one.

    Attributes:
        structure: -2 to 2; above 0 objects are too wide or too flat. NaN where one of both is dry.
        amplitude: -2 to 2; above 0 it rains too much. NaN where both are dry.
        location: 0 to 2, `centre` + `scatter`. NaN where one of both is dry.
        centre: 0 to 1, how far apart the centres of mass are (L1), by the greatest distance in the region.
        scatter: 0 to 1, by how much the objects' distances from the centre of mass differ (L2).
    """

    structure: float
    amplitude: float
    location: float
    centre: float
    scatter: float


def sal(forecast: np.ndarray, truth: np.ndarray, grid: LatLonGrid, threshold: Threshold = _THRESHOLD) -> Sal:
    """Compare two fields `[lat, lon]` of amounts in a region.

    Cells count by their area and distances are along great circles, so the region may be large; its size is the
    greatest distance between two of its cells.

    Raises:
        UserError: A field is not on the grid, is not finite everywhere, or has negative amounts beyond rounding.
    """
    for name, field in (("forecast", forecast), ("truth", truth)):
        _require(name, field, grid)
    own, other = (_parts(field, grid, threshold) for field in (forecast, truth))
    size = _size(grid)
    centre = float(distance(*own.centre, *other.centre)) / size
    scatter = 2 * abs(own.scatter - other.scatter) / size
    structure, amplitude = _difference(own.volume, other.volume), _difference(own.mean, other.mean)
    return Sal(structure, amplitude, centre + scatter, centre, scatter)


def ensemble_sal(
    members: Sequence[np.ndarray], truth: np.ndarray, grid: LatLonGrid, threshold: Threshold = _THRESHOLD
) -> Sal:
    """Compare an ensemble of fields with the one that came, as one forecast (Radanovics et al. 2018,
    doi:10.1175/WAF-D-17-0162.1); of one member it is `sal`.

    Amplitude and structure are of the means over members of amount and of volume; `centre` is how far the middle of the
    members' centres of mass is off; `scatter` is twice the continuous ranked probability score of the members'
    distances of objects from the centre of mass. A dry member counts for the amplitude alone, and all else is NaN where
    all are dry, or the truth is.

    Args:
        members: Each `[lat, lon]`; one is looked at after the other.
        truth: `[lat, lon]`.
        grid: Rows and columns of the region.
        threshold: From which amount on cells are of an object.

    Raises:
        UserError: As `sal`; or there is no member.
    """
    _require("truth", truth, grid)
    parts = []
    for number, field in enumerate(members):
        _require(f"forecast of member {number}", field, grid)
        parts.append(_parts(field, grid, threshold))
    if not parts:
        raise UserError("an ensemble of no members has no SAL; pass one field or more")
    other, size, wet = _parts(truth, grid, threshold), _size(grid), [own for own in parts if own.volume > 0]
    amplitude = _difference(float(np.mean([own.mean for own in parts])), other.mean)
    if not wet or not other.volume > 0:
        return Sal(float("nan"), amplitude, float("nan"), float("nan"), float("nan"))
    structure = _difference(float(np.mean([own.volume for own in wet])), other.volume)
    middle = places(sum(unit_vectors(*own.centre) for own in wet))
    centre = float(distance(*middle, *other.centre)) / size
    scatter = 2 * _crps(np.array([own.scatter for own in wet]), other.scatter) / size
    return Sal(structure, amplitude, centre + scatter, centre, scatter)


def _crps(members: np.ndarray, truth: float) -> float:
    """Return the continuous ranked probability score of the distribution that members are, `[member]`."""
    return float(np.abs(members - truth).mean() - np.abs(members[:, None] - members).mean() / 2)


@dataclass(frozen=True)
class _Parts:
    """What SAL takes of one field.

    Attributes:
        mean: Over the area, in units of the field.
        centre: Centre of mass, degrees north and east; NaN of a dry field.
        scatter: Mean distance of objects from the centre of mass, by mass, km.
        volume: Mean over objects of mass by maximum, by mass, steradian: large where objects are wide and flat.
    """

    mean: float
    centre: tuple[float, float] = (float("nan"), float("nan"))
    scatter: float = float("nan")
    volume: float = float("nan")


def _parts(field: np.ndarray, grid: LatLonGrid, threshold: Threshold) -> _Parts:
    areas = np.broadcast_to(grid.cell_areas()[:, None], field.shape)
    amount = np.maximum(field, 0.0).astype(np.float64) * areas
    mean, numbers = float(amount.sum() / areas.sum()), label(field >= threshold.of(field), grid, threshold.neighbours)
    inside = numbers > 0
    if not inside.any():
        return _Parts(mean)
    vectors = unit_vectors(np.asarray(grid.latitude)[:, None], np.asarray(grid.longitude)[None, :])
    number, highest = numbers[inside] - 1, np.zeros(numbers.max())
    np.maximum.at(highest, number, field[inside])
    masses = np.bincount(number, amount[inside])
    middles = np.stack([np.bincount(number, (amount * part)[inside]) for part in np.moveaxis(vectors, -1, 0)], axis=-1)
    latitude, longitude = map(float, places(np.tensordot(amount, vectors, 2)))
    away = distance(latitude, longitude, *places(middles))
    volume = np.average(masses / highest, weights=masses)
    return _Parts(mean, (latitude, longitude), float(np.average(away, weights=masses)), float(volume))


def _difference(own: float, other: float) -> float:
    """Return the difference by the mean of both; NaN where that is 0."""
    return 2 * (own - other) / (own + other) if own + other else float("nan")


@lru_cache(maxsize=8)
def _size(grid: LatLonGrid) -> float:
    """Return the greatest distance between two cells, km."""
    row, column = (places.ravel() for places in np.indices(grid.shape))
    return float(extents(Cells(np.zeros(row.size, np.int64), row, column, grid))[0])


def _require(name: str, field: np.ndarray, grid: LatLonGrid) -> None:
    if field.shape != grid.shape:
        raise UserError(f"the {name} {list(field.shape)} is not on the grid {list(grid.shape)}; pass its own grid")
    if not np.isfinite(field).all():
        n_missing = int((~np.isfinite(field)).sum())
        raise UserError(f"the {name} is missing at {n_missing} of {field.size} cells; SAL takes a region without gaps")
    if field.min() < _LEAST:
        raise UserError(f"the {name} has amounts down to {field.min():.3g}; SAL takes what is 0 or more, such as rain")
