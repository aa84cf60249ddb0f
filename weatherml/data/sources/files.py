"""Real files as a source: GRIB, NetCDF and zarr, whatever layout they came in."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field, field_validator

from weatherml.data.reading.formats import expand
from weatherml.data.reading.opening import open_files, select
from weatherml.data.sources.config import SourceConfig
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.locations import local_path
from weatherml.times import parse_times

_SAMPLE = 1 << 16


class FilesConfig(SourceConfig):
    """Files to read.

    Attributes:
        paths: Files, zarr stores or glob patterns, absolute or relative to the working directory.
        variables: Names in any vocabulary; all that weatherml knows when None.
        levels: Pressure levels in hPa; all when None.
        latitude: First and last row to keep, degrees north; all when None. `[90, -89.75]` leaves the South Pole out, as
            FourCastNet does.
        rename: Canonical name by the file's own, where the file's name is unknown or says less than it should.
    """

    name: Literal["files"] = "files"
    paths: tuple[str, ...] = Field(min_length=1)
    variables: tuple[str, ...] | None = None
    levels: tuple[int, ...] | None = None
    latitude: tuple[float, float] | None = None
    rename: dict[str, str] = Field(default_factory=dict)

    @field_validator("paths")
    @classmethod
    def _on_this_machine(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            local_path(path)
        return paths

    def open(self, folder: Path) -> "FileSource":
        """Return the files as a source."""
        return FileSource(self)


class FileSource:
    """Files on disk as a `Source`."""

    name = "files"

    def __init__(self, config: FilesConfig) -> None:
        self.config = config

    @cached_property
    def dataset(self) -> xr.Dataset:
        """All of it, canonical and lazy."""
        config = self.config
        dataset = open_files(config.paths, config.variables, config.rename, config.levels)
        dataset = _rows(dataset, config.latitude)
        if "time" not in dataset.dims:
            named = ", ".join(self.config.paths)
            raise UserError(f"{named} has no time, so nothing can be ingested; add a time coordinate to the file")
        return dataset

    @cached_property
    def grid(self) -> LatLonGrid:
        """The one horizontal grid."""
        return LatLonGrid.from_dataset(self.dataset)

    @property
    def levels(self) -> tuple[int, ...]:
        """Pressure levels in hPa, ascending; empty where all variables are at the surface."""
        return tuple(self.dataset["level"].values.tolist()) if "level" in self.dataset.dims else ()

    def digest(self) -> str:
        """Return a fingerprint of the files (names, sizes, first and last 64 KiB) and of what is read."""
        result = hashlib.sha256(self.config.origin_json({"paths"}).encode())
        for path in expand(self.config.paths):
            for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
                result.update(f"{file.relative_to(path.parent)} {file.stat().st_size}".encode())
                result.update(_ends(file))
        return result.hexdigest()

    def times(self) -> npt.NDArray[np.datetime64]:
        """Valid times, `datetime64[ns]` [time], strictly ascending."""
        return np.asarray(self.dataset["time"].values)

    def variables(self) -> tuple[str, ...]:
        """Canonical variable names."""
        return tuple(map(str, self.dataset.data_vars))

    def read(self, times: npt.NDArray[np.datetime64], variables: Sequence[str]) -> xr.Dataset:
        """Return the named variables at the named times, lazy.

        Raises:
            UserError: A variable or a time is not there.
        """
        times = parse_times(times)
        absent = np.setdiff1d(times, self.times())
        if absent.size:
            raise UserError(f"the files have no time {absent[0]}; they have {self.times()[0]} .. {self.times()[-1]}")
        return select(self.dataset, variables).sel(time=times)


def _rows(dataset: xr.Dataset, latitude: tuple[float, float] | None) -> xr.Dataset:
    """Keep the rows from the first to the last latitude; all when None."""
    if latitude is None:
        return dataset
    kept = dataset.sel(latitude=slice(*latitude))
    if not kept.sizes["latitude"]:
        own = dataset["latitude"].values
        raise UserError(
            f"no row lies between latitudes {latitude[0]} and {latitude[1]}; rows run {own[0]} .. {own[-1]}"
        )
    return kept


def _ends(path: Path) -> bytes:
    with path.open("rb") as file:
        first = file.read(_SAMPLE)
        file.seek(max(path.stat().st_size - _SAMPLE, 0))
        return first + file.read()
