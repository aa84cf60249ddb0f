"""How the values of a variable are read: blocks of whole stored chunks, each once."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from weatherml.state import LEADING

_BLOCK_BYTES = 16 * 2**20
"""Of float32; large enough that reading takes the time, small enough that a few at once are no matter."""
_HORIZONTAL = ("latitude", "longitude")


@dataclass(frozen=True, eq=False)
class Block:
    """Part of a variable.

    Attributes:
        variable: The whole of it, lazy.
        levels: Which of its levels.
        times: Positions along the dimension of the stream.
        is_last: Whether no other follows of these levels.
    """

    variable: xr.Variable
    levels: slice
    times: slice
    is_last: bool

    @property
    def lazy(self) -> xr.Variable:
        """The part itself, not read yet."""
        stream = stream_of(self.variable)
        part = self.variable if stream is None else self.variable.isel({stream: self.times})
        return part.isel(level=self.levels) if "level" in part.dims else part

    @property
    def nbytes(self) -> int:
        """Bytes of its float32 values."""
        return _bytes_each(self.variable, self.levels) * int(self.times.stop - self.times.start)


def stream_of(variable: xr.Variable) -> str | None:
    """Return the dimension along which blocks follow each other: time, or the first of those of a forecast."""
    return next((d for d in ("time", *LEADING) if d in variable.dims), None)


def level_groups(variable: xr.Variable) -> list[slice]:
    """Return the levels that are read together: all, unless their chunks lie apart and are large."""
    n_levels = variable.sizes.get("level", 1)
    stored = _stored(variable, "level") or (n_levels,)
    field = 4 * math.prod(variable.sizes.get(d, 1) for d in _HORIZONTAL)
    return list(_joined(stored, max(1, _BLOCK_BYTES // max(field, 1))))


def blocks_of(variable: xr.Variable, levels: slice) -> Iterator[Block]:
    """Yield the blocks of some levels, in the order of time."""
    stream = stream_of(variable)
    n_times = 1 if stream is None else variable.sizes[stream]
    stored = (_stored(variable, stream) if stream else None) or (1,) * n_times
    for times in _joined(stored, max(1, _BLOCK_BYTES // max(_bytes_each(variable, levels), 1))):
        yield Block(variable, levels, times, times.stop == n_times)


def _bytes_each(variable: xr.Variable, levels: slice) -> int:
    """Return the bytes of a time, float32."""
    n_levels = len(range(variable.sizes["level"])[levels]) if "level" in variable.dims else 1
    others = (int(n) for d, n in variable.sizes.items() if d not in ("level", stream_of(variable)))
    return 4 * n_levels * math.prod(others)


def as_fields(variable: xr.Variable) -> np.ndarray:
    """Return values that are read as `[time, member, level, lat, lon]`; leads of a forecast count as members."""
    stream = stream_of(variable)
    inner = [d for d in ("level", *_HORIZONTAL) if d in variable.dims]
    outer = [d for d in variable.dims if d not in (stream, *inner)]
    first = [] if stream is None else [stream]
    ordered = variable.transpose(*first, *outer, *inner)
    n_times = ordered.shape[0] if first else 1
    n_levels = ordered.sizes.get("level", 1)
    return np.asarray(ordered.values, np.float32).reshape(n_times, -1, n_levels, *ordered.shape[-2:])


def _joined(lengths: tuple[int, ...], most: int) -> Iterator[slice]:
    """Yield slices of whole chunks that hold at most so many, or one chunk."""
    start = stop = 0
    for length in lengths:
        if stop > start and stop + length - start > most:
            yield slice(start, stop)
            start = stop
        stop += length
    if stop > start:
        yield slice(start, stop)


def _stored(variable: xr.Variable, dim: str) -> tuple[int, ...] | None:
    """Return the lengths of the chunks along a dimension; None where they are not known."""
    if dim not in variable.dims:
        return None
    if variable.chunks is not None:
        return tuple(variable.chunksizes[dim])
    length = variable.encoding.get("preferred_chunks", {}).get(dim)
    if not length:
        return None
    size = variable.sizes[dim]
    return tuple(min(length, size - start) for start in range(0, size, length))
