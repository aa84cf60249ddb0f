"""Durations as people write them: `10d`, `36h`, `90min`, `PT6H`, and those of Python, numpy and pandas."""

import re
from datetime import timedelta
from fractions import Fraction
from typing import Annotated, Any, TypeAlias

import numpy as np
import pandas as pd
from pydantic import BeforeValidator

from weatherml.errors import UserError

DurationLike: TypeAlias = str | timedelta | np.timedelta64
"""A duration: `10d`, `1.5 days`, `1d 6h`, `PT6H`, `6:00:00`, or one of Python, numpy or pandas (`Timedelta`)."""

_LONGEST = 2**63 - 1  # ns
_SHOWN = 40  # characters of a value in a message
_UNITS = {"w": 604_800 * 10**9, "d": 86_400 * 10**9, "h": 3_600 * 10**9, "min": 60 * 10**9, "s": 10**9}
_NAMES = {
    "w": ("w", "week", "weeks"),
    "d": ("d", "day", "days"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "min": ("min", "mins", "minute", "minutes"),
    "s": ("s", "sec", "secs", "second", "seconds"),
}
_BY_NAME = {name: _UNITS[unit] for unit, names in _NAMES.items() for name in names}
_IN_NUMPY = {"W": "w", "D": "d", "h": "h", "m": "min", "s": "s"}
_FINER = {"ms": 10**6, "us": 10**3, "ns": 1}
_OF_NO_LENGTH = ("mo", "month", "months", "y", "yr", "yrs", "year", "years")

_WANTED = "must be a positive number of w, d, h, min or s"
_UNCLEAR = f"{_WANTED}, for example '10d'"
_NUMBER = r"\d+(?:[.,]\d+)?"
_WORD = re.compile(rf"({_NUMBER})\s*([a-z]+)[\s,]*", re.ASCII)
_CLOCK = re.compile(r"(?:(\d+) days?,? )?(\d\d?):([0-5]\d):([0-5]\d)", re.ASCII)
_ISO = re.compile(
    rf"p(?:({_NUMBER})w|(?=[t\d])(?:({_NUMBER})d)?(?:t(?=\d)(?:({_NUMBER})h)?(?:({_NUMBER})m)?(?:({_NUMBER})s)?)?)",
    re.ASCII,
)
_CALENDAR = re.compile(r"p[\dwd.,]*\d[ym]", re.ASCII)


def parse_duration(value: DurationLike, name: str = "duration") -> np.timedelta64:
    """Read a duration as `timedelta64[ns]`.

    Args:
        value: A number alone is refused: it may be hours or days.
        name: What the duration is, for messages.

    Raises:
        UserError: It is no duration, not longer than zero, too long, or not exact in nanoseconds.
    """
    size = _read(value)
    problem = size if isinstance(size, str) else _problem_of(size)
    if isinstance(size, str) or problem:
        raise UserError(f"{name} {_show(value)} {problem}")
    return np.timedelta64(int(size), "ns")


def format_duration(duration: np.timedelta64) -> str:
    """Write a duration in hours, in minutes where they are not whole, or in seconds where those are not."""
    size = int(duration.astype("timedelta64[ns]").astype(np.int64))
    for unit in ("h", "min"):
        if size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    seconds, rest = divmod(size, _UNITS["s"])
    return f"{seconds}.{rest:09}".rstrip("0").rstrip(".") + "s"


def write_duration(value: DurationLike, name: str = "duration") -> str:
    """Return text that reads as the same duration; text stays as it is.

    Raises:
        UserError: As `parse_duration`.
    """
    duration = parse_duration(value, name)
    return value if isinstance(value, str) else format_duration(duration)


DurationText = Annotated[str, BeforeValidator(write_duration)]
"""A duration in a configuration."""


def _read(value: Any) -> Fraction | str:
    """Return nanoseconds, or what is wrong with `value`."""
    match value:
        case str():
            return _read_text(value.strip().lower())
        case pd.Timedelta():
            return _read_numpy(value.to_timedelta64())
        case timedelta():
            return Fraction(value // timedelta(microseconds=1) * 1000)
        case np.timedelta64():
            return _read_numpy(value)
        case bool() | np.bool():
            return _UNCLEAR
        case int() | float() | np.number():
            return _ask_unit(str(value))
    return _UNCLEAR


def _problem_of(size: Fraction) -> str | None:
    if size <= 0:
        return _UNCLEAR
    if size > _LONGEST:
        return f"is longer than {_LONGEST // _UNITS['d']}d; pass a shorter one"
    return "is no whole number of nanoseconds; write it in hours or minutes" if size.denominator > 1 else None


def _read_numpy(value: np.timedelta64) -> Fraction | str:
    unit, count = np.datetime_data(value.dtype)
    size = _UNITS[_IN_NUMPY[unit]] if unit in _IN_NUMPY else _FINER.get(unit)
    if np.isnat(value) or size is None:
        return f"{_WANTED}; its unit is {unit}"
    return Fraction(int(value.astype(np.int64)) * count * size)


def _read_text(text: str) -> Fraction | str:
    if found := _CLOCK.fullmatch(text):
        return _sum(zip(("d", "h", "min", "s"), found.groups(), strict=True))
    if found := _ISO.fullmatch(text):
        return _sum(zip(_UNITS, found.groups(), strict=True))
    if _CALENDAR.match(text):
        return "has months or years, whose length varies; write it in days"
    if re.fullmatch(_NUMBER, text, re.ASCII):
        return _ask_unit(text)
    words = _WORD.findall(text)
    if not words or _WORD.sub("", text):
        return _UNCLEAR
    return _read_words(words)


def _read_words(words: list[tuple[str, str]]) -> Fraction | str:
    """Add up words such as `1d 6h`, whose units must fall."""
    for number, unit in words:
        if unit == "m":
            return f"has the unit m, which may be minutes or months; write '{number}min', or days"
        if unit in _OF_NO_LENGTH:
            return f"has the unit {unit}, whose length varies; write it in days"
    sizes = [_BY_NAME.get(unit, 0) for _, unit in words]
    if 0 in sizes or sorted(set(sizes), reverse=True) != sizes:
        return _UNCLEAR
    return sum((_number(number) * size for (number, _), size in zip(words, sizes, strict=True)), Fraction())


def _sum(parts: Any) -> Fraction:
    """Add up numbers by unit; there may be none of some."""
    return sum((_number(number) * _UNITS[unit] for unit, number in parts if number), Fraction())


def _number(text: str) -> Fraction:
    return Fraction(text.replace(",", "."))


def _ask_unit(number: str) -> str:
    return f"{_WANTED}: '{number}d', '{number}h' or '{number}min'?"


def _show(value: Any) -> str:
    text = str(value)
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def require_multiple(name: str, value: np.timedelta64, unit: np.timedelta64, meaning: str) -> None:
    """Require that a duration is a multiple of another, which messages call `meaning`.

    Raises:
        UserError: It is not.
    """
    if value % unit:
        below = value // unit
        nearest = " and ".join(format_duration(count * unit) for count in (below, below + 1) if count)
        raise UserError(
            f"{name} {format_duration(value)} is not a multiple of {meaning}, {format_duration(unit)};"
            f" the nearest {'are' if below else 'is'} {nearest}"
        )
