"""Times and periods as people write them: ISO 8601, compact dates, and the types of Python, numpy and pandas."""

import re
import sys
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from pydantic import BeforeValidator

from weatherml.errors import UserError

if TYPE_CHECKING:  # it takes a second, and verbs that need no data go without
    import xarray as xr

TimeLike: TypeAlias = str | int | date | np.datetime64
"""A time: `2020-01-01`, `2020-01-01T06:30Z`, `2020010106`, or a date of Python, numpy or pandas (`Timestamp`)."""

Period: TypeAlias = tuple[TimeLike, TimeLike]
"""First and last moment, both included; a last of "2012-06" or "2012" reaches to its end."""

Periods: TypeAlias = Period | Sequence[Period]
"""One period, or several: years that are left out lie between them."""

FIRST_DAY, LAST_DAY = date(1678, 1, 1), date(2261, 12, 31)
"""Of the whole years that 64 bits of nanoseconds can tell."""

_TOO_FINE = ("ps", "fs", "as")
_ZERO = timedelta()
_SHOWN = 40  # characters of a value in a message

_CLOCK = r"(?P<hour>\d\d)(?::?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?)?"
_ZONE = r"(?: ?(?P<zone>Z|UTC|GMT|(?P<sign>[+-])(?P<hours>0\d|1[0-4])(?::?(?P<minutes>[0-5]\d))?))?"
_YEAR = r"(?P<year>\d{4}|[+-]?\d{4,6}(?=-)|[+-]\d{4,6})"  # too long ones to say what is wrong with them
_FORMS = tuple(
    re.compile(form, re.ASCII | re.IGNORECASE)
    for form in (
        rf"{_YEAR}(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)(?:[T ]{_CLOCK}{_ZONE})?)?)?",
        rf"(?P<year>\d{{4}})(?P<month>\d\d)(?P<day>\d\d)(?:[T ]?{_CLOCK}{_ZONE})?",
    )
)


class Span(NamedTuple):
    """The first and the last nanosecond of what a written time or period covers, `datetime64[ns]`."""

    first: np.datetime64
    last: np.datetime64


class _Moment(NamedTuple):
    """A time of a clock that is `ahead` of UTC; the unit of `clock` says how exactly it is known."""

    clock: np.datetime64
    ahead: timedelta = _ZERO


def parse_time(value: TimeLike, name: str = "time") -> np.datetime64:
    """Read a time, `datetime64[ns]`, UTC.

    Args:
        value: Where it says no zone, it is UTC. An integer is a compact date, `20200101` or `2020010106`, or a year.
        name: What the time is, for messages.

    Raises:
        UserError: It is no time, or outside the years 1678 to 2261.
    """
    return parse_span(value, name).first


def parse_span(value: TimeLike, name: str = "time") -> Span:
    """Read a time with all that it covers: "2012-06" the month, a `date` the day, a `datetime` one instant.

    Raises:
        UserError: As `parse_time`.
    """
    moment = _read(value)
    if isinstance(moment, str) or np.isnat(moment.clock):
        problem = moment if isinstance(moment, str) else "is no ISO 8601 time"
        raise UserError(f"{name} {_show(value)} {problem}; write it like '2020-01-01T00', which is UTC")
    if not FIRST_DAY.year <= _year(moment.clock) <= LAST_DAY.year:
        years = f"{FIRST_DAY.year} to {LAST_DAY.year}"
        raise UserError(f"{name} {_show(value)} lies outside the years {years}; pass a time within them")
    return _cover(moment)


def parse_times(values: Any, name: str = "time") -> np.ndarray:
    """Read times, `datetime64[ns]`, UTC, of the shape of `values`.

    Args:
        values: One, or a sequence or array of them; each as `parse_time` takes it.
        name: What they are, for messages.

    Raises:
        UserError: As `parse_time`.
    """
    if isinstance(values, list | tuple):  # one by one: numpy makes one unit, or integers, of a mixture
        return np.array([parse_times(value, name) for value in values], "datetime64[ns]")
    array = np.asarray(values)
    if array.dtype.kind != "M":
        parsed = [parse_time(value, name) for value in array.flat]
        return np.array(parsed, "datetime64[ns]").reshape(array.shape)
    if array.dtype != "datetime64[ns]" and array.size:
        parse_time(array.min(), name), parse_time(array.max(), name)  # refuse what would wrap round
    return array.astype("datetime64[ns]", copy=False)


def parse_period(period: Period, name: str = "period") -> Span:
    """Read the first and the last nanosecond of a period.

    Raises:
        UserError: It has not two ends, one is no time, or the first comes after the last.
    """
    if not isinstance(period, tuple | list) or len(period) != 2:
        raise UserError(f"{name} {_show(period)} must have a first and a last time, such as ['2012', '2014-06-30']")
    start, end = (parse_span(moment, name) for moment in period)
    if start.first > end.last:
        raise UserError(f"{name} must run forward, got {period[0]} .. {period[1]}; exchange the two")
    return Span(start.first, end.last)


def each_period(periods: Periods) -> tuple[Period, ...]:
    """Return one period, or several, as several."""
    are_several = isinstance(periods, tuple | list) and any(isinstance(part, tuple | list) for part in periods)
    return tuple(periods) if are_several else (periods,)  # type: ignore[arg-type, return-value]


def is_within(times: np.ndarray, periods: Periods) -> np.ndarray:
    """Return which of `times`, `datetime64[ns]` of any shape, lie in a period, or in any of several.

    Raises:
        UserError: As `parse_period`.
    """
    spans = [parse_period(period) for period in each_period(periods)]
    inside: np.ndarray = np.any([(times >= first) & (times <= last) for first, last in spans], axis=0)
    return inside


def write_periods(periods: Periods, name: str = "period") -> tuple[Any, ...]:
    """Return one period as text, `(first, last)`, or several as a tuple of such.

    Raises:
        UserError: As `parse_period`.
    """
    written = tuple(write_period(period, name) for period in each_period(periods))
    return written[0] if len(written) == 1 else written


def show_periods(periods: Periods, between: str = " .. ") -> str:
    """Return one period, or several, for a message."""
    return " and ".join(f"{first}{between}{last}" for first, last in each_period(periods))


def write_time(value: TimeLike, name: str = "time") -> str:
    """Return text that reads as the same time and covers the same; text stays as it is.

    Raises:
        UserError: As `parse_time`.
    """
    span = parse_span(value, name)
    if isinstance(value, str):
        return value
    moment = _read(value)
    exact = span.first if isinstance(moment, str) or moment.ahead else moment.clock
    return str(exact)


def write_period(period: Period, name: str = "period") -> tuple[str, str]:
    """Return both ends of a period as text.

    Raises:
        UserError: As `parse_period`.
    """
    parse_period(period, name)
    return write_time(period[0], name), write_time(period[1], name)


def to_date(value: TimeLike) -> date:
    """Return the day that a time covers.

    Raises:
        UserError: It is no time, or tells a time of day.
    """
    day = parse_time(value, "date").astype("datetime64[D]")
    if day != parse_time(value, "date"):
        raise UserError(f"date {_show(value)} has a time of day; write it like '2020-01-01'")
    plain: date = day.item()
    return plain


DateText = Annotated[date, BeforeValidator(to_date)]
"""A day in a configuration."""

PeriodText = Annotated[tuple[str, str], BeforeValidator(write_period)]
"""A period in a configuration."""


PeriodsText = Annotated[tuple[str, str] | tuple[tuple[str, str], ...], BeforeValidator(write_periods)]
"""A period, or several, in a configuration."""


def _read(value: Any) -> _Moment | str:
    """Return a moment, or what is wrong with `value`."""
    match value:
        case str():
            return _read_text(value.strip())
        case bool():
            return "is no ISO 8601 time"
        case int() | np.integer():
            return _read_text(str(int(value)))
        case pd.Timestamp():
            return _Moment(value.to_datetime64())  # of UTC where it has a zone
        case datetime() if value is not pd.NaT:
            return _Moment(np.datetime64(value.replace(tzinfo=None)), value.utcoffset() or _ZERO)
        case date() if value is not pd.NaT:
            return _Moment(np.datetime64(value))
        case np.datetime64():
            unit = np.datetime_data(value.dtype)[0]
            return f"counts in {unit!r}, finer than ns" if unit in _TOO_FINE else _Moment(value)
    return _read_model_calendar(value)


def _read_model_calendar(value: Any) -> _Moment | str:
    """Read a time of cftime, which is loaded where there is one."""
    cftime = sys.modules.get("cftime")
    if cftime is None or not isinstance(value, cftime.datetime):
        return "is no ISO 8601 time"
    if value.calendar not in ("standard", "gregorian", "proleptic_gregorian"):
        return f"has the calendar {value.calendar!r}, whose days are not those of the weather"
    return _read_text(value.isoformat())


def _read_text(text: str) -> _Moment | str:
    found = next(filter(None, (form.fullmatch(text) for form in _FORMS)), None)
    if found is None:
        return "is no ISO 8601 time"
    part = found.groupdict()
    if not FIRST_DAY.year <= int(part["year"]) <= LAST_DAY.year:
        return _Moment(np.datetime64(int(part["year"]) - 1970, "Y"))
    try:
        datetime(*(int(part[unit] or 1) for unit in ("year", "month", "day")))  # type: ignore[arg-type]
        datetime(2000, 1, 1, *(int(part[unit] or 0) for unit in ("hour", "minute", "second")))  # type: ignore[arg-type]
    except ValueError as error:
        return f"is not in the calendar, {error}"
    return _Moment(np.datetime64(_iso(part)), _ahead(part))


def _iso(part: dict[str, str | None]) -> str:
    """Write the parts that there are; numpy takes their precision for the unit."""
    marks = {"year": "", "month": "-", "day": "-", "hour": "T", "minute": ":", "second": ":", "fraction": "."}
    return "".join(f"{mark}{part[unit]}" for unit, mark in marks.items() if part[unit])


def _ahead(part: dict[str, str | None]) -> timedelta:
    """Return what a zone such as +02:00 is ahead of UTC."""
    size = timedelta(hours=int(part["hours"] or 0), minutes=int(part["minutes"] or 0))
    return -size if part["sign"] == "-" else size


def _year(moment: np.datetime64) -> int:
    return int(moment.astype("datetime64[Y]").astype(np.int64)) + 1970


def _cover(moment: _Moment) -> Span:
    clock, (unit, count) = moment.clock, np.datetime_data(moment.clock.dtype)
    first = clock.astype("datetime64[ns]")
    following = (clock + np.timedelta64(count, unit)).astype("datetime64[ns]")  # type: ignore[call-overload]
    last = max(first, following - np.timedelta64(1, "ns"))
    ahead = np.timedelta64(moment.ahead).astype("timedelta64[ns]")
    return Span(first - ahead, last - ahead)


def _show(value: Any) -> str:
    text = str(value)
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def hours_since_1970(times: np.ndarray | np.datetime64) -> np.ndarray:
    """Return whole hours, int64, of the shape of `times`."""
    return np.asarray(times).astype("datetime64[h]").astype(np.int64)


def require_valid_times(init_times: np.ndarray, lead_times: np.ndarray) -> None:
    """Require that the valid times of forecasts, all rising, can be written as `datetime64[ns]`.

    Raises:
        UserError: The last one cannot.
    """
    last = int(init_times[-1].astype(np.int64)) + int(lead_times[-1].astype(np.int64))  # of Python: they do not wrap
    if last > int(parse_span(LAST_DAY).last.astype(np.int64)):
        days = lead_times[-1] // np.timedelta64(1, "D")
        raise UserError(
            f"a lead_time of {days}d from {init_times[-1]:.16} ends after the year {LAST_DAY.year}; pass a shorter one"
        )


def require_told(forecast: "xr.Dataset", owner: str) -> None:
    """Require that a forecast holds fields, and says of which times.

    Raises:
        UserError: It has no initial time, lead, member or point, or one of its times is missing.
    """
    sizes = {str(dim): size for field in forecast.data_vars.values() for dim, size in field.sizes.items()}
    empty = [dim for dim, size in sizes.items() if not size]
    if empty:
        raise UserError(f"{owner} is empty: it has no {' and no '.join(empty)}; select or write a forecast that has")
    for dim in (name for name in ("init_time", "lead_time") if name in forecast.coords):
        missing = np.isnat(forecast[dim].values) if forecast[dim].dtype.kind in "mM" else np.zeros(1, bool)
        if missing.any():
            raise UserError(
                f"{owner}: {missing.sum()} of {missing.size} values of {dim} are missing (NaT), the first is number"
                f" {missing.argmax() + 1}; select those that are told, or correct the file"
            )
