"""What every origin of data offers to ingestion: files on disk, a simulated planet, a cloud archive."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.grid import LatLonGrid


@runtime_checkable
class Source(Protocol):
    """An origin of analyses, read piece by piece in the one canonical layout.

    `(time, level, latitude, longitude)` with an optional `number` after `time`, canonical long names, SI units,
    float32, latitude 90 to -90, longitude 0 to 360, level in hPa ascending. Whatever the origin calls or orders
    differently has been put right before `read` returns.
    """

    @property
    def name(self) -> str:
        """What people call the source, in logs and manifests."""
        ...

    @property
    def grid(self) -> LatLonGrid:
        """The one horizontal grid of every variable."""
        ...

    @property
    def levels(self) -> tuple[int, ...]:
        """Pressure levels in hPa, ascending; empty where all variables are at the surface."""
        ...

    def digest(self) -> str:
        """A hexadecimal fingerprint that changes when the data do; it goes into manifests as provenance."""
        ...

    def times(self) -> npt.NDArray[np.datetime64]:
        """Valid times, `datetime64[ns]` [time], strictly ascending."""
        ...

    def variables(self) -> tuple[str, ...]:
        """Canonical variable names."""
        ...

    def read(self, times: npt.NDArray[np.datetime64], variables: Sequence[str]) -> xr.Dataset:
        """Return the named variables at the named times, canonical; the values may still be lazy."""
        ...


class SourceAround:
    """A source made of another, which differs from it in what a kind of it says.

    Attributes:
        source: The other.
    """

    def __init__(self, source: Source) -> None:
        self.source = source

    @property
    def name(self) -> str:
        """What people call the source."""
        return self.source.name

    @property
    def grid(self) -> LatLonGrid:
        """The one horizontal grid."""
        return self.source.grid

    @property
    def levels(self) -> tuple[int, ...]:
        """Pressure levels in hPa, ascending."""
        return self.source.levels

    def digest(self) -> str:
        """Return a fingerprint of the data."""
        return self.source.digest()

    def times(self) -> npt.NDArray[np.datetime64]:
        """Valid times, `datetime64[ns]` [time], strictly ascending."""
        return self.source.times()

    def variables(self) -> tuple[str, ...]:
        """Canonical variable names."""
        return self.source.variables()

    def piece_starts(self, variable: str) -> npt.NDArray[np.int64]:
        """Return the positions in `times()` at which the source's own pieces of a variable begin."""
        return piece_starts_among(self.source, variable, self.times())

    def hold_within(self, memory: int, shared: frozenset[str] = frozenset()) -> int:
        """Keep the source's own memory within a part of what there is; return what is left, bytes."""
        return hold_within(self.source, memory, shared)

    def inputs(self, variable: str) -> frozenset[str]:
        """Return which variables are read at the origin for one of this source."""
        return inputs_of(self.source, variable)

    def bytes_of_a_time(self, variable: str) -> int:
        """Return how many bytes are held at once for each time at which a variable is read."""
        return bytes_of_a_time(self.source, variable)


def bytes_of_a_time(source: Source, variable: str) -> int:
    """Return how many bytes a source holds at once for each time at which a variable is read; 0 of one that is lazy.

    It may read a larger grid, or more variables, than it gives; one that is not lazy has a method of this name.
    """
    told = getattr(source, "bytes_of_a_time", None)
    return 0 if told is None else int(told(variable))


def read_levels(
    source: Source, times: npt.NDArray[np.datetime64], variable: str, levels: slice | npt.NDArray[np.int64] | None
) -> xr.DataArray:
    """Return a variable at some of its levels, lazy where the source is.

    A source that computes or reads less for fewer levels, though it is lazy, has a method of this name.

    Args:
        source: Any source.
        times: Which.
        variable: Canonical name.
        levels: Positions among its levels; all when None.
    """
    told = getattr(source, "read_levels", None)
    if levels is not None and told is not None:
        field: xr.DataArray = told(times, variable, levels)
        return field
    field = source.read(times, [variable])[variable]
    return field if levels is None else field.isel(level=levels)


def hold_within(source: Source, memory: int, shared: frozenset[str] = frozenset()) -> int:
    """Tell a source how much memory it and its reader have; return what is left for the reader, bytes.

    A source that keeps what it has read has a method of this name.

    Args:
        source: Any source.
        memory: Bytes.
        shared: Variables that are read again for others soon after they were read: what was read is best kept.
    """
    told = getattr(source, "hold_within", None)
    return memory if told is None else int(told(memory, shared))


def inputs_of(source: Source, variable: str) -> frozenset[str]:
    """Return which variables are read at the origin for one that a source tells: itself, unless it is made of others.

    A source that makes variables of others has a method `inputs`.
    """
    told = getattr(source, "inputs", None)
    return frozenset([variable]) if told is None else frozenset(told(variable))


def piece_starts(source: Source, variable: str) -> npt.NDArray[np.int64]:
    """Return the positions in `source.times()` at which its own pieces of a variable begin, the first 0.

    What lies between two is fetched and decoded together, such as a chunk or a file, so it should be asked for at once.
    A source tells so by a method of this name; one without it has no pieces but single times.

    Args:
        source: Any source.
        variable: Canonical name.
    """
    told = getattr(source, "piece_starts", None)
    return np.arange(len(source.times())) if told is None else np.asarray(told(variable), np.int64)


def piece_starts_among(source: Source, variable: str, times: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    """Return the positions among other rising `times` at which pieces of a source begin, the first 0."""
    found = np.searchsorted(times, source.times()[piece_starts(source, variable)])
    return np.unique([0, *found[found < len(times)]])
