"""HURDAT2, the text of the National Hurricane Center's best tracks: read, and written as it was.

The format is described in https://www.nhc.noaa.gov/data/hurdat/hurdat2-format-atl-1851-2021.pdf. There are two layouts:
files since 2022 have the radius of maximum wind at the end of each line, earlier ones end with a comma.
"""

import codecs
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.extremes.tracks import table
from weatherml.extremes.tracks.best_tracks.named import require_named
from weatherml.extremes.tracks.best_tracks.units import HECTOPASCAL, KNOT, NAUTICAL_MILE, POSSIBLE, PRESSURE, WIND
from weatherml.storage.files import write_bytes
from weatherml.times import FIRST_DAY, LAST_DAY

RADIUS = "radius_of_maximum_wind"
"""Where the wind is strongest, m from the centre."""
RADII = tuple(f"radius_of_{knots}kt_wind_{side}" for knots in (34, 50, 64) for side in ("ne", "se", "sw", "nw"))
"""How far from the centre winds reach so many knots in each quadrant, m; 0 where they nowhere do."""

_logger = logging.getLogger(__name__)

_TEXTS = ("record_identifier", "status")
_SCALES = {WIND: KNOT, PRESSURE: HECTOPASCAL} | dict.fromkeys((*RADII, RADIUS), NAUTICAL_MILE)
_NUMBERS = tuple(_SCALES)
_MISSING = {WIND: -99} | dict.fromkeys((PRESSURE, *RADII, RADIUS), -999)
_UNITS = dict.fromkeys((*RADII, RADIUS), "m")
_STORM = "AL012021"
_HELD = r"[ -+\--~]*"  # printable ASCII but the comma
_KNOWN_NOT = (-99, -999, -9999)
_N_SHORT, _N_LONG = 20, 21  # fields of a line


def read(path: str | Path) -> xr.Dataset:
    """Read best tracks.

    Args:
        path: Of a text file in either layout, which may have storms in both.

    Returns:
        A table of tracks, numbered from 0 as they come, with `storm_id` ("AL012021"), `name` ("ANA"),
        `record_identifier` ("L" where the centre comes ashore), `status` ("TS", "HU", "EX", ...),
        `maximum_wind_speed` (over one minute), `mean_sea_level_pressure`, radii of winds in four quadrants and, where
        the file tells any, `radius_of_maximum_wind`; SI units, NaN where it is not known.

    Raises:
        UserError: The file is none of HURDAT2, or has values that no storm has; the message names the line.
    """
    try:
        lines = Path(path).read_bytes().removeprefix(codecs.BOM_UTF8).decode("ascii").splitlines()
    except OSError as error:
        raise UserError(f"{path} cannot be read as a text of best tracks: {error}") from None
    except UnicodeDecodeError as error:
        reason = f"byte {error.start} is {error.object[error.start]:#x}"
        raise UserError(f"{path} is no plain text, as HURDAT2 is ({reason}); save it as ASCII, unpacked") from None
    columns: dict[str, list[object]] = {}
    for record in _records(str(path), lines):
        for name, value in record.items():
            columns.setdefault(name, []).append(value)
    if not columns:
        return _none(path)
    if RADIUS in columns and np.isnan(np.asarray(columns[RADIUS], float)).all() and not _has_radius(lines):
        del columns[RADIUS]
    return table.make({name: np.asarray(own) for name, own in columns.items()}, _UNITS).assign_attrs(source="HURDAT2")


def _none(path: str | Path) -> xr.Dataset:
    """Return the table of no storms, of which the text is empty."""
    _logger.warning("%s has no storms", path)
    texts = dict.fromkeys(("storm_id", "name", *_TEXTS), np.empty(0, str))
    numbers = dict.fromkeys((*table.NEEDED, *_NUMBERS[:-1]), np.empty(0))
    return table.make(numbers | texts, _UNITS).assign_attrs(source="HURDAT2")


def write(tracks: xr.Dataset, path: str | Path) -> None:
    """Write a table as `read` returns it, in the layout with radius of maximum wind where the table has that column.

    Winds are rounded to knots, pressures to hPa, radii to nautical miles and places to tenths of a degree.

    Args:
        tracks: With `storm_id`; other columns of `read` may be missing, and are then written as unknown.
        path: Replaced where it exists.

    Raises:
        UserError: As `named.require_named`, or a text or a time is none of HURDAT2; what was there stays.
    """
    require_named(tracks, "HURDAT2", _STORM)
    _require_held(tracks)
    lines = [line for _, own in table.each(tracks) for line in _written(own)]
    write_bytes(Path(path), "".join(f"{line}\n" for line in lines).encode("ascii"))


def _records(path: str, lines: list[str]) -> Iterator[dict[str, object]]:
    """Give the records of all storms, of whose headers each says how many follow."""
    storm: dict[str, object] = {}
    headers: dict[str, int] = {}
    left, number = 0, -1
    for place, line in enumerate(lines, 1):
        if not line.strip():
            continue
        fields = [own.strip() for own in line.split(",")]
        kind = "record" if left else "header of a storm"
        try:
            if left:
                left -= 1
                yield {"track_id": number} | storm | _record(fields)
                continue
            storm, left, number = {"storm_id": fields[0], "name": fields[1]}, _count(fields), number + 1
        except (ValueError, IndexError) as error:
            reason = f" ({error})" if isinstance(error, _UnfitError) else ""
            raise UserError(
                f"{path} line {place} is no {kind} of HURDAT2{reason}: {line.strip()[:60]!r}; correct it, or pass"
                " another file"
            ) from None
        if (first := headers.setdefault(fields[0], place)) != place:
            raise UserError(f"{path} has {fields[0]} in line {first} and again in line {place}; keep one of the two")
    if left:
        raise UserError(f"{path} ends {counted(left, 'record')} before the end of {storm['storm_id']}; get it anew")


class _UnfitError(ValueError):
    """A value of the right form that cannot be, and why."""


def _count(fields: list[str]) -> int:
    if not _is_storm(fields[0]) or len(fields) > 4:
        raise ValueError
    if (count := _whole(fields[2])) < 0:
        raise _UnfitError(f"{count} records cannot follow")
    return count


def _whole(text: str) -> int:
    """Read a whole number as the format has it, of a few digits."""
    if not re.fullmatch(r"-?\d{1,5}", text):
        raise ValueError
    return int(text)


def _is_storm(storm_id: str) -> bool:
    return re.fullmatch(r"[^,]{4}\d{4}", storm_id) is not None and int(storm_id[4:]) > 0


def _require_held(tracks: xr.Dataset) -> None:
    """Require what the text can hold: a storm of a basin, number and year, and times of whole minutes."""
    if wrong := [own for own in map(str, tracks["storm_id"].values) if not _is_storm(own)]:
        raise UserError(f"storm_id {wrong[0]!r} is none of HURDAT2, basin, number and year; write such as {_STORM!r}")
    for column in (column for column in ("storm_id", "name", *_TEXTS) if column in tracks):
        if wrong := [own for own in map(str, np.unique(tracks[column].values)) if not re.fullmatch(_HELD, own)]:
            raise UserError(f"{column} {wrong[0]!r} cannot be in HURDAT2, plain ASCII between commas; rename it")
    times = tracks["time"].values
    if len(between := times[times != times.astype("datetime64[m]")]):
        raise UserError(f"HURDAT2 has times in whole minutes, tracks have {between[0]:.19}; round it")


def _record(fields: list[str]) -> dict[str, object]:
    if len(fields) not in (_N_SHORT, _N_LONG):
        raise ValueError
    if not FIRST_DAY.year <= _whole(fields[0][:4]) <= LAST_DAY.year:
        raise _UnfitError(f"its year is outside {FIRST_DAY.year} to {LAST_DAY.year}")
    time = np.datetime64(pd.to_datetime(fields[0] + fields[1], format="%Y%m%d%H%M"), "ns")
    place: dict[str, object] = {"latitude": _degrees(fields[4], "NS"), "longitude": _degrees(fields[5], "EW")}
    known = zip(_NUMBERS, [own or "-999" for own in (*fields[6:], "")], strict=False)
    numbers = {name: _in_si(name, _whole(own)) for name, own in known}
    return {"time": time, **place} | dict(zip(_TEXTS, fields[2:4], strict=True)) | numbers


def _in_si(name: str, number: int) -> float:
    if number in _KNOWN_NOT or (number == 0 and name in (WIND, PRESSURE)):
        return float("nan")
    value, (lowest, highest) = number * _SCALES[name], POSSIBLE.get(name, (0.0, np.inf))
    if not lowest <= value <= highest:
        raise _UnfitError(f"{name} {number} is none of a storm")
    return value


def _degrees(text: str, sides: str) -> float:
    if not re.fullmatch(rf"(\d+\.?\d*|\.\d+)[{sides}]", text):
        raise ValueError
    degrees = float(text[:-1]) * (1, -1)[sides.index(text[-1])]
    if not abs(degrees) <= (90 if "N" in sides else 360):
        raise ValueError
    return degrees


def _has_radius(lines: list[str]) -> bool:
    return any(line.count(",") >= _N_SHORT and line.rstrip()[-1] != "," for line in lines)


def _written(storm: xr.Dataset) -> Iterator[str]:
    rows = table.to_frame(storm)
    name = str(rows["name"].iloc[0]) if "name" in rows else "UNNAMED"
    yield f"{rows['storm_id'].iloc[0]:>8},{name:>19},{len(rows):>7},"
    has_radius = RADIUS in rows
    for row in rows.to_dict("records"):
        record, status = (str(row.get(text, "")) for text in _TEXTS)
        wind, *others = (_in_units(text, row.get(text, np.nan)) for text in _NUMBERS[: None if has_radius else -1])
        where = f"{_side(row['latitude'], 'NS'):>5}, {_side(_from_greenwich(row['longitude']), 'EW'):>6}"
        numbers = ",".join(f" {own:>4}" for own in others) + "," * (not has_radius)
        yield f"{row['time']:%Y%m%d, %H%M}, {record:>1}, {status:>2}, {where}, {wind:>3},{numbers}"


def _in_units(name: str, value: float) -> int:
    return _MISSING[name] if np.isnan(value) else round(value / _SCALES[name])


def _from_greenwich(longitude: float) -> float:
    return longitude - 360 if longitude > 180 else longitude


def _side(degrees: float, sides: str) -> str:
    return f"{abs(degrees):.1f}{sides[degrees < 0]}"
