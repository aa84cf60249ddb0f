"""Rivers of one field of transport after the other: which cells make one, and what each is like."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.extremes.hazards.rivers.axes import Axes, axes_of
from weatherml.extremes.hazards.rivers.definition import Definition
from weatherml.extremes.hazards.rivers.records import as_records
from weatherml.extremes.hazards.rivers.transport import EASTWARD, NORTHWARD, TRANSPORT, threshold_at, transport_at
from weatherml.extremes.objects import label
from weatherml.extremes.objects.shapes import Cells
from weatherml.grid import LatLonGrid
from weatherml.references import Reference

DIMS = ("time", "latitude", "longitude")
_UNITS = {
    "area": "km2", "length": "km", "width": "km", "latitude": "degrees_north", "longitude": "degrees_east",
    "axis": "degree", "direction": "degree", "transport": "kg m-1 s-1", "maximum": "kg m-1 s-1",
    "poleward": "kg m-1 s-1", "coherent_share": "1",
}  # fmt: skip


def rivers(
    fields: xr.Dataset, definition: Definition | None = None, threshold: Reference | None = None
) -> tuple[xr.DataArray, xr.Dataset]:
    """Find the rivers of each time.

    Args:
        fields: Of one member or of analyses, dims (time, [level,] latitude, longitude), as `transport` takes them.
        definition: Thresholds; Guan and Waliser's when None.
        threshold: The climatological percentile of transport, such as `climatology` returns.

    Returns:
        Labels `[time, latitude, longitude]`, int32, from 1 on at each time, 0 outside; and a table, dim `record`, one
        row a river and time in the order of labels: `time`, `label`, centroid `latitude` and `longitude`, `area` km2,
        `length` and `width` km, `axis`, the direction of its axis, 0 to 180; of the transport in kg m-1 s-1 over its
        area the mean `transport`, the `maximum`, the mean's `direction`, to which it goes, 0 to 360, both degrees
        clockwise from north, its `poleward` part, and `coherent_share`, the part of the area that it runs along in.

    Raises:
        UserError: As `transport` and `threshold_at`.
    """
    definition = definition or Definition()
    grid = LatLonGrid.from_dataset(fields)
    found = [_of_one(own, grid, definition) for own in _each_time(fields, definition, threshold)]
    tables = [table.assign(time=time) for time, (_, table) in zip(fields["time"].values, found, strict=True)]
    coords = {name: fields[name].values for name in DIMS}
    where = xr.DataArray(np.stack([own for own, _ in found]), coords, DIMS, "label")
    return where, as_records(pd.concat(tables, ignore_index=True)[["time", "label", *_UNITS]], _UNITS)


def _each_time(
    fields: xr.Dataset, definition: Definition, threshold: Reference | None
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Give where transport exceeds its thresholds, and its components, each `[lat, lon]`: one time is held."""
    far = np.abs(fields["latitude"].values)[:, None] >= definition.least_latitude
    for time in fields["time"].values:
        own = transport_at(fields, time)
        strength = own[TRANSPORT].values
        normal = threshold_at(threshold, np.array([time]), definition.percentile)
        exceeds = far & (strength > definition.transport)
        if normal is not None:
            normal = normal.squeeze("time", drop=True) if "time" in normal.dims else normal
            exceeds &= strength > normal.transpose("latitude", "longitude").values
        yield exceeds, own[EASTWARD].values, own[NORTHWARD].values


def _of_one(
    given: tuple[np.ndarray, np.ndarray, np.ndarray], grid: LatLonGrid, definition: Definition
) -> tuple[np.ndarray, pd.DataFrame]:
    """Return labels and table of one time."""
    exceeds, eastward, northward = given
    labels = label(exceeds, grid)
    place = np.flatnonzero(labels)
    place = place[np.argsort(labels.ravel()[place], kind="stable")]
    cells = Cells(labels.ravel()[place].astype(np.int64) - 1, *np.divmod(place, grid.n_lon), grid)
    axes = axes_of(cells)
    table = _described(cells, axes, eastward.ravel()[place], northward.ravel()[place], definition)
    kept = _are_rivers(table, definition).to_numpy()
    number = np.concatenate([[0], np.where(kept, np.cumsum(kept), 0)]).astype(np.int32)
    return number[labels], table[kept].assign(label=np.arange(1, kept.sum() + 1))


def _described(
    cells: Cells, axes: Axes, eastward: np.ndarray, northward: np.ndarray, definition: Definition
) -> pd.DataFrame:
    """Return one row an object; vectors are added up in space, so that it may lie over a pole."""
    area = cells.sums(cells.area)
    flow = _in_space(cells.latitude, cells.longitude, eastward, northward)
    mean = np.stack([cells.sums(cells.area * part) for part in flow.T], axis=1) / area[:, None]
    own_east, own_north = _on_ground(cells.latitude, cells.longitude, mean[cells.number])
    speed = np.hypot(eastward, northward)
    cosine = (eastward * own_east + northward * own_north) / np.maximum(speed * np.hypot(own_east, own_north), 1e-9)
    along = cosine >= np.cos(np.radians(definition.angle))
    mean_east, mean_north = _on_ground(axes.latitude, axes.longitude, mean)
    maximum = np.zeros(len(area))
    np.maximum.at(maximum, cells.number, speed)
    table = {
        "latitude": axes.latitude, "longitude": axes.longitude, "area": axes.area, "length": axes.length,
        "width": axes.width, "axis": axes.direction, "maximum": maximum,
        "transport": cells.sums(cells.area * speed) / area,
        "direction": np.degrees(np.arctan2(mean_east, mean_north)) % 360,
        "poleward": cells.sums(cells.area * northward * np.sign(cells.latitude)) / area,
        "coherent_share": cells.sums(cells.area * along) / area,
    }  # fmt: skip
    return pd.DataFrame(table)


def _are_rivers(table: pd.DataFrame, definition: Definition) -> pd.Series:
    turn = np.abs((table["direction"] - table["axis"] + 90) % 180 - 90)
    is_river: pd.Series = (
        (table["length"] >= definition.length)
        & (table["length"] > definition.length_to_width * table["width"])
        & (table["poleward"] >= definition.poleward)
        & (table["coherent_share"] >= definition.coherent_share)
        & (turn <= definition.axis_angle)
    )
    return is_river


def _frames(latitude: np.ndarray, longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the unit vectors to the east and to the north at places in degrees, each `[place, 3]`."""
    north, east = np.radians(latitude), np.radians(longitude)
    eastward = np.stack([-np.sin(east), np.cos(east), np.zeros_like(east)], axis=-1)
    northward = np.stack([-np.sin(north) * np.cos(east), -np.sin(north) * np.sin(east), np.cos(north)], axis=-1)
    return eastward, northward


def _in_space(latitude: np.ndarray, longitude: np.ndarray, eastward: np.ndarray, northward: np.ndarray) -> np.ndarray:
    """Return horizontal vectors as vectors in space, `[place, 3]`."""
    to_east, to_north = _frames(latitude, longitude)
    vectors: np.ndarray = eastward[:, None] * to_east + northward[:, None] * to_north
    return vectors


def _on_ground(latitude: np.ndarray, longitude: np.ndarray, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the parts to the east and to the north of vectors in space `[place, 3]`."""
    east, north = (np.einsum("ij,ij->i", vectors, frame) for frame in _frames(latitude, longitude))
    return east, north
