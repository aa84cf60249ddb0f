"""ERA5 from the Climate Data Store as a source: fetched where it is read, then read as files are."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.data.sources.cds.config import CdsConfig
from weatherml.data.sources.cds.download import download
from weatherml.data.sources.cds.ledger import Ledger
from weatherml.data.sources.files import FilesConfig, FileSource
from weatherml.grid import LatLonGrid

_PATIENCE = 30 * 86400.0
"""Seconds: shares that begin at once wait for the one that downloads, and one of them goes on where it dies."""


class CdsSource:
    """A part of ERA5 as a `Source`.

    What it holds is known from the configuration; the values are fetched when they, their grid or their digest are
    first asked for.
    """

    name = "cds"

    def __init__(self, config: CdsConfig, folder: Path) -> None:
        """Fetch nothing yet.

        Args:
            config: Which part.
            folder: Where the files lie.
        """
        self.config, self.folder = config, folder

    @cached_property
    def files(self) -> FileSource:
        """The files, all of them fetched and verified."""
        paths = download(self.config, self.folder, patience=_PATIENCE).files
        chosen = {key: getattr(self.config, key) for key in ("periods", "exclude", "every")}
        files = FilesConfig(paths=tuple(map(str, paths)), variables=self.variables(), levels=self._levels, **chosen)
        return FileSource(files, self.folder)

    @property
    def grid(self) -> LatLonGrid:
        """The one horizontal grid."""
        return self.files.grid

    @property
    def levels(self) -> tuple[int, ...]:
        """Pressure levels in hPa, ascending; empty where all variables are at the surface."""
        return self._levels or ()

    def digest(self) -> str:
        """Return a fingerprint of the fields: which were asked for, and which times of them are preliminary (ERA5T).

        Not of the files: a field is the same in whatever request it came.
        """
        result = hashlib.sha256(self.config.origin_json({"folder", "at_once", "fields_per_request"}).encode())
        _ = self.files  # what came is known once it has
        preliminary = self._preliminary()
        for variable in self.variables():
            times = self.times_of(variable)
            early = np.isin(times, np.array(preliminary.get(variable, []), "datetime64[ns]"))
            result.update(variable.encode() + times.tobytes() + early.tobytes())
        return result.hexdigest()

    def _preliminary(self) -> dict[str, list[np.datetime64]]:
        """Return times of which values are preliminary, by variable; of what is summed up, of all its hours."""
        ledger = Ledger(self.folder)
        times: dict[str, list[np.datetime64]] = defaultdict(list)
        for unit in ledger.plan(self.config):
            for variable in unit.variables:
                times[variable] += [np.datetime64(time, "ns") for time in ledger.of(unit).preliminary]
        return times

    def times(self) -> npt.NDArray[np.datetime64]:
        """Valid times, `datetime64[ns]` [time], strictly ascending."""
        return self.config.times()

    def variables(self) -> tuple[str, ...]:
        """Canonical variable names."""
        return tuple(dict.fromkeys(channel.variable for channel in self.config.parsed))

    def times_of(self, variable: str) -> npt.NDArray[np.datetime64]:
        """Return all times at which a variable can be read: every hour of what is summed up."""
        return self.config.times_of(variable)

    def piece_starts(self, variable: str) -> npt.NDArray[np.int64]:
        """Return the positions in `times()` at which files begin: those of months."""
        months = self.times().astype("datetime64[M]").astype(np.int64)
        return np.flatnonzero(np.diff(months, prepend=months[:1] - 1))

    def read(self, times: npt.NDArray[np.datetime64], variables: Sequence[str]) -> xr.Dataset:
        """Return the named variables at the named times, lazy.

        Raises:
            UserError: A variable or a time is not there, or cannot be fetched.
        """
        return self.files.read(times, variables)

    @property
    def _levels(self) -> tuple[int, ...] | None:
        levels = {channel.level for channel in self.config.parsed if channel.level is not None}
        return tuple(sorted(levels)) or None
