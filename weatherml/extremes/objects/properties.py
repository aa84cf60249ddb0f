"""One row an object: where it is, how large and how strong, from when to when."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.objects.shapes import Cells, centroids, ellipses, extents
from weatherml.grid import LatLonGrid, on_circle
from weatherml.sphere import EARTH_RADIUS
from weatherml.sphere.great_circles import places

KM2 = EARTH_RADIUS**2
"""Of a steradian."""

_UNITS = {
    "area": "km2",
    "latitude": "degrees_north",
    "longitude": "degrees_east",
    "length": "km",
    "width": "km",
    "axis": "degree",
    "extent": "km",
    "largest_area": "km2",
    "volume": "km2",
}


def properties(
    labels: np.ndarray,
    grid: LatLonGrid,
    values: np.ndarray | None = None,
    times: Sequence[np.datetime64] | np.ndarray | None = None,
) -> xr.Dataset:
    """Describe objects, one row each.

    Args:
        labels: Numbers from `label`, `[lat, lon]` or `[time, lat, lon]`.
        grid: Its rows and columns.
        values: What the objects are of, of the shape of `labels`; finite where there are objects.
        times: Of the first axis.

    Returns:
        Dim `object`, in the order of `label`. Of all places that an object covers at one time or another: `area` km2;
        the centroid on the sphere, `latitude` and `longitude` (0 <= longitude < 360); `length` and `width` km, the axes
        of the ellipse with the same second moments, and the direction of the longer, `axis`, degrees clockwise from
        north (0 <= axis < 180); `extent` km, the greatest great-circle distance between the centres of two of its
        cells. Over times: `n_times`, `largest_area` km2 at one of them, `volume` km2, the sum of its areas over times,
        and with `times` `first_time` and `last_time`. With `values`: `maximum`, `minimum`, `mean` over area and
        times, and `mass`, the sum over times of the integral over the area, in units of the values times km2.

    Raises:
        UserError: Labels are not on the grid, or values or times are not of their shape.
    """
    return _gathered(labels, grid, values, times).properties()


def evolution(
    labels: np.ndarray,
    grid: LatLonGrid,
    values: np.ndarray | None = None,
    times: Sequence[np.datetime64] | np.ndarray | None = None,
) -> xr.Dataset:
    """Describe objects that go on through time, one row for each time of each.

    Args:
        labels: Numbers from `label`, `[time, lat, lon]`.
        grid: Its rows and columns.
        values: As of `properties`.
        times: As of `properties`.

    Returns:
        Dim `record`, sorted by (label, time): `label`, `time` (its position where there are no `times`), `area` km2,
        `latitude` and `longitude` of the centroid, and with `values` `maximum`, `minimum`, `mean` and `mass`.
    """
    return _gathered(labels, grid, values, times).evolution()


def _gathered(
    labels: np.ndarray, grid: LatLonGrid, values: np.ndarray | None, times: Sequence[np.datetime64] | np.ndarray | None
) -> "Gathering":
    if labels.shape[-2:] != grid.shape or labels.ndim > 3:
        raise UserError(f"labels {list(labels.shape)} are not [time, lat, lon] of the grid {list(grid.shape)}")
    if values is not None and np.shape(values) != labels.shape:
        raise UserError(f"values {list(np.shape(values))} are not of the shape of the labels {list(labels.shape)}")
    fields = labels.reshape(-1, *grid.shape)
    if times is not None and len(times) != len(fields):
        raise UserError(f"there are {len(times)} times of {len(fields)} fields; pass one of each")
    gathering = Gathering(grid)
    for number, own in enumerate(fields):
        of_them = None if values is None else np.reshape(values, fields.shape)[number]
        gathering.add(own, of_them, None if times is None else np.asarray(times)[number])
    return gathering


class Gathering:
    """Takes in objects time after time; holds a row for each at each time, and the places that they have covered.

    Labels may be provisional: `properties` and `evolution` take what `Labeller.final` returns, and join them.
    """

    def __init__(self, grid: LatLonGrid) -> None:
        self._grid = grid
        self._rows: list[pd.DataFrame] = []
        self._times: list[np.datetime64] = []
        self._covered = _Covered(grid)

    def add(self, labels: np.ndarray, values: np.ndarray | None = None, time: np.datetime64 | None = None) -> None:
        """Take in the labels of one time `[lat, lon]`, with values of the same shape."""
        place = np.flatnonzero(labels)
        label = labels.reshape(-1)[place].astype(np.int64)
        self._covered.add(label, place)
        own = None if values is None else np.asarray(values, np.float64).reshape(-1)[place]
        self._rows.append(_sums(label, place, own, self._grid).assign(field=len(self._rows)))
        if time is not None:
            self._times.append(time)

    def evolution(self, final: np.ndarray | None = None) -> xr.Dataset:
        """Return one row for each time of each object, as the function of that name."""
        rows = self._joined(final).reset_index()
        table = {"label": rows["label"], "time": self._time(rows["field"]), "area": KM2 * rows["area"]}
        return _dataset("record", table | _place(*places(rows[list("xyz")])) | _strengths(rows))

    def properties(self, final: np.ndarray | None = None) -> xr.Dataset:
        """Return one row for each object, as the function of that name."""
        rows = self._joined(final).reset_index()
        objects = rows.groupby("label")
        table = {"label": np.unique(rows["label"])} | _shape(self._covered.cells(final))
        table |= {"n_times": objects.size(), "largest_area": KM2 * objects["area"].max()}
        table["volume"] = KM2 * objects["area"].sum()
        if self._times:
            first, last = objects["field"].min(), objects["field"].max()
            table |= {"first_time": self._time(first), "last_time": self._time(last)}
        return _dataset("object", table | _strengths(_put_together(rows, ["label"])))

    def _joined(self, final: np.ndarray | None) -> pd.DataFrame:
        rows = pd.concat(self._rows)
        return _put_together(rows.assign(label=_final(rows["label"].to_numpy(), final)), ["label", "field"])

    def _time(self, fields: pd.Series) -> np.ndarray:
        numbers: np.ndarray = fields.to_numpy()
        return np.asarray(self._times, "datetime64[ns]")[numbers] if self._times else numbers


class _Covered:
    """Which places each object covers at one time or another, each once."""

    def __init__(self, grid: LatLonGrid) -> None:
        self._grid, self._size = grid, grid.n_lat * grid.n_lon
        self._codes, self._newer, self._n_newer = np.zeros(0, np.int64), [np.zeros(0, np.int64)], 0

    def add(self, label: np.ndarray, place: np.ndarray) -> None:
        """Take in the label of each of some places, which count along the rows of the grid."""
        self._newer.append(label * self._size + place)
        self._n_newer += len(place)
        if self._n_newer > len(self._codes):  # so what is known is sorted as seldom as it doubles
            self._put_in_order()

    def cells(self, final: np.ndarray | None) -> Cells:
        """Return the cells of each object, numbered in the order of the labels."""
        self._put_in_order()
        label, place = np.divmod(self._codes, self._size)
        label, place = np.divmod(np.unique(_final(label, final) * self._size + place), self._size)
        row, column = np.divmod(place, self._grid.n_lon)
        return Cells(np.unique(label, return_inverse=True)[1], row, column, self._grid)

    def _put_in_order(self) -> None:
        self._codes = np.unique(np.concatenate([self._codes, *self._newer]))
        self._newer, self._n_newer = [], 0


_HOW = {"area": "sum", "x": "sum", "y": "sum", "z": "sum", "mass": "sum", "maximum": "max", "minimum": "min"}
"""How pieces of an object are put together."""


def _put_together(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    return rows.groupby(keys, sort=True).agg({name: how for name, how in _HOW.items() if name in rows})


def _final(labels: np.ndarray, final: np.ndarray | None) -> np.ndarray:
    return labels if final is None else final[labels].astype(np.int64)


def _sums(label: np.ndarray, place: np.ndarray, values: np.ndarray | None, grid: LatLonGrid) -> pd.DataFrame:
    """Return what adds up of the cells of each label at one time: steradian, and values times steradian."""
    known, number = np.unique(label, return_inverse=True)
    order = np.argsort(number, kind="stable")
    cells = Cells(number[order], *np.divmod(place[order], grid.n_lon), grid)
    sums = {"label": known, "area": cells.sums(cells.area)}
    sums |= dict(zip("xyz", cells.directions.T, strict=True))
    if values is not None:
        own, firsts = values[order], np.flatnonzero(np.diff(cells.number, prepend=-1))
        sums["mass"] = cells.sums(cells.area * own)
        for name, reduce in (("maximum", np.maximum), ("minimum", np.minimum)):
            sums[name] = reduce.reduceat(own, firsts) if len(own) else own
    return pd.DataFrame(sums)


def _place(latitude: np.ndarray, longitude: np.ndarray) -> dict[str, np.ndarray]:
    return {"latitude": latitude, "longitude": on_circle(longitude)}


def _shape(cells: Cells) -> dict[str, np.ndarray]:
    own = ellipses(cells)
    table = {"area": KM2 * cells.sums(cells.area)} | _place(*centroids(cells))
    return table | {"length": own.length, "width": own.width, "axis": own.axis, "extent": extents(cells)}


def _strengths(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    if "mass" not in rows:
        return {}
    strengths = {name: rows[name].to_numpy() for name in ("maximum", "minimum")}
    return strengths | {"mean": (rows["mass"] / rows["area"]).to_numpy(), "mass": KM2 * rows["mass"].to_numpy()}


def _dataset(dim: str, table: dict[str, np.ndarray]) -> xr.Dataset:
    columns = {
        name: (dim, np.asarray(values), {"units": _UNITS[name]} if name in _UNITS else {})
        for name, values in table.items()
    }
    return xr.Dataset(columns)
