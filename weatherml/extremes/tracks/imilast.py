"""Tracks in the text format of IMILAST, the intercomparison of cyclone trackers (Neu et al. 2013).

A line each record, its kind in front: `99` names the columns, `90` opens a track, `00` is one time of it
(doi:10.1175/BAMS-D-11-00154.1). Longitudes go from above -180 to 180; -999 is what is not known.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from weatherml.errors import UserError
from weatherml.extremes.tracks import forecasts, table
from weatherml.storage.files import write_bytes

ANOMALY = "mean_sea_level_pressure_anomaly"
"""Of pressure without its large waves, Pa: what trackers of the kind of TRACK find storms in."""
_COLUMNS = ("CycloneNo", "StepNo", "DateI10", "Year", "Month", "Day", "Time", "LongE", "LatN")
_PRESSURE = "MSL"
_HIGHEST_HPA, _LOWEST_PA = 1100.0, 85_000.0
_MISSING = (-999.0, -9999.0)


def read(path: str | Path) -> xr.Dataset:
    """Return the tracks of a file as a table.

    What the file has beside places and times keeps its name, and its units are not known. Only its pressure is known:
    `MSL` is `mean_sea_level_pressure` (Pa, of hPa as well), or where it is below zero, as no pressure is,
    `mean_sea_level_pressure_anomaly`. Values of -999 and -9999, of any column, are not known (NaN).

    Raises:
        UserError: The file is not there or not in this format, or its pressure is neither.
    """
    values = _read_columns(Path(path))
    numbers = {name: _numbers(name, own, path) for name, own in values.items() if name not in _COLUMNS[1:-2]}
    known = {
        "track_id": numbers.pop("CycloneNo"),
        "time": _times(values["DateI10"], path),
        "latitude": numbers.pop("LatN"),
        "longitude": numbers.pop("LongE"),
    }
    others = numbers
    if _PRESSURE in others:
        name, pressure = _pressure(others.pop(_PRESSURE), path)
        others = {name: pressure, **others}
    return table.make(known | others, {ANOMALY: "Pa"})


def write(tracks: xr.Dataset, path: str | Path) -> None:
    """Write tracks, of an analysis or one member, numbered from 1 in the order of the table.

    Written are places, times and what `read` calls by the names that the file has; pressure in the table's
    units (Pa).

    Args:
        tracks: Of an analysis or one member.
        path: Replaced where it exists.

    Raises:
        UserError: `tracks` is no table of tracks or of several members, or times are not on the hour.
    """
    table.check(tracks)
    table.require_one_member(tracks)
    hours = tracks["time"].values.astype("datetime64[h]")
    if (hours != tracks["time"].values).any():
        raise UserError("the format of IMILAST has times in whole hours, some of the tracks are between; select others")
    pressures = [name for name in (ANOMALY, "mean_sea_level_pressure") if name in tracks]
    extra = [*pressures[:1], *(str(name) for name in tracks.data_vars if str(name)[:1].isupper())]
    header = ("99 00", *_COLUMNS, *(_PRESSURE if name in pressures else name for name in extra))
    lines = [",".join(header)]
    for number, (_, track) in enumerate(table.each(tracks), 1):
        lines += [f"90 {number} {track.sizes[table.RECORD]}", *_records(number, track, extra)]
    write_bytes(Path(path), "".join(f"{line}\n" for line in lines).encode("ascii"))


def rejoined(tracks: xr.Dataset) -> xr.Dataset:
    """Return tracks that were made in periods which overlap, put together again where they are one.

    Trackers cut long periods, and some files have a storm twice at the border of two: it ends a few records after it
    has begun anew. Tracks that have a place at a time in common, to the last digit, are one storm.

    Args:
        tracks: Of an analysis or one member.

    Raises:
        UserError: `tracks` is no table of tracks, or of several members.
    """
    table.check(tracks)
    table.require_one_member(tracks)
    keys = np.column_stack([tracks[name].values.astype(np.float64) for name in ("time", "latitude", "longitude")])
    ids, track = np.unique(tracks["track_id"].values, return_inverse=True)
    _, place = np.unique(keys, axis=0, return_inverse=True)
    order = np.lexsort([track, place])
    same = np.flatnonzero(np.diff(place[order]) == 0)
    links = track[order[same]], track[order[same + 1]]
    _, storm = connected_components(coo_array((np.ones(len(same)), links), shape=(len(ids),) * 2), directed=False)
    _, kept = np.unique(
        np.column_stack([storm[track], tracks["time"].values.astype(np.int64)]), axis=0, return_index=True
    )
    columns = {name: tracks[name].values[kept] for name in table.columns_of(tracks)}
    units = {name: str(tracks[name].attrs["units"]) for name in columns if "units" in tracks[name].attrs}
    first = np.full(storm.max(initial=-1) + 1, len(ids))
    np.minimum.at(first, storm, np.arange(len(ids)))
    joined = table.make(columns | {"track_id": ids[first[storm[track]]][kept]}, units, forecasts.told(tracks))
    return joined.assign_attrs(tracks.attrs)


def _records(number: int, track: xr.Dataset, extra: list[str]) -> list[str]:
    """Return the lines of one track."""
    east = 180 - (180 - track["longitude"].values) % 360
    times = pd.DatetimeIndex(track["time"].values)
    places = [f"{lon:.2f} {lat:.2f}" for lon, lat in zip(east, track["latitude"].values, strict=True)]
    others = np.stack([track[name].values for name in extra], axis=1) if extra else np.empty((len(times), 0))
    others = np.where(np.isnan(others), _MISSING[0], others)
    return [
        " ".join([f"00 {number} {step} {time:%Y%m%d%H %Y %m %d %H} {place}", *(f"{value:.6f}" for value in own)])
        for step, (time, place, own) in enumerate(zip(times, places, others, strict=True), 1)
    ]


def _read_columns(path: Path) -> dict[str, np.ndarray]:
    """Return the words of each column by its name."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; pass a file of tracks in the text format of IMILAST")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    header = next((line for line in lines if line.startswith("99")), "")
    columns = [name for name in header.replace(",", " ").split() if name not in ("99", "00")]
    rows = [line.split()[1:] for line in lines if line.startswith("00")]
    if missing := [name for name in _COLUMNS if name not in columns]:
        raise UserError(
            f"{path}: no file of IMILAST, its first line names no {missing[0]}; it starts {'99 00,CycloneNo,StepNo'!r}"
        )
    if not rows and any(line.strip() for line in lines if line != header):
        raise UserError(f"{path}: no tracks, not one line begins with 00; correct it")
    if wrong := [place for place, row in enumerate(rows) if len(row) != len(columns)]:
        raise UserError(
            f"{path}: {len(columns)} columns are named, record {wrong[0] + 1} has {len(rows[wrong[0]])}; correct it"
        )
    words = np.asarray(rows, str).reshape(len(rows), len(columns))
    return dict(zip(columns, words.T, strict=True))


def _numbers(name: str, words: np.ndarray, path: str | Path) -> np.ndarray:
    """Return the numbers of a column, NaN where they are not known."""
    try:
        numbers = words.astype(np.float64)
    except ValueError as reason:
        raise UserError(f"{path}: {name} holds what is no number ({reason}); correct the file") from None
    return np.where(np.isin(numbers, _MISSING), np.nan, numbers)


def _times(stamps: np.ndarray, path: str | Path) -> np.ndarray:
    """Return times of `2025120100`."""
    try:
        return np.asarray(pd.to_datetime(stamps, format="%Y%m%d%H").values, "datetime64[ns]")
    except ValueError as reason:
        raise UserError(f"{path}: DateI10 holds no times such as 2025120100 ({reason}); correct the file") from None


def _pressure(values: np.ndarray, path: str | Path) -> tuple[str, np.ndarray]:
    """Return the name of a pressure or an anomaly of it, and its values, Pa."""
    known = values[~np.isnan(values)]
    if not len(known):
        return "mean_sea_level_pressure", values
    lowest, highest = known.min(), known.max()
    if lowest < 0:
        _require_anomalies(known, path)
        return ANOMALY, values
    if lowest >= _LOWEST_PA:
        return "mean_sea_level_pressure", values
    if _LOWEST_PA / 100 <= lowest and highest <= _HIGHEST_HPA:
        return "mean_sea_level_pressure", 100 * values
    raise UserError(
        f"{path}: MSL from {lowest:g} to {highest:g} is neither a pressure in hPa or Pa nor an anomaly of one; convert"
        " it, or name its column otherwise"
    )


def _require_anomalies(values: np.ndarray, path: str | Path) -> None:
    """Require that values of which some are below zero are not pressures with a mark of what is not known."""
    above = values[values >= 0]
    is_pressure = (above >= _LOWEST_PA) | ((above >= _LOWEST_PA / 100) & (above <= _HIGHEST_HPA))
    if len(above) and is_pressure.all():
        raise UserError(
            f"{path}: MSL has pressures, such as {above[0]:g}, beside {values.min():g}, which is none; write -999 for"
            " what is not known"
        )
