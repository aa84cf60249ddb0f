"""Which forecasts tracks are of, also those without a storm, of which a table has no record: attributes tell them.

They stay where records are selected, and `table.join` puts them together. Of tables that do not tell, such as those
that are made by hand, the forecasts are those of the records.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from weatherml.durations import DurationLike, parse_duration
from weatherml.errors import UserError
from weatherml.extremes.tracks.members import Member

KEYS = ["init_time", "number"]
LONGEST = "longest_lead"
_TOLD = ("forecast_init_time", "forecast_number", "forecast_longest_lead")
_NO_NUMBER = -1
_SECOND = np.timedelta64(10**9, "ns")


def tell(
    tracks: xr.Dataset, init_times: npt.ArrayLike, longest_lead: DurationLike, numbers: npt.ArrayLike | None = None
) -> xr.Dataset:
    """Return tracks that tell which forecasts they are of; what they told before is forgotten.

    Args:
        tracks: Of forecasts.
        init_times: `datetime64` of all forecasts, `[init_time]`; put tables of other lengths together by `table.join`.
        longest_lead: How far each goes.
        numbers: Of the members that each has; None where there are no members.
    """
    inits = np.atleast_1d(np.asarray(init_times, "datetime64[ns]"))
    members = np.atleast_1d(np.asarray(_NO_NUMBER if numbers is None else numbers, np.int64))
    columns = {"init_time": np.repeat(inits, len(members)), "number": np.tile(members, len(inits))}
    lead = parse_duration(longest_lead, "longest_lead")
    return tracks.assign_attrs(_attributes(pd.DataFrame(columns).assign(**{LONGEST: lead})))


def forecasts_of(
    tracks: xr.Dataset, init_times: npt.ArrayLike | None = None, n_members: int | None = None
) -> pd.DataFrame:
    """Return the forecasts of tracks: columns `init_time`, `number` where there are members, and `longest_lead`.

    Args:
        tracks: Of forecasts. Where they do not tell how far one goes, it goes as far as the longest of all; not known
            (NaT) where there is none.
        init_times: `datetime64` of those that are asked for; those that the tracks tell or have when None.
        n_members: Members of each, numbered from 0; those that the tracks tell or have when None.

    Raises:
        UserError: There are tracks of other forecasts than those that are asked for, or there is no forecast.
    """
    own = _of_records(tracks)
    known = _united([_told(tracks), own])
    if not (has_members := "number" in tracks.variables):
        known = known.groupby("init_time", as_index=False)[LONGEST].max().assign(number=_NO_NUMBER)
    inits = np.unique(known["init_time"] if init_times is None else np.asarray(init_times, "datetime64[ns]"))
    if len(others := np.setdiff1d(own["init_time"], inits)):
        raise UserError(f"init_times lack {others[0]:.16}, of which there are tracks; pass those of all forecasts")
    if not len(inits):
        raise UserError("there are no tracks, so no initial times; pass init_times of the forecasts")
    longest = known[LONGEST].max()
    if init_times is not None or n_members is not None:
        numbers = _numbers(known["number"], n_members) if has_members else np.array([_NO_NUMBER])
        asked = pd.MultiIndex.from_product([inits, numbers], names=KEYS)
        known = known.set_index(KEYS).reindex(asked).reset_index()
    of_init = known.groupby("init_time")[LONGEST].transform("max")
    known[LONGEST] = known[LONGEST].fillna(of_init).fillna(longest)
    return known if has_members else known.drop(columns="number")


def of_member(tracks: xr.Dataset, member: Member) -> xr.Dataset:
    """Return the tracks of a member of a forecast, which tell so; those of an analysis as they are."""
    if member.init_time is None or not member.fields.sizes["time"]:
        return tracks
    columns = {"init_time": [member.init_time], "number": [_NO_NUMBER if member.number is None else member.number]}
    lead = np.asarray(member.fields["time"].values[-1:] - member.init_time, "timedelta64[ns]")
    return tracks.assign_attrs(_attributes(pd.DataFrame(columns | {LONGEST: lead})))


def joined(tables: Iterable[xr.Dataset]) -> dict[str, np.ndarray]:
    """Return attributes that tell of all forecasts that any of these tables tells of."""
    told = [_told(own) for own in tables]
    return _attributes(_united(told)) if any(map(len, told)) else {}


def _numbers(known: "pd.Series[int]", n_members: int | None) -> np.ndarray:
    """Return the numbers of members, of which some may have no track."""
    numbers = np.unique(known)
    if n_members is None or len(numbers) == n_members:
        return numbers
    if len(others := np.setdiff1d(numbers, np.arange(n_members))):
        raise UserError(
            f"tracks are of member {others[0]}, which is none of {n_members} numbered from 0; tell the numbers by"
            " tracks.tell(...)"
        )
    return np.arange(n_members)


def _attributes(known: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return numbers that every format of files holds: seconds since 1970, and of leads."""
    seconds = (known["init_time"].to_numpy("datetime64[ns]") - np.datetime64(0, "ns")) / _SECOND
    values = seconds, known["number"].to_numpy(np.int32), known[LONGEST].to_numpy("timedelta64[ns]") / _SECOND
    return dict(zip(_TOLD, values, strict=True))


def _told(tracks: xr.Dataset) -> pd.DataFrame:
    seconds, numbers, leads = (np.atleast_1d(tracks.attrs.get(name, ())) for name in _TOLD)
    columns = {"init_time": np.datetime64(0, "ns") + _nanoseconds(seconds), "number": numbers.astype(np.int64)}
    return pd.DataFrame(columns | {LONGEST: _nanoseconds(leads)})


def _of_records(tracks: xr.Dataset) -> pd.DataFrame:
    """Return the forecasts that have tracks, how far each goes unknown; all are known to go as far as the longest."""
    inits = tracks["init_time"].values
    numbers = tracks["number"].values if "number" in tracks.variables else np.full(len(inits), _NO_NUMBER)
    longest = (tracks["time"].values - inits).max() if len(inits) else np.timedelta64("NaT", "ns")
    own = pd.DataFrame({"init_time": inits, "number": numbers}).drop_duplicates()
    return own.assign(**{LONGEST: np.full(len(own), longest, "timedelta64[ns]")})


def _united(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return the forecasts of tables, rising; of several lengths of one the first table's that has it."""
    return pd.concat(list(tables)).drop_duplicates(KEYS).sort_values(KEYS, ignore_index=True)


def _nanoseconds(seconds: np.ndarray) -> np.ndarray:
    return np.round(np.asarray(seconds, np.float64) * 1e9).astype("timedelta64[ns]")
