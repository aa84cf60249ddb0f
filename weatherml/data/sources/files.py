"""Real files as a source: GRIB, NetCDF and zarr, whatever layout they came in."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Discriminator, Field, Tag, field_validator

from weatherml.config import Config
from weatherml.data.derived.derivations import ACCUMULATIONS, made_of
from weatherml.data.reading.file_index import FileToRead, IndexedFiles, fingerprint
from weatherml.data.reading.formats.local import expand
from weatherml.data.reading.merge import require_same_times
from weatherml.data.reading.selection import tell_what_was_passed_over
from weatherml.data.reading.windows import HOW_TO_READ_SUMS, windows_of
from weatherml.data.sources.config import SourceConfig
from weatherml.data.sources.rows import Rows, rows_between
from weatherml.data.sources.times import ChosenTimes
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.registry import nearest
from weatherml.storage.locations import local_path
from weatherml.times import parse_times
from weatherml.variables import find


class PathsConfig(Config):
    """Files whose names mean something of their own.

    Attributes:
        paths: Files, zarr stores or glob patterns.
        rename: As that of all files, and before it.
    """

    paths: tuple[str, ...] = Field(min_length=1)
    rename: dict[str, str]

    @field_validator("paths")
    @classmethod
    def _on_this_machine(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        _require_local(paths)
        return paths


def _kind(value: Any) -> str:
    return "group" if isinstance(value, Mapping | PathsConfig) else "file"


Paths = Annotated[Annotated[str, Tag("file")] | Annotated[PathsConfig, Tag("group")], Discriminator(_kind)]
"""A path or pattern, or a group of them whose names mean something of their own."""


class FilesConfig(SourceConfig):
    """Files to read.

    Attributes:
        paths: Files, zarr stores or glob patterns, absolute or relative to the working directory; or groups of them
            with names of their own, `{paths: [orography.nc], rename: {z: geopotential_at_surface}}`.
        variables: Names in any vocabulary; all that weatherml knows when None.
        levels: Pressure levels in hPa; all when None.
        latitude: First and last row to keep, degrees north; all when None. `[90, -89.75]` leaves the South Pole out, as
            FourCastNet does.
        rename: Canonical name by the file's own, where the file's name is unknown or says less than it should; `time`,
            `level`, `latitude`, `longitude` or `number` by what files call such a dimension.
    """

    name: Literal["files"] = "files"
    paths: tuple[Paths, ...] = Field(min_length=1)
    variables: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    levels: Annotated[tuple[int, ...], Field(min_length=1)] | None = None
    latitude: Rows | None = None
    rename: dict[str, str] = Field(default_factory=dict)

    @field_validator("paths")
    @classmethod
    def _on_this_machine(cls, paths: tuple[Paths, ...]) -> tuple[Paths, ...]:
        _require_local(path for path in paths if isinstance(path, str))
        return paths

    def chosen_levels(self) -> tuple[int, ...] | None:
        """Return the pressure levels that are told, hPa; all when None."""
        return self.levels

    def open(self, folder: Path) -> "FileSource":
        """Return the files as a source, whose index lies in `folder`."""
        return FileSource(self, folder)


class FileSource:
    """Files on disk as a `Source`: opened by an index of what is in which, and read where they are asked for.

    Variables may have times of their own: `times` are those that are chosen, which every variable has.
    """

    name = "files"

    def __init__(self, config: FilesConfig, folder: Path | None = None) -> None:
        """Look at no file yet.

        Args:
            config: The files.
            folder: Where the index of files is kept; nowhere when None.
        """
        self.config, self._folder = config, folder

    def __reduce__(self) -> tuple[Any, ...]:
        return FileSource, (self.config, self._folder)

    @cached_property
    def grid(self) -> LatLonGrid:
        """The one horizontal grid."""
        grid, latitude = self._files.grid, self.config.latitude
        return grid if latitude is None else rows_between(grid, latitude)

    @property
    def levels(self) -> tuple[int, ...]:
        """Pressure levels in hPa, ascending; empty where all variables are at the surface."""
        on_levels = (field for field in self._rows.values() if "level" in field.dims)
        return next((tuple(field["level"].values.tolist()) for field in on_levels), ())

    def digest(self) -> str:
        """Return a fingerprint of the files and of what is read.

        Of a file its name, size, first and last 64 KiB count, of a zarr store its metadata, coordinates and fields
        without time, and the names and sizes of its chunks.
        """
        result = hashlib.sha256(self.config.origin_json({"paths"}).encode())
        for file, entry in zip(self._files.files, self._files.entries, strict=True):
            result.update(f"{sorted(file.rename.items())} {fingerprint(file.path, entry)}".encode())
        return result.hexdigest()

    def times(self) -> npt.NDArray[np.datetime64]:
        """Valid times, `datetime64[ns]` [time], strictly ascending."""
        return self._times

    def variables(self) -> tuple[str, ...]:
        """Canonical variable names."""
        return tuple(self._rows)

    def piece_starts(self, variable: str) -> npt.NDArray[np.int64]:
        """Return the positions in `times()` at which files and their chunks along time begin."""
        field = self._rows[variable]
        if "time" not in field.dims:
            return np.zeros(1, np.int64)
        return self._files.piece_starts(field.sel(time=self._times))

    def times_of(self, variable: str) -> npt.NDArray[np.datetime64]:
        """Return all times of a variable, also those that others lack or that were not chosen."""
        field = self._rows[variable]
        return np.asarray(field["time"].values) if "time" in field.dims else self._times

    def read(self, times: npt.NDArray[np.datetime64], variables: Sequence[str]) -> xr.Dataset:
        """Return the named variables at the named times, lazy; a variable may be read at times that others lack.

        Raises:
            UserError: A variable or a time is not there.
        """
        return self._read({name: self._rows_at(times, name) for name in (find(v).name for v in variables)})

    def read_levels(
        self, times: npt.NDArray[np.datetime64], variable: str, levels: slice | npt.NDArray[np.int64]
    ) -> xr.DataArray:
        """Return a variable at positions among its levels, lazy: of a field that is chosen here no other is read."""
        rows = self._rows_at(times, variable)
        return self._read({variable: rows.isel(level=levels)})[variable]

    def _rows_at(self, times: npt.NDArray[np.datetime64], name: str) -> xr.DataArray:
        _require_variable(name, self._rows)
        return _at_times(self._rows[name], parse_times(times))

    def _read(self, chosen: Mapping[str, xr.DataArray]) -> xr.Dataset:
        dataset = tell_what_was_passed_over(self._files.read(chosen), self._thinned(chosen))
        if self.config.latitude is not None:
            dataset = dataset.sel(latitude=np.asarray(self.grid.latitude))
        return dataset.chunk(time=self._files.block_lengths(chosen)) if dataset.sizes.get("time") else dataset.chunk()

    def _thinned(self, read: Collection[str]) -> Iterator[str]:
        """Say of which sums over a period, of those that are read, some are left out by the choice of times."""
        for name in (name for name in ACCUMULATIONS if name in read):
            own = self.times_of(name)
            inside = own[(own >= self._times[0]) & (own <= self._times[-1])]
            if inside.size > self._times.size:
                yield f"{name}: {self._times.size} of {inside.size} times are read, each the sum of its own hour alone"

    @cached_property
    def _files(self) -> IndexedFiles:
        config = self.config
        wanted = None if config.variables is None else [find(name).name for name in config.variables]
        return IndexedFiles(_files_to_read(config), wanted, config.levels, self._folder)

    @cached_property
    def _rows(self) -> dict[str, xr.DataArray]:
        """Which fields are read, by canonical name."""
        rows, asked = self._files.rows, self.config.variables
        names = rows if asked is None else [find(name).name for name in asked]
        for name in names:
            _require_variable(name, rows, self.config.derive)
            if self.config.accumulated == "hourly":
                _require_one_window(name, rows[name])
        return {name: rows[name] for name in names}

    @cached_property
    def _times(self) -> npt.NDArray[np.datetime64]:
        """The times that are chosen of those that any variable has."""
        _ = self.grid  # a source without rows is refused with its times
        chosen = ChosenTimes(self.config.periods, self.config.exclude, self.config.every)
        own = {name: field["time"].values for name, field in self._rows.items() if "time" in field.dims}
        if not own:
            named = ", ".join(str(file.path) for file in self._files.files[:3])
            raise UserError(f"{named} has no time, so nothing can be ingested; add a time coordinate to the file")
        if chosen == ChosenTimes():
            require_same_times(self._rows)
        times = np.unique(np.concatenate([*own.values()]))
        times = times[chosen.choose(times, "files")]
        for name, have in own.items():
            _require_times(name, have, times)
        return times


def _require_local(paths: Iterable[str]) -> None:
    for path in paths:
        local_path(path)


def _files_to_read(config: FilesConfig) -> list[FileToRead]:
    """Return the files, each once; where two groups hold one, that with names of its own counts."""
    found: dict[Path, FileToRead] = {}
    for group in config.paths:
        paths, rename = ((group,), {}) if isinstance(group, str) else (group.paths, group.rename)
        for path in expand(paths):
            if path not in found or rename:
                found[path] = FileToRead(path, {**config.rename, **rename})
    return list(found.values())


def _require_variable(name: str, rows: Mapping[str, xr.DataArray], derived: Collection[str] = ()) -> None:
    if name not in rows:
        why = made_of(name, derived)
        raise UserError(f"{why}{'; ' if why else ''}the data have no variable {name!r}{nearest(name, rows)}")


def _require_one_window(name: str, field: xr.DataArray) -> None:
    windows = windows_of(field)
    if len(windows) > 1:
        raise UserError(f"{name} is summed over {', '.join(windows)} h in one series; {HOW_TO_READ_SUMS}")


def _require_times(name: str, own: npt.NDArray[np.datetime64], chosen: npt.NDArray[np.datetime64]) -> None:
    missing = np.setdiff1d(chosen, own)
    if missing.size:
        raise UserError(
            f"{name} lacks {missing.size} of the {chosen.size} times that are chosen, the first {missing[0]:.16};"
            " choose times that all variables have (source.every, source.periods), or leave it out"
        )


def _at_times(field: xr.DataArray, times: npt.NDArray[np.datetime64]) -> xr.DataArray:
    if "time" not in field.dims:
        return field
    own = field["time"].values
    absent = np.setdiff1d(times, own)
    if absent.size:
        raise UserError(
            f"the files have no time {absent[0]:.16} of {field.name}; they have {own[0]:.16} .. {own[-1]:.16}"
        )
    return field.sel(time=times)
