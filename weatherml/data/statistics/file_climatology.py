"""Climatologies that lie in files as fields by variable and level, with leading dimensions of their own."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

import netCDF4
import numpy as np
import xarray as xr

from weatherml.data.statistics.labels import chosen, labelled_spec
from weatherml.errors import UserError
from weatherml.state import Channel, StateSpec, to_array
from weatherml.storage.locations import local_path
from weatherml.times import Periods, parse_times, write_periods
from weatherml.variables import find


@dataclass(frozen=True, eq=False)
class FileClimatology(ABC):
    """A climatology, opened lazily.

    Attributes:
        dataset: Leading dimensions, then (level, latitude, longitude), SI units.
        spec: Channels.
        period: What they are of.
        store: Digest of the store that holds it; empty where it is not known.
    """

    dataset: xr.Dataset
    spec: StateSpec
    period: Periods
    store: str

    RECORD: ClassVar[str]
    """Attribute of the file under which the other attributes of this class are written."""
    WANTED: ClassVar[str]
    """What a file that is none should have been, and where such a one is found."""

    @abstractmethod
    def at(self, times: np.ndarray) -> xr.Dataset:
        """Return the climatology at `times` [time] as a canonical dataset."""

    def array_at(self, times: np.ndarray) -> np.ndarray:
        """Return the climatology as float32 `[*times, channel, lat, lon]` for `datetime64` times of any shape."""
        times = parse_times(times)
        return to_array(self.at(times.ravel()), self.spec).reshape(*times.shape, *self.spec.shape)

    def only(self, variables: Mapping[str, Sequence[int]]) -> Self:
        """Return the climatology of some variables at some levels in hPa (none where it has one height)."""
        dataset, spec = chosen(self.dataset, self.spec, variables)
        return replace(self, dataset=dataset, spec=spec)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Open what `weatherml statistics` has written, lazily.

        Raises:
            UserError: The file is missing or holds something else.
        """
        try:
            dataset = xr.open_dataset(local_path(path), engine="netcdf4")
            told, spec = json.loads(dataset.attrs[cls.RECORD]), labelled_spec(dataset, path)
        except (OSError, KeyError) as error:
            what, remedy = cls.WANTED.split("; ")
            raise UserError(f"{path} is no {what} ({error}); {remedy}") from None
        return cls(dataset, spec, **(told | {"period": write_periods(told["period"])}))


def declare(file: netCDF4.Dataset, spec: StateSpec, leading: Mapping[str, np.ndarray]) -> None:
    """Make room for canonical fields with other leading dimensions in an empty file."""
    levels = np.array(sorted(spec.levels), np.int32)
    horizontal = {"latitude": np.array(spec.grid.latitude), "longitude": np.array(spec.grid.longitude)}
    coordinates = {**leading, **({"level": levels} if len(levels) else {}), **horizontal}
    for name, values in coordinates.items():
        file.createDimension(name, len(values))
        file.createVariable(name, values.dtype, (name,))[:] = values
    for name, own in spec.variables.items():
        dims = (*leading, *(("level",) if own else ()), "latitude", "longitude")
        field = file.createVariable(name, "f4", dims, fill_value=np.float32(np.nan))
        field.set_auto_mask(False)
        field.setncatts({"units": find(name).units, "long_name": find(name).long_name})


def put(
    file: netCDF4.Dataset,
    spec: StateSpec,
    channel: Channel,
    rows: slice,
    values: np.ndarray,
    leading: tuple[slice | int, ...] = (slice(None), slice(None)),
) -> None:
    """Write rows of a channel, `[*leading, row, lon]`."""
    level = () if channel.level is None else (sorted(spec.levels).index(channel.level),)
    file[channel.variable][(*leading, *level, rows, slice(None))] = values
