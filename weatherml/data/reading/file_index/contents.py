"""What a canonical dataset of a file holds, without its values: enough to join it with others."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.data.reading.canonical import SOURCE_NAME

HORIZONTAL = ("latitude", "longitude")


class Field(NamedTuple):
    """A variable of a file.

    Attributes:
        dims: Its dimensions, canonical.
        attrs: What its file called it, and the like.
        piece: How many times are read and decompressed at once.
        digest: Fingerprint of its values where it has no time; empty otherwise.
    """

    dims: tuple[str, ...]
    attrs: dict[str, Any]
    piece: int
    digest: str


class Structure(NamedTuple):
    """All that files of one kind have in common, so that it is told once.

    Attributes:
        coordinates: Values along the dimensions other than time.
        sizes: Lengths of these dimensions.
        fields: The variables.
    """

    coordinates: dict[str, npt.NDArray[Any]]
    sizes: dict[str, int]
    fields: dict[str, Field]


@dataclass(frozen=True)
class Contents:
    """One canonical dataset of a file.

    Attributes:
        structure: `Structure` as text: equal texts are equal structures.
        attrs: Attributes of the dataset, such as its notes.
        times: Nanoseconds since 1970 `[time]`; None where nothing has a time.
    """

    structure: str
    attrs: dict[str, Any]
    times: tuple[int, ...] | None

    @classmethod
    def of(cls, dataset: xr.Dataset, raw: xr.Dataset) -> Self:
        """Describe a canonical dataset and the one it was made of; fields without time are read."""
        pieces = {str(name): _piece(field) for name, field in raw.data_vars.items()}
        coordinates = {str(d): dataset[d].values for d in dataset.dims if d != "time" and d in dataset.coords}
        structure = {
            "coordinates": {d: [str(values.dtype), values.tolist()] for d, values in coordinates.items()},
            "sizes": {str(d): n for d, n in dataset.sizes.items() if d != "time"},
            "fields": {str(name): _describe(field, pieces) for name, field in dataset.data_vars.items()},
        }
        times = dataset["time"].values.astype("datetime64[ns]").astype(np.int64) if "time" in dataset.dims else None
        return cls(_text(structure), json.loads(_text(dataset.attrs)), None if times is None else tuple(times.tolist()))

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Return the contents that were written as a dictionary."""
        times = content["times"]
        return cls(content["structure"], content["attrs"], None if times is None else tuple(times))

    def read_structure(self) -> Structure:
        """Return the structure that the text tells."""
        return _read_structure(self.structure)


@cache
def _read_structure(text: str) -> Structure:
    told = json.loads(text)
    coordinates = {name: np.array(values, dtype) for name, (dtype, values) in told["coordinates"].items()}
    fields = {
        name: Field(tuple(dims), attrs, piece, digest) for name, (dims, attrs, piece, digest) in told["fields"].items()
    }
    return Structure(coordinates, told["sizes"], fields)


def _describe(field: xr.DataArray, pieces: dict[str, int]) -> Field:
    dims = tuple(map(str, field.dims))
    digest = "" if "time" in dims else _digest(field.values)
    return Field(dims, field.attrs, pieces.get(str(field.attrs.get(SOURCE_NAME)), 1), digest)


def _digest(values: np.ndarray) -> str:
    """Return a fingerprint that is the same for equal values: of NaN and of zero there is one kind."""
    plain = np.where(np.isnan(values), np.float32("nan"), values + np.float32(0))
    return hashlib.sha256(np.ascontiguousarray(plain).tobytes()).hexdigest()


def _piece(raw: xr.DataArray) -> int:
    """Return how many times a chunk of the file holds; 1 where it has none."""
    chunks = raw.encoding.get("chunksizes") or raw.encoding.get("chunks")
    along = next((i for i, dim in enumerate(raw.dims) if dim in raw.coords and raw[dim].dtype.kind in "MO"), None)
    return 1 if chunks is None or along is None else int(chunks[along])


def _text(content: dict[Any, Any]) -> str:
    return json.dumps(content, default=lambda value: np.asarray(value).tolist())
