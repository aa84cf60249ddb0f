"""A forecast as a stream of pieces in memory, each stored chunk read once."""

from collections.abc import Iterator

import xarray as xr


def iterate_pieces(dataset: xr.Dataset) -> Iterator[xr.Dataset]:
    """Yield the forecast in pieces of one initial time and as many leads and members as lie in one chunk.

    Members vary before leads, leads before initial times.
    """
    leads, numbers = (_slices(dataset, dim) for dim in ("lead_time", "number"))
    for init in range(dataset.sizes["init_time"]):
        for lead in leads:
            for number in numbers:
                places = {"init_time": slice(init, init + 1), "lead_time": lead, "number": number}
                yield dataset.isel({dim: place for dim, place in places.items() if dim in dataset.dims}).load()


def _slices(dataset: xr.Dataset, dim: str) -> list[slice]:
    """Return the chunks along a dimension, one position each where the dataset has no chunks."""
    if dim not in dataset.dims:
        return [slice(None)]
    size = dataset.sizes[dim]
    length = min((max(field.chunksizes.get(dim, (1,))) for field in dataset.data_vars.values()), default=1)
    return [slice(start, min(start + length, size)) for start in range(0, size, length)]
