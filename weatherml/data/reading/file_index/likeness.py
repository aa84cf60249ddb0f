"""What tells a file from others of its kind, read without opening it as a dataset: its metadata and its times.

Files of an archive differ in their times alone: what one of them holds tells what the next one does.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.data.reading.canonical.pipeline import KEPT
from weatherml.data.reading.formats.grib import INCOMPLETE, scan_grib
from weatherml.data.reading.formats.local import format_of, netcdf_variables
from weatherml.data.reading.formats.messages import MessageTable

DAY = 86400 * 10**9
"""Nanoseconds."""
_SECONDS = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}
_SINCE = re.compile(r"(day|hour|minute|second)s? since (\d{4}-\d\d?-\d\d?)(?:[T ]0?0:00(?::00(?:\.0*)?)?)?(?: ?UTC|Z)?")
_CALENDARS = ("standard", "gregorian", "proleptic_gregorian")
_FIRST_GREGORIAN_YEAR, _FIRST_YEAR, _LAST_YEAR = 1583, 1678, 2261
_MOST_VALUES = 2**16
"""Of a variable of one dimension: more is no coordinate."""
_GLOBAL = (*KEPT, INCOMPLETE, "coordinates")
"""What the canonical dataset takes from the attributes of a file: others, such as its history, make no difference."""
_OF_DAYS = ("dataDate", "time", "valid_time")
"""What headers of GRIB messages tell of the date."""


class Likeness(NamedTuple):
    """A file, told by its metadata.

    Attributes:
        kind: Its format.
        digest: Equal for files that differ in nothing but values of fields and the day of their first time.
        day: Of the first time, in days since 1970.
        messages: The headers, of a GRIB file.
    """

    kind: str
    digest: str
    day: int
    messages: MessageTable | None


def likeness_of(path: Path) -> Likeness | None:
    """Return what tells a file from others; None where only opening it as a dataset does.

    Raises:
        UserError: It cannot be read.
    """
    kind = format_of(path)
    if kind == "GRIB":
        messages = scan_grib(path)
        return _of_messages(kind, messages)
    if not kind.startswith("NetCDF"):
        return None
    with netcdf_variables(path) as (variables, attributes):
        return _of_variables(kind, variables, attributes)


def _of_messages(kind: str, messages: MessageTable) -> Likeness | None:
    columns = dict(zip(messages.keys, zip(*messages.headers, strict=True), strict=True))
    if any(len(offsets) > 1 for offsets in messages.offsets):
        return None  # copies, whose values must agree
    seconds = columns["valid_time"]
    if not all(isinstance(second, int) for second in seconds):
        return None
    day = min(seconds) // (DAY // 10**9)
    told = [[second - day * (DAY // 10**9) for second in columns[key]] for key in _OF_DAYS[1:] if key in columns]
    others = [columns[key] for key in messages.keys if key not in _OF_DAYS]
    return Likeness(kind, _digest([repr(told), repr(others)]), day, messages)


def _of_variables(kind: str, variables: dict[str, xr.Variable], attributes: dict[str, Any]) -> Likeness | None:
    if any(variable.ndim < 2 and variable.size > _MOST_VALUES for variable in variables.values()):
        return None
    is_time = {name: "since" in str(variable.attrs.get("units", "")) for name, variable in variables.items()}
    times = {name: _nanoseconds(variables[name]) for name in variables if is_time[name]}
    first = min((own.min() for own in times.values() if own is not None and own.size), default=None)
    if first is None or any(own is None for own in times.values()):
        return None
    day = int(first // DAY)
    told = [repr({key: attributes[key] for key in _GLOBAL if key in attributes}).encode()]
    for name, variable in variables.items():
        time = times.get(name)
        told += _tell(name, variable, None if time is None else time - day * DAY)
    return Likeness(kind, _digest(told), day, None)


def _tell(name: str, variable: xr.Variable, times: npt.NDArray[np.int64] | None) -> Iterator[bytes]:
    """Yield what a variable is; of times their distance from the first day, in whatever units the file counts them."""
    attributes = {key: value for key, value in variable.attrs.items() if times is None or key != "units"}
    for key in {"scale_factor", "add_offset"} & set(attributes):
        attributes[key] = np.asarray(attributes[key]).dtype  # packs the values, and says nothing else
    unit = str(variable.attrs["units"]).split()[0] if times is not None else ""
    chunks = variable.encoding.get("chunksizes")
    yield repr((name, variable.dims, variable.shape, variable.dtype, unit, chunks)).encode()
    yield repr({key: np.asarray(value).tolist() for key, value in attributes.items()}).encode()
    if variable.ndim < 2:
        values = variable.values if times is None else times
        yield values.tobytes() if values.dtype.kind in "iuf" else repr(values.tolist()).encode()


def _nanoseconds(time: xr.Variable) -> npt.NDArray[np.int64] | None:
    """Return times in nanoseconds since 1970; None where they are not told in whole numbers of a usual unit."""
    found = _SINCE.fullmatch(str(time.attrs["units"]).strip())
    calendar = time.attrs.get("calendar", "standard")
    if found is None or calendar not in _CALENDARS or time.ndim > 1 or {"scale_factor", "add_offset"} & set(time.attrs):
        return None
    year, month, day = map(int, found[2].split("-"))
    numbers = np.atleast_1d(time.values)
    if year < _FIRST_GREGORIAN_YEAR or (numbers.dtype.kind not in "iu" and numbers.dtype != np.float64):
        return None
    years = year + numbers * (_SECONDS[found[1]] / (86400 * 365.25))
    if not np.all((years > _FIRST_YEAR) & (years < _LAST_YEAR) & (numbers == np.floor(numbers))):  # also of NaN
        return None
    origin = np.datetime64(f"{year:04d}-{month:02d}-{day:02d}", "ns").astype(np.int64)
    return np.asarray(origin + numbers.astype(np.int64) * (_SECONDS[found[1]] * 10**9))


def _digest(parts: list[Any]) -> str:
    result = hashlib.sha256()
    for part in parts:
        result.update(part if isinstance(part, bytes) else part.encode())
        result.update(b"\n")
    return result.hexdigest()
