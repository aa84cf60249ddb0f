"""Forecasts at places: bilinear between the four grid points around each, also across 0 degrees east and the poles."""

import csv
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Self

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.grid import closes_circle
from weatherml.products.selection import in_one_piece, require_grid, variable_of
from weatherml.storage.locations import local_path

_COLUMNS = ("name", "latitude", "longitude")

_DIRECTED = "_component_of_wind"
"""Ending of the variables whose sign depends on which way is east: opposite ways on either side of a pole."""
_OPPOSITE = {"minimum": "maximum", "maximum": "minimum"}
_SAME_QUANTILE = 1e-6


@dataclass(frozen=True)
class Stations:
    """Places with names.

    Attributes:
        names: Of each place.
        latitude: Degrees north.
        longitude: Degrees east, -180 .. 360.

    Raises:
        UserError: There is none, two have one name, or a coordinate is out of range.
    """

    names: tuple[str, ...]
    latitude: tuple[float, ...]
    longitude: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.names:
            raise UserError("stations are empty; give at least one line name,latitude,longitude")
        repeated = {name for name in self.names if self.names.count(name) > 1}
        if repeated:
            raise UserError(f"stations are named twice: {listed(sorted(repeated))}; leave one out")
        for name, latitude, longitude in zip(self.names, self.latitude, self.longitude, strict=True):
            if not (-90 <= latitude <= 90 and -180 <= longitude <= 360):
                raise UserError(
                    f"station {name} lies at latitude {latitude}, longitude {longitude}; they must be within"
                    " -90 .. 90 and -180 .. 360"
                )

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a CSV file with the columns name, latitude, longitude, in any order and among others.

        Raises:
            UserError: It cannot be read, or a line lacks a number.
        """
        try:
            with open(local_path(path), newline="", encoding="utf-8-sig") as file:
                rows = list(csv.DictReader(file, skipinitialspace=True))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"cannot read stations {path}: {reason}; pass a CSV file name,latitude,longitude") from None
        absent = [column for column in _COLUMNS if rows and column not in rows[0]]
        if absent:
            raise UserError(
                f"stations {path} have no column {absent[0]!r}; the first line must be {','.join(_COLUMNS)}"
            )
        places = [_place(path, line, row) for line, row in enumerate(rows, start=2)]
        names, latitude, longitude = zip(*places, strict=True) if places else ((), (), ())
        return cls(names, latitude, longitude)


def at_stations(dataset: xr.Dataset, stations: Stations) -> xr.Dataset:
    """Interpolate a forecast to places, lazily; dimensions `(..., station)`.

    Between the last row and a pole, the grid point beyond is the one of the same row on the other side of the pole,
    where components of vectors point the opposite way: their minimum there is minus the maximum, their quantile q minus
    the quantile 1 - q. What does not follow from the statistics that were kept, such as a share of members above a
    threshold, is NaN there, and the attribute `comment` says where and why. A value is NaN if a grid point that counts
    is; as many members are counted as at the grid point with the fewest.

    Raises:
        UserError: A place lies outside the grid.
    """
    require_grid(dataset)
    dataset = in_one_piece(dataset)
    latitude, longitude = (np.asarray(dataset[name].values, np.float64) for name in ("latitude", "longitude"))
    corners = _corners(stations, latitude, longitude)
    beyond = reduce(np.logical_or, [corner.is_beyond & (corner.weights != 0) for corner in corners])
    polar = ", ".join(name for name, is_polar in zip(stations.names, beyond, strict=True) if is_polar)
    fields = {name: _interpolate(dataset, str(name), corners, polar) for name in dataset.data_vars}
    kept = {name: c for name, c in dataset.coords.items() if not {"latitude", "longitude"} & set(c.dims)}
    placed = {
        "station": (
            "station",
            np.array(stations.names, object),
            {"long_name": "station name", "cf_role": "timeseries_id"},
        ),
        "latitude": ("station", np.array(stations.latitude), dataset["latitude"].attrs),
        "longitude": ("station", np.array(stations.longitude), dataset["longitude"].attrs),
    }
    return xr.Dataset(fields, {**kept, **placed}, {**dataset.attrs, "featureType": "timeSeries"})


@dataclass(frozen=True, eq=False)
class _Corner:
    """One of the grid points around each place: where it is, its weight, and whether it lies across a pole."""

    rows: np.ndarray
    columns: np.ndarray
    weights: np.ndarray
    is_beyond: np.ndarray


def _corners(stations: Stations, latitude: np.ndarray, longitude: np.ndarray) -> list[_Corner]:
    """Return the grid points around places, those of weight zero among them."""
    is_round = closes_circle(longitude)
    return [
        _Corner(row, column, row_weight * column_weight, beyond)
        for row, row_weight, beyond in _rows(stations, latitude, is_round)
        for column, column_weight in _columns(stations, longitude, is_round, beyond)
    ]


def _rows(stations: Stations, latitude: np.ndarray, is_round: bool) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return the row north and the row south of each place, their weights, and whether they lie across a pole."""
    reach = 1.01 * abs(latitude[-1] - latitude[0]) / max(len(latitude) - 1, 1)
    north = latitude[:1] if is_round and 90 - latitude[0] <= reach else latitude[:0]
    south = latitude[-1:] if is_round and latitude[-1] + 90 <= reach else latitude[:0]
    continued = np.concatenate([180 - north, latitude, -180 - south])
    rows = np.pad(np.arange(len(latitude)), (len(north), len(south)), mode="edge")
    beyond = np.abs(continued) > 90
    wanted = np.asarray(stations.latitude)
    _require_inside(stations, (wanted > continued[0]) | (wanted < continued[-1]), "rows", latitude)
    first, second, share = _between(-continued, -wanted)
    return [(rows[first], 1 - share, beyond[first]), (rows[second], share, beyond[second])]


def _columns(
    stations: Stations, longitude: np.ndarray, is_round: bool, beyond: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the column west and the column east of each place, or of the one opposite, and their weights."""
    offsets = longitude - longitude[0]
    wanted = (np.asarray(stations.longitude) + 180 * beyond - longitude[0]) % 360
    if is_round:
        offsets = np.append(offsets, 360)
    else:
        _require_inside(stations, wanted > offsets[-1], "columns", longitude)
    first, second, share = _between(offsets, wanted)
    return [(first, 1 - share), (second % len(longitude), share)]


def _between(rising: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the positions before and after each value, and its share of the way."""
    first = np.clip(np.searchsorted(rising, wanted, side="right") - 1, 0, max(len(rising) - 2, 0))
    second = np.minimum(first + 1, len(rising) - 1)
    gap = rising[second] - rising[first]
    share: np.ndarray = np.where(gap > 0, (wanted - rising[first]) / np.where(gap > 0, gap, 1), 0)
    return first, second, share


def _interpolate(dataset: xr.Dataset, name: str, corners: list[_Corner], polar: str) -> xr.DataArray:
    """Return a field at the places; `polar` are those that also need what lies across a pole."""
    field = dataset[name]
    across = _across_pole(dataset, name) if polar else _Across(field)
    values = [_values(field, across.field, corner) for corner in corners]
    combined = _fewest(values, corners) if name.endswith("_count") else _mean(values, corners)
    dims = [dim for dim in field.dims if dim not in ("latitude", "longitude")]
    missing = f"missing at {polar}, between the last row and a pole: what lies across it follows from {across.needs}"
    remark = {"comment": missing} if across.needs else {}
    placed: xr.DataArray = combined.transpose(*dims, "station").assign_attrs({**field.attrs, **remark})
    return placed


def _mean(values: list[xr.DataArray], corners: list[_Corner]) -> xr.DataArray:
    """Return the weighted mean over corners; NaN where one is that counts."""
    weights = [xr.DataArray(corner.weights, dims="station") for corner in corners]
    parts = [(own * weight).where(weight != 0, 0) for own, weight in zip(values, weights, strict=True)]
    mean: xr.DataArray = reduce(add, parts).astype(np.float32)
    return mean


def _fewest(values: list[xr.DataArray], corners: list[_Corner]) -> xr.DataArray:
    """Return the least of whole numbers over the corners that count."""
    is_counted = [xr.DataArray(corner.weights != 0, dims="station") for corner in corners]
    most = np.iinfo(values[0].dtype).max
    return reduce(_lesser, [own.where(counts, most) for own, counts in zip(values, is_counted, strict=True)])


def _lesser(one: xr.DataArray, other: xr.DataArray) -> xr.DataArray:
    return one.where(one <= other, other)


def _values(field: xr.DataArray, across: xr.DataArray, corner: _Corner) -> xr.DataArray:
    """Return the values at a corner of each place."""
    rows, columns = (xr.DataArray(index, dims="station") for index in (corner.rows, corner.columns))
    own = field.isel(latitude=rows, longitude=columns).drop_vars(["latitude", "longitude"])
    if not corner.is_beyond.any():
        return own
    other = across.isel(latitude=rows, longitude=columns).drop_vars(["latitude", "longitude"])
    return own.where(xr.DataArray(~corner.is_beyond, dims="station"), other)


@dataclass(frozen=True, eq=False)
class _Across:
    """A field as it is told on the other side of a pole, and what that needs which the forecast does not have."""

    field: xr.DataArray
    needs: str = ""


def _across_pole(dataset: xr.Dataset, name: str) -> _Across:
    """Return a field as it is told on the other side of a pole, where east and north point the opposite way."""
    field, variable = dataset[name], variable_of(name)
    statistic = name.removeprefix(variable).removeprefix("_")
    if not variable.endswith(_DIRECTED) or statistic in ("spread", "count"):
        return _Across(field)
    if statistic in ("", "mean"):
        return _Across(-field)
    if statistic == "quantile":
        return _opposite_quantiles(field)
    opposite = f"{variable}_{_OPPOSITE.get(statistic)}"
    if opposite in dataset.data_vars:
        return _Across(-dataset[opposite])
    is_share = statistic not in _OPPOSITE
    return _Across(xr.full_like(field, np.nan), "shares below the thresholds" if is_share else opposite)


def _opposite_quantiles(quantiles: xr.DataArray) -> _Across:
    """Return for each q minus the quantile 1 - q, NaN where that was not kept."""
    wanted = 1 - quantiles["quantile"].values
    found = quantiles.reindex(quantile=wanted, method="nearest", tolerance=_SAME_QUANTILE)
    kept = [np.isclose(quantiles["quantile"], q, atol=_SAME_QUANTILE).any() for q in wanted]
    absent = ", ".join(f"{q:g}" for q, is_kept in zip(wanted, kept, strict=True) if not is_kept)
    needs = f"quantiles that were not kept: {absent}" if absent else ""
    return _Across(-found.assign_coords(quantile=quantiles["quantile"]), needs)


def _require_inside(stations: Stations, is_outside: np.ndarray, what: str, coordinate: np.ndarray) -> None:
    if is_outside.any():
        worst = int(np.argmax(is_outside))
        where = f"latitude {stations.latitude[worst]}, longitude {stations.longitude[worst]}"
        raise UserError(
            f"station {stations.names[worst]} at {where} lies outside the forecast, whose {what} reach from"
            f" {coordinate[0]:g} to {coordinate[-1]:g}; leave it out or take a larger region"
        )


def _place(path: str | Path, line: int, row: dict[str, str | None]) -> tuple[str, float, float]:
    name = (row["name"] or "").strip()
    if not name:
        raise UserError(f"stations {path}, line {line}: the place has no name; give it one")
    try:
        return name, float(row["latitude"] or ""), float(row["longitude"] or "")
    except ValueError:
        raise UserError(
            f"stations {path}, line {line}: latitude {row['latitude']!r} and longitude {row['longitude']!r} must be"
            " degrees"
        ) from None
