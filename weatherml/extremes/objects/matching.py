"""Which forecast object is which observed one: total interest of pairs (Davis et al. 2006), one to one.

In the manner of MET's tool MODE, and not MODE: its weights and interest maps are the defaults, its confidences, and how
it merges objects of one field, are not.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import xarray as xr
from scipy.sparse import coo_array, csr_array, issparse
from scipy.spatial import cKDTree

from weatherml.errors import UserError
from weatherml.extremes.assignment import of_matrix
from weatherml.extremes.objects.properties import KM2
from weatherml.grid import LatLonGrid
from weatherml.sphere import EARTH_RADIUS
from weatherml.sphere.great_circles import distance, unit_vectors


@dataclass(frozen=True)
class Interest:
    """How much one attribute of a pair says that both are one object.

    Attributes:
        weight: Against that of other attributes; 0 to leave it out.
        full: From where on the interest is 1.
        none: From where on it is 0; between them it is a straight line.
        half: Where it is a half, if that is not in the middle: the line then has two pieces.
    """

    weight: float
    full: float
    none: float
    half: float | None = None

    def __post_init__(self) -> None:
        if not self.weight >= 0 or self.full == self.none:
            raise UserError(f"{self} is no interest: the weight is 0 or more, and `full` and `none` differ")
        if self.half is not None and not min(self.full, self.none) < self.half < max(self.full, self.none):
            raise UserError(
                f"{self} is no interest: `half` lies between `full` and `none`; leave it out for the middle"
            )

    def of(self, values: np.ndarray) -> np.ndarray:
        """Return 0 to 1 of values of the attribute."""
        middle = (self.full + self.none) / 2 if self.half is None else self.half
        places, shares = (self.none, middle, self.full), (0.0, 0.5, 1.0)
        rises = self.none < self.full
        share: np.ndarray = np.interp(values, places if rises else places[::-1], shares if rises else shares[::-1])
        return share


@dataclass(frozen=True)
class Weights:
    """What counts of a pair of objects; the defaults are the weights and interest maps of the configuration that comes
    with MET's tool MODE, whose distances are the same km over the length of a grid's cell.

    Two things differ. How much an angle counts is told of roundness as below, and everything else counts in full, where
    MODE has confidences of its own. And pairs are one to one (`match`), where MODE makes clusters of all that match.

    Attributes:
        centroid: Distance of the centroids, km.
        separation: Least distance of two cells, one of each, km; left out where it is not known.
        angle: Difference of the axes, degrees, 0 to 90. A round object has no direction: the weight counts by
            1 - width / length of the rounder of the two.
        area: The smaller area by the larger.
        overlap: What both cover, by the smaller of the two; of objects through time, area times time.
        intensity: The smaller mean by the larger; left out where one is not known.
        least: Total interest from which on a pair may be one object.
    """

    centroid: Interest = Interest(2, 60, 600)
    separation: Interest = Interest(4, 0, 400)
    angle: Interest = Interest(1, 30, 90)
    area: Interest = Interest(1, 0.8, 0)
    overlap: Interest = Interest(2, 0.25, 0, half=0.1)
    intensity: Interest = Interest(0, 0.8, 0)
    least: float = 0.7

    def __post_init__(self) -> None:
        if not 0 <= self.least <= 1:
            raise UserError(f"the least total interest lies within 0 .. 1, got {self.least}; the default is 0.7")
        if not any(getattr(self, own.name).weight for own in fields(self) if own.name != "least"):
            raise UserError("all weights of the matching are 0; leave one at its default")


WEIGHTS = Weights()
_FAR = 1e9  # km
_MOST_PAIRS = 4_000_000  # of which each takes some hundred bytes


def overlaps(
    forecast: np.ndarray, truth: np.ndarray, grid: LatLonGrid, n_forecast: int = 0, n_truth: int = 0
) -> csr_array:
    """Return what each pair of objects covers together, km2, over times its sum.

    Args:
        forecast: Labels `[..., lat, lon]`.
        truth: Labels of the same shape.
        grid: Rows and columns.
        n_forecast: Highest label that there may be, the highest that is there where it is more.
        n_truth: Of the truth.

    Returns:
        Sparse `[forecast label - 1, truth label - 1]`: most pairs have nothing in common.
    """
    shape = (max(n_forecast, forecast.max(initial=0)), max(n_truth, truth.max(initial=0)))
    both = (forecast > 0) & (truth > 0)
    areas = np.broadcast_to(KM2 * grid.cell_areas()[:, None], forecast.shape)[both]
    return coo_array((areas, (forecast[both] - 1, truth[both] - 1)), shape=shape).tocsr()


def separations(forecast: np.ndarray, truth: np.ndarray, grid: LatLonGrid, most: float = np.inf) -> np.ndarray:
    """Return the distance of the nearest two cells' centres, one of each object, km; 0 where both cover one cell.

    Args:
        forecast: Labels `[lat, lon]`, or `[time, lat, lon]` for the nearest at whatever times.
        truth: Labels of such a shape.
        grid: Rows and columns.
        most: km, beyond which it does not matter how far apart they are.

    Returns:
        `[forecast label - 1, truth label - 1]`; infinite beyond `most`, and of labels that are not there.
    """
    chords = np.full((forecast.max(initial=0), truth.max(initial=0)), np.inf)
    farthest = 2 * np.sin(min(most / EARTH_RADIUS, np.pi) / 2)
    others = [_Searched.of(label, own) for label, own in _each(truth, grid)]
    middles = np.array([other.middle for other in others]).reshape(-1, 3)
    reaches = np.array([other.reach for other in others])
    for one in (_Searched.of(label, own) for label, own in _each(forecast, grid)):
        apart = np.linalg.norm(middles - one.middle, axis=1) - one.reach - reaches  # a chord is no longer than two
        for place in np.flatnonzero(apart <= farthest):
            chords[one.label - 1, others[place].label - 1] = one.nearest(others[place])
    angles = 2 * np.arcsin(np.minimum(chords / 2, 1))
    return np.where(chords <= farthest, EARTH_RADIUS * angles, np.inf)


@dataclass(frozen=True, eq=False)
class _Searched:
    """Cells of one object on the unit sphere, to be searched.

    Attributes:
        label: Of the object.
        places: `[cell, 3]`.
        tree: Of the places.
        middle: Mean of the places `[3]`.
        reach: Of the places farthest from the middle.
    """

    label: int
    places: np.ndarray
    tree: cKDTree
    middle: np.ndarray
    reach: float

    @classmethod
    def of(cls, label: int, places: np.ndarray) -> "_Searched":
        middle = places.mean(axis=0)
        return cls(label, places, cKDTree(places), middle, float(np.linalg.norm(places - middle, axis=1).max()))

    def nearest(self, other: "_Searched") -> float:
        """Return the shortest chord between a place of either."""
        few, many = (self, other) if len(self.places) < len(other.places) else (other, self)
        return float(many.tree.query(few.places)[0].min())


def _each(labels: np.ndarray, grid: LatLonGrid) -> Iterator[tuple[int, np.ndarray]]:
    """Give the label of each object and where its cells lie on the unit sphere `[cell, 3]`."""
    places, size = np.nonzero(labels), grid.n_lat * grid.n_lon
    codes = labels[places].astype(np.int64) * size + places[-2] * grid.n_lon + places[-1]
    label, place = np.divmod(np.unique(codes), size)
    row, column = np.divmod(place, grid.n_lon)
    vectors = unit_vectors(np.asarray(grid.latitude)[row], np.asarray(grid.longitude)[column])
    firsts = np.flatnonzero(np.diff(label, prepend=0))
    yield from zip(label[firsts].tolist(), np.split(vectors, firsts)[1:], strict=True)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Attributes of every pair of a forecast object and an observed one, each `[forecast, truth]`.

    Attributes:
        centroid: Distance of the centroids, km.
        separation: Of the nearest cells, km; NaN where it is not known.
        angle: Between the axes, degrees, 0 to 90.
        area: The smaller by the larger.
        overlap: By the smaller of the two.
        intensity: The smaller mean by the larger; NaN where there is none.
        direction: How far both have a direction, 0 to 1.
    """

    centroid: np.ndarray
    separation: np.ndarray
    angle: np.ndarray
    area: np.ndarray
    overlap: np.ndarray
    intensity: np.ndarray
    direction: np.ndarray

    @classmethod
    def of(
        cls, forecast: xr.Dataset, truth: xr.Dataset, overlap: np.ndarray, separation: np.ndarray | None = None
    ) -> "Pairs":
        """Take the attributes from tables of `properties` and what both cover, `overlaps` of their labels."""

        def both(name: str) -> tuple[np.ndarray, np.ndarray]:
            return forecast[name].values[:, None], truth[name].values[None, :]

        (north, east), turned = map(both, ("latitude", "longitude")), np.subtract(*both("axis")) % 180
        none = np.full(overlap.shape, np.nan)
        roundness = [table["width"].values / table["length"].values for table in (forecast, truth)]
        has_means = "mean" in forecast and "mean" in truth
        return cls(
            distance(north[0], east[0], north[1], east[1]),
            none if separation is None else separation,
            np.minimum(turned, 180 - turned),
            _ratio(*both("area")),
            overlap / np.minimum(*both("volume")),
            _ratio(*map(np.abs, both("mean"))) if has_means else none,
            1 - np.maximum(roundness[0][:, None], roundness[1][None, :]),
        )

    def total(self, weights: Weights = WEIGHTS) -> np.ndarray:
        """Return the total interest, 0 to 1: the mean of the interests by weight."""
        top, bottom = np.zeros(self.centroid.shape), np.zeros(self.centroid.shape)
        for name in (own.name for own in fields(weights) if own.name != "least"):
            interest, values = getattr(weights, name), getattr(self, name)
            weight = interest.weight * ~np.isnan(values) * (self.direction if name == "angle" else 1.0)
            top += weight * interest.of(np.nan_to_num(values, posinf=_FAR))
            bottom += weight
        return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


def _ratio(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    larger = np.maximum(first, second)
    ratio: np.ndarray = np.divide(np.minimum(first, second), larger, out=np.ones_like(larger), where=larger > 0)
    return ratio


def match(
    forecast: xr.Dataset,
    truth: xr.Dataset,
    overlap: csr_array | np.ndarray,
    separation: np.ndarray | None = None,
    weights: Weights = WEIGHTS,
) -> xr.Dataset:
    """Pair forecast objects with observed ones: one to one, so that the sum of total interests is greatest.

    Args:
        forecast: Table of `properties`.
        truth: Table of `properties`.
        overlap: `overlaps` of the labels that the tables are of; tables may lack some, such as those that are small.
        separation: `separations` of these labels; it is left out where None.
        weights: What counts, and from which total interest on.

    Returns:
        Dim `pair`: labels `forecast` and `truth`, the total `interest`, `centroid_distance` and `separation` km,
        `angle` degrees, `area_ratio`, `overlap_ratio`. Labels of what is left, `missed` (dim `miss`) and `false_alarms`
        (dim `false_alarm`). And `median_of_maximum_interest`, over all objects of both, each with whichever of the
        other suits it best (Davis et al. 2009), NaN where there is none.

    Raises:
        UserError: A table has a label that the overlaps or separations have not.
    """
    apart = None if separation is None else _of_tables(separation, forecast, truth)
    pairs = Pairs.of(forecast, truth, _of_tables(overlap, forecast, truth), apart)
    total = pairs.total(weights)
    rows, columns = of_matrix(-total, total >= weights.least, alone=np.finfo(float).tiny)
    told = {
        "forecast": forecast["label"].values[rows],
        "truth": truth["label"].values[columns],
        "interest": total[rows, columns],
        "centroid_distance": pairs.centroid[rows, columns],
        "separation": pairs.separation[rows, columns],
        "angle": pairs.angle[rows, columns],
        "area_ratio": pairs.area[rows, columns],
        "overlap_ratio": pairs.overlap[rows, columns],
    }
    matches = xr.Dataset({name: ("pair", values) for name, values in told.items()})
    matches["missed"] = ("miss", np.delete(truth["label"].values, columns))
    matches["false_alarms"] = ("false_alarm", np.delete(forecast["label"].values, rows))
    return matches.assign(median_of_maximum_interest=_median_of_maximum(total))


def _of_tables(matrix: np.ndarray | csr_array, forecast: xr.Dataset, truth: xr.Dataset) -> np.ndarray:
    """Return the part of a matrix by labels that is of the objects of two tables."""
    rows, columns = (table["label"].values - 1 for table in (forecast, truth))
    if rows.max(initial=-1) >= matrix.shape[0] or columns.max(initial=-1) >= matrix.shape[1]:
        raise UserError(
            f"overlaps or separations {list(matrix.shape)} lack labels of the tables, which go up to"
            f" {rows.max(initial=-1) + 1} and {columns.max(initial=-1) + 1}; take them of the same labels"
        )
    if len(rows) * len(columns) > _MOST_PAIRS:
        raise UserError(
            f"{len(rows)} forecast and {len(columns)} observed objects are too many to be matched; leave out small"
            " ones, by minimum_area of the definition, or table.isel(object=...)"
        )
    part = matrix[rows][:, columns]
    dense: np.ndarray = part.toarray() if issparse(part) else part
    return dense


def _median_of_maximum(total: np.ndarray) -> float:
    if not total.size:
        return float("nan")
    return float(np.median(np.concatenate([total.max(axis=0), total.max(axis=1)])))
