"""Which forecasts tracks are of, also those without a storm, of which a table has no record.

A table tells them along a dim of its own, `forecast`: when each began, which member it is, when it ends, and how many
tracks it had. These coordinates stay where records are selected, are in files, and are put together by `table.join`.
What is done with records cannot say whether a forecast whose storms are all left out counts as one without storms, or
is left out itself: `select` says so, and verdicts refuse to guess.

As this is a second dim, xarray's `to_dataframe` makes a row of each record with each forecast: `table.to_frame` makes
one of each record, `told` one of each forecast.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from weatherml.durations import DurationLike, parse_duration
from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.extremes.tracks.members import Member

FORECAST, RECORD = "forecast", "record"
KEYS = ["init_time", "number"]
LONGEST = "longest_lead"
END, N_TRACKS = "forecast_end", "forecast_n_tracks"
COORDINATES = ("forecast_init_time", "forecast_number", END, N_TRACKS)
"""Of the forecasts, dim `forecast`; `forecast_number` where there are members."""
_NO_NUMBER = -1
_TELL = "tell them by tracks.tell(tracks, init_times, longest_lead, numbers)"


def tell(
    tracks: xr.Dataset, init_times: npt.ArrayLike, longest_lead: DurationLike, numbers: npt.ArrayLike | None = None
) -> xr.Dataset:
    """Return tracks that tell which forecasts they are of; what they told before is forgotten.

    Args:
        tracks: Of forecasts, all of them among those that are told.
        init_times: `datetime64` of all forecasts, `[init_time]`; put tables of other lengths together by `table.join`.
        longest_lead: How far each goes.
        numbers: Of the members that each has; None where there are no members.

    Raises:
        UserError: There are members and no numbers of them, or the other way round, or as `require_told`.
    """
    inits = np.atleast_1d(np.asarray(init_times, "datetime64[ns]"))
    members = np.atleast_1d(np.asarray(_NO_NUMBER if numbers is None else numbers, np.int64))
    columns = {"init_time": np.repeat(inits, len(members)), "number": np.tile(members, len(inits))}
    lead = parse_duration(longest_lead, "longest_lead")
    if tracks.sizes[RECORD] and ("number" in tracks.variables) == (numbers is None):
        raise UserError(
            "tracks with members are told with numbers=, such as range(50), and tracks without `number` without it"
        )
    return with_forecasts(tracks, pd.DataFrame(columns).assign(**{LONGEST: lead}))


def select(
    tracks: xr.Dataset,
    records: npt.ArrayLike | None = None,
    init_times: npt.ArrayLike | None = None,
    numbers: npt.ArrayLike | None = None,
) -> xr.Dataset:
    """Return some of the tracks, or some of the forecasts with theirs; what they tell is of what is left.

    Forecasts whose tracks are all left out by `records` are forecasts without a storm, those that are left out by
    `init_times` or `numbers` are none at all.

    Args:
        tracks: Of forecasts, or of analyses, of which only records can be selected.
        records: Which stay, bool `[record]`; all when None.
        init_times: Of the forecasts that stay; all when None.
        numbers: Of the members that stay; all when None.

    Raises:
        UserError: The tracks have no such column, or `records` is no bool of each record.
    """
    stays = _mask(tracks, records)
    known = told(tracks)
    for name, wanted, kind in (("init_time", init_times, "datetime64[ns]"), ("number", numbers, "int64")):
        if wanted is None:
            continue
        if name not in tracks.variables:
            raise UserError(f"tracks have no {name!r} to select by; leave it out, or pass tracks of forecasts")
        values = np.atleast_1d(np.asarray(wanted, kind))
        stays = stays & np.isin(tracks[name].values, values)
        known = None if known is None else known[known[name].isin(values)]
    left = tracks.isel({RECORD: np.flatnonzero(stays)})
    return left if known is None else with_forecasts(left, known)


def told(tracks: xr.Dataset) -> pd.DataFrame | None:
    """Return the forecasts that tracks tell: `init_time`, `number` (-1 of no member), `longest_lead`, and `n_tracks`,
    how many each had when it was told or last selected. None where they do not tell."""
    if FORECAST not in tracks.dims:
        return None
    inits, ends = (tracks[name].values.astype("datetime64[ns]") for name in (COORDINATES[0], END))
    numbers = tracks[COORDINATES[1]].values if COORDINATES[1] in tracks.coords else np.full(len(inits), _NO_NUMBER)
    columns = {"init_time": inits, "number": numbers.astype(np.int64), LONGEST: ends - inits}
    return pd.DataFrame(columns | {"n_tracks": tracks[N_TRACKS].values})


def with_forecasts(tracks: xr.Dataset, known: pd.DataFrame) -> xr.Dataset:
    """Return tracks that tell these forecasts, with columns as of `told`, in place of what they told before; how many
    tracks each has is counted.

    Raises:
        UserError: As `require_told`.
    """
    own = known.drop(columns="n_tracks", errors="ignore")
    own = own.merge(_of_records(tracks)[[*KEYS, "n_tracks"]], how="left", on=KEYS)
    return _telling(tracks, own.assign(n_tracks=own["n_tracks"].fillna(0).astype(np.int64)))


def require_told(tracks: xr.Dataset) -> None:
    """Require of tracks that tell which forecasts were made that each is told once, and all records are of these.

    Raises:
        UserError: A forecast is told twice, or there are records of one that is not told, or after its end.
    """
    known = told(tracks)
    if known is None:
        return
    if len(twice := known[known.duplicated(KEYS)]):
        raise UserError(f"the forecast of {_named(twice)} is told twice; name each initial time and each member once")
    if not tracks.sizes[RECORD]:
        return
    if KEYS[0] not in tracks.variables:
        raise UserError(
            f"tracks without 'init_time' tell of forecasts; leave these out by tracks.drop_dims({FORECAST!r})"
        )
    columns = _keys(tracks) | {"last": tracks["time"].values}
    own = pd.DataFrame(columns).groupby(KEYS, as_index=False)["last"].max().merge(known, how="left", on=KEYS)
    if len(lacking := own[own["n_tracks"].isna()]):
        raise UserError(
            f"there are tracks of that of {_named(lacking)}, which is not among those that are told; tell all"
        )
    if len(late := own[own["last"] > own["init_time"] + own[LONGEST]]):
        row = late.iloc[0]
        raise UserError(
            f"the forecast of {_named(late)} is told to go {_hours(row[LONGEST])} h and has tracks to"
            f" {_hours(row['last'] - row['init_time'])} h; tell how far it goes"
        )


def forecasts_of(
    tracks: xr.Dataset, init_times: npt.ArrayLike | None = None, n_members: int | None = None
) -> pd.DataFrame:
    """Return the forecasts of tracks: columns `init_time`, `number` where there are members, and `longest_lead`.

    Args:
        tracks: Of forecasts. Where they do not tell how far one goes, it goes as far as the longest of all; not known
            (NaT) where there is none.
        init_times: `datetime64` of those that are asked for; those that the tracks tell when None.
        n_members: Members of each, numbered from 0; those that the tracks tell when None.

    Raises:
        UserError: It is not known which forecasts there are: the tracks do not tell, or all tracks of some were left
            out, and nobody has said whether these count; or there are tracks of others than those that are asked for;
            or as `require_told`.
    """
    require_told(tracks)
    has_members = "number" in tracks.variables
    known = told(tracks)
    if init_times is None or (has_members and n_members is None):
        _require_known(tracks, known, init_times)
    return _asked(
        _united([own for own in (known, _of_records(tracks)) if own is not None]), tracks, init_times, n_members
    )


def longest_leads(tracks: xr.Dataset, init_times: npt.ArrayLike | None = None) -> pd.DataFrame:
    """Return, as `forecasts_of`, the forecasts that have tracks, and those of initial times that are asked for; also of
    tables that do not tell."""
    own = _of_records(tracks)
    known = told(tracks)
    known = own if known is None else known.merge(own[KEYS], on=KEYS)
    return _asked(_united([known, own]), tracks, init_times, None)


def of_member(tracks: xr.Dataset, member: Member) -> xr.Dataset:
    """Return the tracks of a member of a forecast, which tell so; those of an analysis as they are."""
    return of_one(tracks, member.init_time, member.number, member.fields["time"].values)


def of_one(
    tracks: xr.Dataset, init_time: np.datetime64 | None, number: int | None, times: npt.NDArray[np.datetime64]
) -> xr.Dataset:
    """Return the tracks of one forecast, which tell so; those of an analysis, that began at no time, as they are."""
    if init_time is None or not len(times):
        return tracks
    columns = {"init_time": [init_time], "number": [_NO_NUMBER if number is None else number]}
    lead = np.asarray(times[-1:] - init_time, "timedelta64[ns]")
    return with_forecasts(tracks, pd.DataFrame(columns | {LONGEST: lead}))


def joined(tables: Iterable[xr.Dataset], tracks: xr.Dataset) -> xr.Dataset:
    """Return tracks that were put together from tables, and tell all forecasts that any of these tells.

    Raises:
        UserError: Some of the tables that have records tell, and others do not, or as `require_told`.
    """
    given = list(tables)
    known = [told(own) for own in given]
    if all(own is None for own in known):
        return tracks
    if any(own is None and table.sizes[RECORD] for own, table in zip(known, given, strict=True)):
        raise UserError(f"only some of the tables of tracks tell which forecasts were made; of the others, {_TELL}")
    united = pd.concat([own for own in known if own is not None]).groupby(KEYS, as_index=False)
    whole = with_forecasts(tracks, united[LONGEST].max())
    had = united["n_tracks"].max()["n_tracks"].to_numpy()
    counts = whole[N_TRACKS]
    return whole.assign_coords({N_TRACKS: counts.copy(data=np.where(counts == 0, had, counts))})


def _telling(tracks: xr.Dataset, known: pd.DataFrame) -> xr.Dataset:
    own = known.sort_values(KEYS, ignore_index=True)
    inits = own["init_time"].to_numpy("datetime64[ns]")
    values = inits, own["number"].to_numpy(np.int64), inits + own[LONGEST].to_numpy("timedelta64[ns]"), own["n_tracks"]
    coords = {name: (FORECAST, np.asarray(column)) for name, column in zip(COORDINATES, values, strict=True)}
    if (own["number"] == _NO_NUMBER).all():
        del coords[COORDINATES[1]]
    telling = tracks.drop_dims(FORECAST, errors="ignore").assign_coords(coords)
    require_told(telling)
    return telling


def _mask(tracks: xr.Dataset, records: npt.ArrayLike | None) -> npt.NDArray[np.bool_]:
    """Return which records stay; positions are no mask, and would be taken for one."""
    shape = (tracks.sizes[RECORD],)
    if records is None:
        return np.ones(shape, bool)
    own = np.asarray(records)
    if own.dtype != bool or own.shape != shape:
        raise UserError(
            f"records to select are {own.dtype} {list(own.shape)}, not bool {list(shape)}; pass a mask, such as"
            " tracks['latitude'] > 20, of positions np.isin(np.arange(tracks.sizes['record']), positions)"
        )
    return own


def _require_known(tracks: xr.Dataset, known: pd.DataFrame | None, init_times: npt.ArrayLike | None) -> None:
    """Require that tracks tell which forecasts were made, and that no selection of records has made that doubtful."""
    if known is None:
        raise UserError(f"the tracks do not tell which forecasts were made, and those without a storm count; {_TELL}")
    had = known[known["n_tracks"] > 0]
    if init_times is not None:
        had = had[had["init_time"].isin(np.asarray(init_times, "datetime64[ns]").reshape(-1))]
    lost = had.merge(_of_records(tracks)[KEYS], how="left", on=KEYS, indicator=True).query("_merge == 'left_only'")
    if len(lost):
        raise UserError(
            f"{counted(len(lost), 'forecast')} had tracks that are all left out, the first that of {_named(lost)}: tell"
            " whether they count as without a storm, tracks.select(tracks), or not at all, tracks.select(tracks,"
            " init_times=..., numbers=...)"
        )


def _named(forecasts: pd.DataFrame) -> str:
    first = forecasts.iloc[0]
    told_number = f", number {first['number']}" if first["number"] != _NO_NUMBER else ""
    return f"{first['init_time']:%Y-%m-%dT%H:%M}{told_number}"


def _asked(
    known: pd.DataFrame, tracks: xr.Dataset, init_times: npt.ArrayLike | None, n_members: int | None
) -> pd.DataFrame:
    """Return the forecasts that are asked for of those that are known, with how far each goes."""
    known = known[[*KEYS, LONGEST]]
    if not (has_members := "number" in tracks.variables):
        known = known.groupby("init_time", as_index=False)[LONGEST].max().assign(number=_NO_NUMBER)
    inits = np.unique(known["init_time"] if init_times is None else np.asarray(init_times, "datetime64[ns]"))
    if len(others := np.setdiff1d(tracks["init_time"].values, inits)):
        raise UserError(f"init_times lack {others[0]:.16}, of which there are tracks; pass those of all forecasts")
    if not len(inits):
        raise UserError("there are no tracks, so no initial times; pass init_times of the forecasts")
    longest = known[LONGEST].max()
    if init_times is not None or n_members is not None:
        numbers = _numbers(known["number"], n_members) if has_members else np.array([_NO_NUMBER])
        asked = pd.MultiIndex.from_product([inits, numbers], names=KEYS)
        known = known.set_index(KEYS).reindex(asked).reset_index()
    of_init = known.groupby("init_time")[LONGEST].transform("max")
    known = known.assign(**{LONGEST: known[LONGEST].fillna(of_init).fillna(longest)})
    return known if has_members else known.drop(columns="number")


def _numbers(known: "pd.Series[int]", n_members: int | None) -> np.ndarray:
    """Return the numbers of members, of which some may have no track."""
    numbers = np.unique(known)
    if n_members is None or len(numbers) == n_members:
        return numbers if len(numbers) else np.zeros(1, np.int64)
    if len(others := np.setdiff1d(numbers, np.arange(n_members))):
        raise UserError(
            f"tracks are of member {others[0]}, which is none of {n_members} numbered from 0; tell the numbers by"
            " tracks.tell(...)"
        )
    return np.arange(n_members)


def _of_records(tracks: xr.Dataset) -> pd.DataFrame:
    """Return the forecasts that have tracks, how far each goes unknown; all are known to go as far as the longest."""
    columns = _keys(tracks)
    inits = columns["init_time"]
    longest = (tracks["time"].values - inits).max() if len(inits) else np.timedelta64("NaT", "ns")
    columns |= {"track_id": tracks["track_id"].values[: len(inits)]}
    own = pd.DataFrame(columns).groupby(KEYS, as_index=False)["track_id"].nunique()
    own = own.rename(columns={"track_id": "n_tracks"})
    return own.assign(**{LONGEST: np.full(len(own), longest, "timedelta64[ns]")})


def _keys(tracks: xr.Dataset) -> dict[str, np.ndarray]:
    """Return of which forecast each record is; nothing of analyses."""
    inits = tracks["init_time"].values if "init_time" in tracks.variables else np.empty(0, "datetime64[ns]")
    numbers = tracks["number"].values if "number" in tracks.variables else np.full(len(inits), _NO_NUMBER)
    return {"init_time": inits, "number": numbers}


def _hours(span: pd.Timedelta) -> str:
    return f"{span / pd.Timedelta(hours=1):g}"


def _united(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return the forecasts of tables, rising; of several lengths of one the first table's that has it."""
    return pd.concat(list(tables)).drop_duplicates(KEYS).sort_values(KEYS, ignore_index=True)
