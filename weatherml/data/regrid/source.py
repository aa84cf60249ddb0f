"""A source on another grid."""

import hashlib
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.data.pieces import read_in_pieces
from weatherml.data.regrid.config import RegridConfig
from weatherml.data.regrid.regridding import regrid
from weatherml.data.source import Source, piece_starts
from weatherml.grid import LatLonGrid


class RegriddedSource:
    """Another source, each of its fields regridded when it is read."""

    def __init__(self, source: Source, config: RegridConfig) -> None:
        self.source = source
        self.config = config

    @property
    def name(self) -> str:
        """What people call the source."""
        return self.source.name

    @cached_property
    def grid(self) -> LatLonGrid:
        """The target grid."""
        return self.config.target()

    @property
    def levels(self) -> tuple[int, ...]:
        """Pressure levels in hPa of the source."""
        return self.source.levels

    def digest(self) -> str:
        """Fingerprint of the source, of the grid and of the method."""
        return hashlib.sha256(f"{self.source.digest()} {self.config.model_dump_json()}".encode()).hexdigest()

    def times(self) -> npt.NDArray[np.datetime64]:
        """Times of the source."""
        return self.source.times()

    def variables(self) -> tuple[str, ...]:
        """Variables of the source."""
        return self.source.variables()

    def piece_starts(self, variable: str) -> npt.NDArray[np.int64]:
        """Return where pieces of the origin begin."""
        return piece_starts(self.source, variable)

    def read(self, times: npt.NDArray[np.datetime64], variables: Sequence[str]) -> xr.Dataset:
        """Return the named variables at the named times on the target grid, lazily."""
        dataset = read_in_pieces(self.source, times, variables)
        return regrid(dataset, self.grid, self.config.method, self.config.min_valid_fraction)
