"""IBTrACS, the best tracks of all agencies: read from its official csv and netCDF files or from parquet, and written.

Knapp et al. (2010), doi:10.1175/2009BAMS2755.1; columns as in the documentation of version 4.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import counted, listed
from weatherml.extremes.tracks import table
from weatherml.extremes.tracks.best_tracks import layouts
from weatherml.extremes.tracks.best_tracks.named import require_named
from weatherml.extremes.tracks.best_tracks.units import HECTOPASCAL, KNOT, PRESSURE, WIND, known, require_si
from weatherml.times import parse_times
from weatherml.variables import find

AGENCIES: Mapping[str, str] = {
    "wmo": "of the responsible agency: 1 to 10 min",
    "usa": "1 min",
    "tokyo": "10 min",
    "cma": "2 min",
    "hko": "10 min",
    "kma": "10 min",
    "newdelhi": "3 min",
    "reunion": "10 min",
    "bom": "10 min",
    "nadi": "10 min",
    "wellington": "10 min",
}
"""Whose winds and pressures, by IBTrACS' names, and over how long each averages a sustained wind."""

_logger = logging.getLogger(__name__)

_NEEDED = ("sid", "iso_time", "lat", "lon")
_TEXTS = {"name": "name", "basin": "basin", "nature": "nature"}
_AT_CENTRE = {
    "msl_hpa": ("mean_sea_level_pressure", HECTOPASCAL, 0.0),
    "wind10": ("10m_wind_speed", 1.0, 0.0),
    "u10": ("10m_u_component_of_wind", 1.0, 0.0),
    "v10": ("10m_v_component_of_wind", 1.0, 0.0),
    "sst_c": ("sea_surface_temperature", 1.0, 273.15),
    "t2m_c": ("2m_temperature", 1.0, 273.15),
    "tp": ("total_precipitation", 1.0, 0.0),
}
"""Of ERA5 at the centres, as some files have it: variable, scale and offset to SI units."""
ERA5 = "era5_"
"""What names of columns of ERA5 begin with."""
_DECIMALS = 4  # of degrees: files have at most three, netCDF in float32


def read(path: str | Path, agency: str = "wmo") -> xr.Dataset:
    """Read best tracks.

    Args:
        path: An official `.csv` or `.nc` file, whole or a part, or a `.parquet` file with the same columns.
        agency: Whose winds and pressures, of `AGENCIES`: they differ in the time over which they average the wind, and
            in places. Of others than "wmo" only records with a place of theirs are kept.

    Returns:
        A table of tracks, numbered from 0 as they come, with `storm_id` (SID), and as far as the file has them `name`,
        `basin`, `nature` ("TS", "ET", ...), `status` of the agency ("HU", ...), `maximum_wind_speed` and
        `mean_sea_level_pressure`, NaN where they are not known, or 0 in the file; of parquet files with ERA5's values
        at the centres those, too, with names that begin with "era5_". SI units; attributes `agency` and
        `wind_averaging`. Spurs, parts of tracks that another one has, too, are left out, and the second of two records
        of one time: where landfalls are at rounded times the synoptic one comes first.

    Raises:
        UserError: It is no such file, or has nothing of the agency.
    """
    if agency not in AGENCIES:
        raise UserError(f"agency {agency!r} is none of IBTrACS; choose {', '.join(AGENCIES)}")
    own = {f"{agency}_{what}" for what in ("lat", "lon", "wind", "pres", "status")}
    frame = layouts.read(Path(path), {*_NEEDED, "time", "track_type", *_TEXTS, *_AT_CENTRE, *own})
    if "iso_time" not in frame and "time" in frame:
        frame = frame.rename(columns={"time": "iso_time"})
    if lacking := [name for name in _NEEDED if name not in frame]:
        raise UserError(f"{path} has no column {listed(lacking)}, so it is none of IBTrACS; pass one that has")
    if not {f"{agency}_wind", f"{agency}_pres"} & set(frame.columns):
        raise UserError(f"{path} has no winds or pressures of {agency!r}; choose another agency")
    _require_places(str(path), frame)
    kept = _kept(frame, agency)
    again = kept.duplicated(["sid", "iso_time"])
    columns = _columns(str(path), kept[~again], agency, frame.empty)
    found = table.make(columns, {f"{ERA5}{name}": find(name).units for name, *_ in _AT_CENTRE.values()})
    try:
        require_si(found)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    told = {"source": "IBTrACS", "agency": agency, "wind_averaging": AGENCIES[agency]}
    return found.assign_attrs(told | _left_out(int(again.sum())))


def write(tracks: xr.Dataset, path: str | Path) -> None:
    """Write a table in IBTrACS' columns: `.csv`, `.nc` or `.parquet`; what `read` returns comes back from it.

    Args:
        tracks: With `storm_id`; winds and pressures are the attribute `agency`'s, "wmo" where there is none.
        path: Replaced where it exists.

    Raises:
        UserError: As `named.require_named`.
    """
    require_named(tracks, "IBTrACS", "2021228N13300")
    rows, agency = table.to_frame(tracks), tracks.attrs.get("agency", "wmo")
    columns = {
        "sid": rows["storm_id"],
        "season": rows.groupby("track_id")["time"].transform("first").dt.year,
        **{official: rows[own] for official, own in _TEXTS.items() if own in rows},
        "iso_time": rows["time"],
        "lat": rows["latitude"],
        "lon": _from_greenwich(rows["longitude"]),
    }
    if agency != "wmo":
        columns |= {f"{agency}_lat": columns["lat"], f"{agency}_lon": columns["lon"]}
    unknown = pd.Series(np.nan, rows.index)
    is_any = WIND in rows or PRESSURE in rows
    for name, official, scale in ((WIND, "wind", KNOT), (PRESSURE, "pres", HECTOPASCAL)):
        if name in rows or not is_any:  # a file without any would have nothing of the agency
            columns[f"{agency}_{official}"] = (rows.get(name, unknown) / scale).round(6)
    if "status" in rows:
        columns[f"{agency}_status"] = rows["status"]
    for official, (name, scale, offset) in _AT_CENTRE.items():
        if f"{ERA5}{name}" in rows:
            columns[official] = (rows[f"{ERA5}{name}"] - offset) / scale
    layouts.write(pd.DataFrame(columns), Path(path))


def at_centres(tracks: xr.Dataset) -> xr.Dataset:
    """Return ERA5's values at the centres as a table of its own, to be judged as a system's.

    Args:
        tracks: As `read` returns it of a file that has them.

    Returns:
        The same tracks with ERA5's values in place of the best tracks' own: `mean_sea_level_pressure`,
        `10m_wind_speed`, ...

    Raises:
        UserError: The table has none.
    """
    own = {name: name.removeprefix(ERA5) for name in map(str, tracks.data_vars) if name.startswith(ERA5)}
    if not own:
        raise UserError("tracks have no values of ERA5 at their centres, columns 'era5_...'; read a file that has them")
    return tracks.drop_vars([name for name in (WIND, PRESSURE) if name in tracks]).rename_vars(own)


def _require_places(path: str, frame: pd.DataFrame) -> None:
    """Require the common place of every record, of which a line that is cut has none."""
    without = np.flatnonzero(frame[["lat", "lon"]].isna().any(axis=1))
    if len(without):
        raise UserError(
            f"{path} has {counted(len(without), 'record')} without LAT or LON, the first is record {without[0] + 1}, of"
            f" {frame['sid'].iloc[without[0]] or 'no SID'}; correct the file, or get it anew"
        )
    nameless = np.flatnonzero(frame["sid"] == "")
    if len(nameless):
        raise UserError(
            f"{path} has {counted(len(nameless), 'record')} without SID, the first is record {nameless[0] + 1};"
            " correct the file, or get it anew"
        )


def _kept(frame: pd.DataFrame, agency: str) -> pd.DataFrame:
    """Return what is no spur, where the agency has a place of its own at that, of others at the common one."""
    if "track_type" in frame:
        frame = frame[~frame["track_type"].str.lower().str.contains("spur")]
    if f"{agency}_lat" in frame:
        frame = frame.assign(lat=frame[f"{agency}_lat"], lon=frame[f"{agency}_lon"])
    return frame[frame["lat"].notna()]


def _columns(path: str, frame: pd.DataFrame, agency: str, is_empty: bool) -> dict[str, np.ndarray]:
    if frame.empty and not is_empty:
        raise UserError(f"{path} has no places of {agency!r}; choose another agency or another file")
    columns = {
        "track_id": pd.factorize(frame["sid"])[0],
        "storm_id": frame["sid"].to_numpy(str),
        "time": _times(path, frame["iso_time"]),
        "latitude": np.round(frame["lat"].to_numpy(np.float64), _DECIMALS),
        "longitude": np.round(frame["lon"].to_numpy(np.float64), _DECIMALS),
    }
    texts = _TEXTS | {f"{agency}_status": "status"}
    columns |= {own: frame[name].to_numpy(str) for name, own in texts.items() if name in frame}
    for name, official, scale in ((WIND, "wind", KNOT), (PRESSURE, "pres", HECTOPASCAL)):
        if f"{agency}_{official}" in frame:
            columns[name] = known(frame[f"{agency}_{official}"].to_numpy(np.float64)) * scale
    for official, (name, scale, offset) in _AT_CENTRE.items():
        if official in frame:
            columns[f"{ERA5}{name}"] = frame[official].to_numpy(np.float64) * scale + offset
    return columns


def _times(path: str, times: "pd.Series[pd.Timestamp]") -> np.ndarray:
    """Return times as datetime64[ns] of UTC."""
    if times.isna().any() or (times.astype(str).str.strip() == "").any():
        raise UserError(f"{path} has tracks without times: ISO_TIME is empty in some rows; leave these out")
    try:
        own = pd.to_datetime(times, utc=True).dt.tz_localize(None).to_numpy()
    except ValueError as error:
        reason = " ".join(str(error).split())[:100]
        raise UserError(f"{path} has an ISO_TIME that is no time ({reason}); write 2021-08-26 12:00:00") from None
    return parse_times(own, f"{path}: ISO_TIME")


def _left_out(n_again: int) -> dict[str, str]:
    if not n_again:
        return {}
    told = f"{counted(n_again, 'record')} of a time that an earlier one of the storm has, too"
    _logger.warning("left out %s", told)
    return {"left_out": told}


def _from_greenwich(longitude: "pd.Series[float]") -> "pd.Series[float]":
    return longitude.where(longitude <= 180, (longitude - 360).round(_DECIMALS))
