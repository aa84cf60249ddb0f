"""Which analyses of other times are about as likely as that of a valid time: of its hour, around its date."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from weatherml.errors import Option, UserError
from weatherml.errors.wording import counted, listed
from weatherml.times import Periods, is_within, show_periods

WINDOW_DAYS = 11
"""Days around the date whose weather is taken as that of the date: five before it, and five after."""
_FEWEST = 2  # years, or members where years do not matter: of one nobody learns how they differ

_DAY = np.timedelta64(1, "D")
_ANY_DATE = Option("window_days", None, "where seasons do not matter", "window_days=None to climatological_ensemble")


class Drawing(Protocol):
    """Knows of which times the members of a valid time are."""

    def times_for(self, valid: np.ndarray) -> np.ndarray:
        """Return `datetime64[ns]` `[*valid, member]` for valid times of any shape."""
        ...


@dataclass(frozen=True, eq=False)
class _AroundTheDate:
    """Years, `datetime64[Y]`, days before and after the date, and which of all these pairs are taken."""

    years: np.ndarray
    offsets: np.ndarray
    taken: np.ndarray

    def times_for(self, valid: np.ndarray) -> np.ndarray:
        """Return times `[*valid, member]`, year by year, and day by day within each."""
        valid = np.asarray(valid, "datetime64[ns]")[..., None, None]
        since = valid - valid.astype("datetime64[Y]") + self.offsets
        begin, end = (
            own.astype("datetime64[ns]")[:, None] for own in (self.years, self.years + np.timedelta64(1, "Y"))
        )
        times = begin + since % (end - begin)
        taken: np.ndarray = times.reshape(*times.shape[:-2], -1)[..., self.taken]
        return taken


@dataclass(frozen=True, eq=False)
class _AnyDate:
    """Times `[member]` by the time of day."""

    by_hour: Mapping[np.timedelta64, np.ndarray]

    def times_for(self, valid: np.ndarray) -> np.ndarray:
        """Return times `[*valid, member]`, rising."""
        hours = time_of_day(valid)
        known = np.array(sorted(self.by_hour))
        times = np.stack([self.by_hour[hour] for hour in known])
        chosen: np.ndarray = times[np.searchsorted(known, hours)]
        return chosen


def drawing_of(
    times: np.ndarray,
    init_times: np.ndarray,
    lead_times: np.ndarray,
    period: Periods | None = None,
    window_days: int | None = WINDOW_DAYS,
    members: int | None = None,
) -> Drawing:
    """Return which analyses are members; arguments as of `climatological_ensemble`.

    Args:
        times: Rising times of analyses, `datetime64[ns]` [time].
        init_times: Of the forecasts, `datetime64[ns]` [init].
        lead_times: Of the forecasts, `timedelta64` [lead].
        period: From which members are taken; all years but those judged when None.
        window_days: Odd width of the window; any date when None.
        members: How many; all when None.

    Raises:
        UserError: As `climatological_ensemble`.
    """
    valid = np.unique(init_times[:, None] + lead_times)
    _require_hours(times, valid)
    free = _free(times, _judged(times, init_times, init_times + np.max(lead_times)), period)
    if window_days is None:
        return _of_any_date(free, valid, _where(period), members)
    return _around_the_date(free, valid, _where(period), members, window_days)


def sequences(
    times: np.ndarray, init_times: np.ndarray, lead_times: np.ndarray, period: Periods, members: int | None
) -> dict[np.timedelta64, np.ndarray]:
    """Return when members begin that are what followed other days, by the time of day of initial times.

    Arguments as of `drawn_forecasts.sequence_ensemble`, and times of analyses, `datetime64[ns]` [time].

    Raises:
        UserError: Forecasts reach into the period, or it has too few days after which all leads are there.
    """
    free = _free(times, _judged(times, init_times, init_times + np.max(lead_times)), period)
    found = {}
    for hour in np.unique(time_of_day(init_times)):
        own = free[time_of_day(free) == hour]
        whole = own[np.isin(own[:, None] + lead_times, free).all(axis=1)]
        if len(whole) < _FEWEST:
            raise UserError(
                f"an ensemble of other dates needs {_FEWEST} days or more after which all leads are there;"
                f" {_where(period)} has {len(whole)}: give a longer period, or shorter leads"
            )
        found[hour] = whole[_spread(len(whole), members or len(whole))]
    return found


def _around_the_date(free: np.ndarray, valid: np.ndarray, where: str, members: int | None, window_days: int) -> Drawing:
    """Draw from the years that have all that any valid time asks for."""
    if window_days < 1 or window_days % 2 == 0:
        raise UserError(f"a window of {window_days} days has no middle; choose an odd number, such as {WINDOW_DAYS}")
    offsets = np.arange(-(window_days // 2), window_days // 2 + 1) * _DAY
    years = np.unique(free.astype("datetime64[Y]"))
    everything = np.arange(window_days)
    whole = [
        year for year in years if np.isin(_AroundTheDate(year[None], offsets, everything).times_for(valid), free).all()
    ]
    if len(whole) < _FEWEST:
        partly = [year for year in years if year not in whole]
        raise UserError(
            f"a climatological ensemble needs {_FEWEST} years or more beside those judged, with all hours and days"
            f" within {window_days // 2} of the valid dates; {where} has {len(whole)}"
            f"{f', and parts of {listed(partly)}' if partly else ''}",
            "pass more years, or fewer init times",
            _ANY_DATE,
        )
    n_all = len(whole) * window_days
    return _AroundTheDate(np.array(whole), offsets, _spread(n_all, members or n_all))


def _of_any_date(free: np.ndarray, valid: np.ndarray, where: str, members: int | None) -> Drawing:
    """Draw from all times of the same time of day."""
    by_hour = {hour: free[time_of_day(free) == hour] for hour in np.unique(time_of_day(valid))}
    fewest = min(map(len, by_hour.values()))
    if fewest < _FEWEST:
        raise UserError(f"a climatological ensemble needs {_FEWEST} days or more; {where} has {fewest}: pass more")
    return _AnyDate({hour: own[_spread(len(own), members or fewest)] for hour, own in by_hour.items()})


def _require_hours(times: np.ndarray, valid: np.ndarray) -> None:
    hours, known = time_of_day(valid), time_of_day(times)
    for at in valid[~np.isin(hours, known)]:
        hour = f"{np.datetime64(at, 'm')!s}".partition("T")[2]
        found = listed([str(np.datetime64(0, "ns") + own)[11:16] for own in np.unique(known)])
        raise UserError(
            f"no analysis is of the hour of valid time {at:.16}, {hour}, only of {found}; choose other leads"
        )


def _judged(times: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the initial and last valid times of forecasts, and the analyses between those of one."""
    n_begun, n_over = np.searchsorted(np.sort(begin), times, side="right"), np.searchsorted(np.sort(end), times)
    return np.unique(np.concatenate([begin, times[n_begun > n_over], end]))


def _free(times: np.ndarray, judged: np.ndarray, period: Periods | None) -> np.ndarray:
    """Return the times that may lend members: of no year of which a forecast foretells anything.

    Raises:
        UserError: Forecasts reach into the period.
    """
    if period is None:
        return times[~np.isin(times.astype("datetime64[Y]"), judged.astype("datetime64[Y]"))]
    for at in judged[is_within(judged, period)]:
        raise UserError(
            f"a forecast reaches over {at:.16}, in the period {show_periods(period)} from which members are taken;"
            " what is judged must not be learned from: end the period before, or leave it out"
        )
    within: np.ndarray = times[is_within(times, period)]
    return within


def _where(period: Periods | None) -> str:
    return "the truth" if period is None else f"the truth in {show_periods(period)}"


def _spread(n_all: int, n_wanted: int) -> np.ndarray:
    """Return as many positions, evenly among all.

    Raises:
        UserError: There are not so many.
    """
    if not _FEWEST <= n_wanted <= n_all:
        raise UserError(
            f"a climatological ensemble of {counted(n_wanted, 'member')} cannot be made of {n_all} analyses",
            Option("baselines.members", n_all, "or fewer"),
        )
    places: np.ndarray = ((np.arange(n_wanted) + 0.5) * n_all / n_wanted).astype(int)
    return places


def time_of_day(times: Any) -> Any:
    """Return how long after midnight times are, `timedelta64[ns]` of their shape."""
    times = np.asarray(times, "datetime64[ns]")
    return times - times.astype("datetime64[D]")
