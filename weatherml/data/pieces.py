"""What a source gives, lazily in the pieces that lie together at its origin, so that no more need be held at once."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.data.source import Source, piece_starts_among


def read_in_pieces(source: Source, times: npt.NDArray[np.datetime64], variables: Sequence[str]) -> xr.Dataset:
    """Return variables at rising times `[time]` as dask arrays, one block a piece of the source (a file, a chunk).

    A source that tells no pieces is read time by time; fields that are dask arrays already stay as they are.
    """
    dataset = source.read(times, variables)
    return dataset.assign(
        {
            name: field.chunk(time=_lengths(source, str(name), times))
            for name, field in dataset.data_vars.items()
            if "time" in field.dims and field.chunks is None
        }
    )


def times_of(source: Source, variable: str) -> npt.NDArray[np.datetime64]:
    """Return the times `[time]` at which a source can give a variable: more than `source.times()` where it tells so."""
    told = getattr(source, "times_of", None)
    return source.times() if told is None else np.asarray(told(variable))


def _lengths(source: Source, variable: str, times: npt.NDArray[np.datetime64]) -> tuple[int, ...]:
    return tuple(np.diff([*piece_starts_among(source, variable, times), len(times)]).tolist())
