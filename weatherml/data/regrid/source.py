"""A source on another grid."""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.data.pieces import read_in_pieces
from weatherml.data.regrid.config import RegridConfig
from weatherml.data.regrid.regridding import regrid
from weatherml.data.source import Source, SourceAround
from weatherml.grid import LatLonGrid


class RegriddedSource(SourceAround):
    """Another source, each of its fields regridded when it is read."""

    def __init__(self, source: Source, config: RegridConfig) -> None:
        super().__init__(source)
        self.config = config

    @property
    def grid(self) -> LatLonGrid:
        """The target grid."""
        return self.config.target()

    def digest(self) -> str:
        """Fingerprint of the source, of the grid and of the method."""
        return hashlib.sha256(f"{self.source.digest()} {self.config.model_dump_json()}".encode()).hexdigest()

    def read(self, times: npt.NDArray[np.datetime64], variables: Sequence[str]) -> xr.Dataset:
        """Return the named variables at the named times on the target grid, lazily."""
        return self._regridded(read_in_pieces(self.source, times, variables))

    def read_levels(self, times: npt.NDArray[np.datetime64], variable: str, levels: slice) -> xr.DataArray:
        """Return a variable at some of its levels: what is chosen of a regridded field is chosen too late."""
        return self._regridded(read_in_pieces(self.source, times, [variable]).isel(level=levels))[variable]

    def _regridded(self, dataset: xr.Dataset) -> xr.Dataset:
        return regrid(dataset, self.grid, self.config.method, self.config.min_valid_fraction)
