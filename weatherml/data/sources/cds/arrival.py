"""Whether what came is what was asked for: its times, levels and variables, no more and no less, all decodable."""

import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from weatherml.data.notes import is_preliminary as is_version_preliminary
from weatherml.data.reading.formats.grib import import_eccodes
from weatherml.data.reading.formats.local import format_of, open_netcdf
from weatherml.data.reading.opening import open_files
from weatherml.data.sources.cds.catalogue import grib_name
from weatherml.data.sources.cds.units import Unit
from weatherml.errors import UserError
from weatherml.variables import find

_ZIP = b"PK\x03\x04"
_ENDINGS = {"GRIB": ".grib", "NetCDF-4": ".nc", "NetCDF classic": ".nc"}
_ONE_AT_A_TIME = threading.Lock()
"""ecCodes and HDF5 are not made for several threads."""

Field = tuple[str, int | None, np.datetime64]
"""A variable by its canonical name, its level in hPa, and its time."""


class DamagedError(Exception):
    """What came is not what was asked for."""


@dataclass(frozen=True)
class Arrival:
    """What came, whole.

    Attributes:
        files: The files, by the ending of the name that each shall have.
        preliminary: Times of which the values are preliminary, rising.
        doubt: Why its values may be damaged nevertheless; empty where nothing speaks for it.
    """

    files: dict[str, Path]
    preliminary: tuple[np.datetime64, ...]
    doubt: str = ""


def inspect(path: Path, unit: Unit, n_points: int) -> Arrival:
    """Read all of what came.

    Args:
        path: GRIB, NetCDF, or a ZIP archive of them, which is unpacked beside it.
        unit: What was asked for.
        n_points: Points of the grid, where it is the whole Earth's.

    Raises:
        DamagedError: Something is missing, too much, or cannot be decoded.
    """
    with _ONE_AT_A_TIME:
        files = _unpack(path)
        seen = _Seen(unit, n_points)
        for file in files.values():
            try:
                seen.add(file)
            except DamagedError:
                raise
            except Exception as error:  # libraries have no common base for what damaged bytes raise
                raise DamagedError(
                    f"it cannot be read ({type(error).__name__}: {' '.join(str(error).split())})"
                ) from None
        seen.require_expected()
    return Arrival(files, tuple(sorted(seen.preliminary)), seen.doubt)


class _Seen:
    """The fields that files hold."""

    def __init__(self, unit: Unit, n_points: int) -> None:
        self.fields: Counter[Field] = Counter()
        self.preliminary: set[np.datetime64] = set()
        self.doubt = ""
        self._unit, self._n_points = unit, n_points

    def add(self, path: Path) -> None:
        """Decode the fields of a file."""
        fields = _grib_fields if format_of(path) == "GRIB" else _netcdf_fields
        for field, values, is_preliminary in fields(path, self._unit):
            self.fields[field] += 1
            if is_preliminary:
                self.preliminary.add(field[2])
            self._look_at(field, values)

    def require_expected(self) -> None:
        """Require all fields of the unit, each once, and no others."""
        pairs = product(sorted(self._unit.pairs, key=str), self._unit.times)
        expected = {(variable, level, time) for (variable, level), time in pairs}
        for what, odd in (
            ("lacks", expected - set(self.fields)),
            ("holds more than was asked for:", set(self.fields) - expected),
            ("holds twice", {field for field, n in self.fields.items() if n > 1}),
        ):
            if odd:
                raise DamagedError(
                    f"it {what} {_say(min(odd, key=str))} and {len(odd) - 1} others".replace(" and 0 others", "")
                )

    def _look_at(self, field: Field, values: np.ndarray) -> None:
        variable, is_there = find(field[0]), values[np.isfinite(values)]
        if self._unit.area is None and values.size != self._n_points:
            raise DamagedError(f"{_say(field)} has {values.size} points, not {self._n_points}")
        if not is_there.size:
            self.doubt = self.doubt or f"{_say(field)} is missing everywhere"
        elif is_there.min() < variable.minimum or is_there.max() > variable.maximum:
            span = f"{is_there.min():.4g} .. {is_there.max():.4g} {variable.units}"
            self.doubt = self.doubt or f"{_say(field)} has values of {span}"


def _grib_fields(path: Path, unit: Unit) -> Iterator[tuple[Field, np.ndarray, bool]]:
    """Yield every message: what it is, its values, missing ones as NaN, and whether they are preliminary."""
    codes = import_eccodes(path)
    names = {grib_name(variable): variable for variable in unit.variables}
    n_bytes = 0
    with path.open("rb") as file:
        while (message := codes.codes_grib_new_from_file(file)) is not None:
            try:
                n_bytes += codes.codes_get(message, "totalLength")
                name = codes.codes_get_string(message, "shortName")
                level = codes.codes_get(message, "level") if unit.levels else None
                place = (names.get(name, name), level, _valid_time(codes, message))
                is_preliminary = codes.codes_is_defined(message, "expver") and is_version_preliminary(
                    codes.codes_get_string(message, "expver")
                )
                codes.codes_set(message, "missingValue", 1e34)
                values = codes.codes_get_values(message)
                yield place, np.where(values == 1e34, np.nan, values), bool(is_preliminary)
            finally:
                codes.codes_release(message)
    if n_bytes != path.stat().st_size:  # readers pass over what does not begin as a message does
        raise DamagedError(f"{path.stat().st_size - n_bytes} of its bytes are of no GRIB message")


def _valid_time(codes: Any, message: Any) -> np.datetime64:
    day, clock = (codes.codes_get(message, key) for key in ("validityDate", "validityTime"))
    text = f"{day:08}"
    return np.datetime64(f"{text[:4]}-{text[4:6]}-{text[6:]}T{clock // 100:02}:{clock % 100:02}", "ns")


def _netcdf_fields(path: Path, unit: Unit) -> Iterator[tuple[Field, np.ndarray, bool]]:
    """Yield every field; what its file calls by a name that nobody knows is more than was asked for."""
    raw = open_netcdf(path)
    dataset = open_files(path)
    versions = _preliminary_times(raw)
    known = {field.attrs.get("weatherml_source_name") for field in dataset.data_vars.values()}
    strange = sorted(
        str(name) for name in set(raw.data_vars) - known if {"latitude", "longitude"} <= set(raw[name].dims)
    )
    if strange:
        raise DamagedError(f"it holds more than was asked for: {', '.join(strange)}")
    for name, field in dataset.data_vars.items():
        for part in _stored_parts(field):
            times = part["time"].values if "time" in part.dims else unit.times
            levels = part["level"].values.tolist() if "level" in part.dims else [None]
            values = part.values.reshape(-1, len(levels), part.sizes["latitude"] * part.sizes["longitude"])
            for (i, time), (k, level) in product(enumerate(times), enumerate(levels)):
                yield (str(name), level, time), values[min(i, len(values) - 1), k], time in versions


def _stored_parts(field: xr.DataArray) -> Iterator[xr.DataArray]:
    """Yield a field in memory by the times that are stored together, so that each chunk is read once."""
    if "time" not in field.dims:
        yield field.load()
        return
    ends = np.cumsum(field.chunksizes.get("time", (field.sizes["time"],)))
    for first, end in zip([0, *ends[:-1]], ends, strict=True):
        yield field.isel(time=slice(first, end)).load()


def _preliminary_times(raw: xr.Dataset) -> set[np.datetime64]:
    """Return the times that a file of the service's converter marks as preliminary."""
    time = "valid_time" if "valid_time" in raw.variables else "time"
    if "expver" not in raw.variables or time not in raw.variables:
        return set()
    versions = np.broadcast_to(raw["expver"].values, raw[time].shape)
    return {t for t, v in zip(raw[time].values.ravel(), versions.ravel(), strict=True) if is_version_preliminary(v)}


def _unpack(path: Path) -> dict[str, Path]:
    """Return files by the ending of their names to come; those of an archive are unpacked."""
    with path.open("rb") as file:
        is_archive = file.read(4) == _ZIP
    if not is_archive:
        return {_ending(path): path}
    members: dict[str, Path] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for i, member in enumerate(sorted(archive.namelist())):
                target = path.with_name(f"{path.name}.{i}")
                target.write_bytes(archive.read(member))
                members[f".{i}{_ending(target)}"] = target
    except (zipfile.BadZipFile, EOFError, ValueError) as error:
        raise DamagedError(f"the archive is damaged ({error})") from None
    return members


def _ending(path: Path) -> str:
    try:
        return _ENDINGS[format_of(path)]
    except (UserError, KeyError) as error:
        raise DamagedError(str(error).replace(f"{path} is", "it is")) from None


def _say(field: Field) -> str:
    variable, level, time = field
    return f"{variable}{'' if level is None else f' at {level} hPa'} of {time:.16}"
