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

_COLUMNS = ("name", "latitude", "longitude")

_VECTOR_COMPONENTS = (
    "u_component_of_wind",
    "v_component_of_wind",
    "10m_u_component_of_wind",
    "10m_v_component_of_wind",
    "100m_u_component_of_wind",
    "100m_v_component_of_wind",
)
_DIRECTED = {*_VECTOR_COMPONENTS, *(f"{name}_mean" for name in _VECTOR_COMPONENTS)}
"""Fields whose sign depends on which way is east: opposite ways on either side of a pole."""


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
            raise UserError(f"stations are named twice: {', '.join(sorted(repeated))}; leave one out")
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
            with open(path, newline="", encoding="utf-8-sig") as file:
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
    where components of vectors point the opposite way. A value is NaN if a grid point that counts is.

    Raises:
        UserError: A place lies outside the grid.
    """
    if "latitude" not in dataset.dims or "longitude" not in dataset.dims:
        raise UserError(f"the forecast is on no grid, it has dimensions {sorted(map(str, dataset.dims))}")
    latitude, longitude = (np.asarray(dataset[name].values, np.float64) for name in ("latitude", "longitude"))
    corners = _corners(stations, latitude, longitude)
    fields = {name: _interpolate(field, corners) for name, field in dataset.data_vars.items()}
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
    is_round = _is_round(longitude)
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


def _interpolate(field: xr.DataArray, corners: list[_Corner]) -> xr.DataArray:
    turn = -1 if str(field.name) in _DIRECTED else 1
    parts = []
    for corner in corners:
        rows, columns = (xr.DataArray(index, dims="station") for index in (corner.rows, corner.columns))
        values = field.isel(latitude=rows, longitude=columns).drop_vars(["latitude", "longitude"])
        weights = xr.DataArray(np.where(corner.is_beyond, turn, 1) * corner.weights, dims="station")
        parts.append((values * weights).where(weights != 0, 0))  # NaN that does not count is no matter
    dims = [dim for dim in field.dims if dim not in ("latitude", "longitude")]
    total: xr.DataArray = reduce(add, parts).transpose(*dims, "station")
    return total.astype(np.float32).assign_attrs(field.attrs)


def _is_round(longitude: np.ndarray) -> bool:
    """Return whether columns close the circle."""
    if len(longitude) < 2:
        return False
    gaps = np.diff([*longitude, longitude[0] + 360])
    return bool(np.ptp(gaps) < 1e-2 * gaps.mean())


def _require_inside(stations: Stations, is_outside: np.ndarray, what: str, coordinate: np.ndarray) -> None:
    if is_outside.any():
        worst = int(np.argmax(is_outside))
        where = f"latitude {stations.latitude[worst]}, longitude {stations.longitude[worst]}"
        raise UserError(
            f"station {stations.names[worst]} at {where} lies outside the forecast, whose {what} reach from"
            f" {coordinate[0]:g} to {coordinate[-1]:g}; leave it out or take a larger region"
        )


def _place(path: str | Path, line: int, row: dict[str, str | None]) -> tuple[str, float, float]:
    try:
        return (row["name"] or "").strip(), float(row["latitude"] or ""), float(row["longitude"] or "")
    except ValueError:
        raise UserError(
            f"stations {path}, line {line}: latitude {row['latitude']!r} and longitude {row['longitude']!r} must be"
            " degrees"
        ) from None
