"""How one variable of a store lies in files: chunks for readers, shards (files) for writers."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import google_crc32c
import numpy as np
import xarray as xr
import zarr
from numcodecs import Blosc
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.storage import MemoryStore

from weatherml.storage.places import Place

# At least 8 times a shard, so that decades of quarter-degree fields make thousands of files, not tens of thousands.
_SHARD_BYTES = 32 * 2**20
_MIN_SHARD_LENGTH = 8
# A training sample reads a few times of all levels: small fields share a chunk, levels of large fields have one each.
_CHUNK_BYTES = 2**18
_MAX_CHUNK_BYTES = 2**22

# Of what 16 bits were kept, whole planes of bits are zero: as small as shuffled bytes, and written in 3/5 of the time
# (benchmarks/codecs.md). Chunks tell their own codec, so stores that began with another one grow all the same.
_BLOSC = BloscCodec(typesize=4, cname="zstd", clevel=3, shuffle="bitshuffle")
# One folder holds all files of a variable: a tree of folders for each would cost four times the inodes.
_KEYS: Mapping[str, Any] = {"chunk_key_encoding": {"name": "default", "separator": "."}}

CHECKSUM = 4
"""Bytes of the CRC-32C that follows a chunk."""

_COMPRESSOR = Blosc("zstd", 3, Blosc.BITSHUFFLE)
"""The same codec, without zarr around it, which takes as long as a small chunk."""


@dataclass(frozen=True)
class Layout:
    """One variable of a store.

    Attributes:
        name: Canonical variable name.
        dims: `time` first, unless the field is static.
        shape: Sizes of the whole array.
        chunk: Sizes of what is read and decompressed at once.
        shard: Sizes of what one file holds; a static field is one file.
        is_checked: Whether each chunk ends in its CRC-32C: blosc decodes most damage to other values without a word.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    shard: tuple[int, ...]
    is_checked: bool = True

    @classmethod
    def of(cls, field: xr.DataArray, n_times: int, shard_length: int, is_checked: bool = True) -> Self:
        """Lay out a variable of which `field` is the first time, or all where it is static."""
        name, dims = str(field.name), tuple(map(str, field.dims))
        if "time" not in dims:
            return cls(name, dims, field.shape, field.shape, field.shape, is_checked)
        others = field.shape[1:]
        if 4 * math.prod(others) > _MAX_CHUNK_BYTES:
            others = (*(1 for _ in others[:-2]), *others[-2:])
        chunk_length = _largest_divisor(shard_length, max(1, _CHUNK_BYTES // (4 * math.prod(others))))
        return cls(
            name,
            dims,
            (n_times, *field.shape[1:]),
            (chunk_length, *others),
            (shard_length, *field.shape[1:]),
            is_checked,
        )

    @property
    def is_static(self) -> bool:
        """Whether the variable has no time."""
        return "time" not in self.dims

    @property
    def n_files(self) -> int:
        """Number of shards."""
        return 1 if self.is_static else math.ceil(self.shape[0] / self.shard[0])

    def file(self, index: int) -> str:
        """Return the path of a shard below the store."""
        return file_of(self.name, index, len(self.dims))

    def times(self, index: int) -> slice:
        """Return the positions of the times in a shard."""
        return slice(index * self.shard[0], min((index + 1) * self.shard[0], self.shape[0]))

    @property
    def encoding(self) -> dict[str, Any]:
        """Settings with which xarray declares the array."""
        shards = {} if self.is_static else {"shards": self.shard}
        compressors = [_BLOSC, Crc32cCodec()] if self.is_checked else [_BLOSC]
        return {"chunks": self.chunk, "_FillValue": np.float32("nan"), "compressors": compressors, **shards, **_KEYS}

    def compress(self, values: np.ndarray) -> bytes:
        """Return the content of one chunk, float32 `[*chunk]`."""
        content = bytes(_COMPRESSOR.encode(np.ascontiguousarray(values, np.float32)))
        return content + google_crc32c.value(content).to_bytes(CHECKSUM, "little") if self.is_checked else content

    def encode_index(self, index: np.ndarray) -> bytes:
        """Return what follows the chunks of a shard: their offsets and sizes, uint64 `[..., 2]`, with a checksum."""
        memory: dict[str, Any] = {}
        array = zarr.create_array(
            MemoryStore(memory), shape=index.shape, chunks=index.shape, dtype="<u8", compressors=Crc32cCodec()
        )
        array[...] = index
        return bytes(next(value.to_bytes() for key, value in memory.items() if key.startswith("c/")))


def has_checksums(place: Place, name: str) -> bool:
    """Return whether chunks of a variable have checksums: as its array says in a store that is there, or is begun.

    Stores that were made before chunks had checksums go on without, and what is added to them as new arrays has them.
    """
    for metadata in (place.read(f"{name}/zarr.json"), place.read("zarr.json")):
        try:
            told = json.loads(metadata or b"")
            array = told if told["node_type"] == "array" else told["consolidated_metadata"]["metadata"][name]
            codecs = array["codecs"]
            inner = codecs[0]["configuration"]["codecs"] if codecs[0]["name"] == "sharding_indexed" else codecs
            return any(codec["name"] == "crc32c" for codec in inner)
        except (ValueError, KeyError, TypeError, IndexError):  # not there yet, or damaged
            continue
    return True


def choose_shard_length(fields: xr.Dataset, n_times: int) -> int:
    """Return how many times a file should hold, a power of two, for variables of which `fields` is one time."""
    largest = max(4 * field.size for field in fields.data_vars.values())
    by_size = max(_MIN_SHARD_LENGTH, _SHARD_BYTES // largest)
    return int(min(2 ** math.floor(math.log2(by_size)), 2 ** math.ceil(math.log2(n_times))))


def file_of(name: str, index: int, n_dims: int) -> str:
    """Return the path below a store of a shard of a variable."""
    return f"{name}/{'.'.join(['c', str(index), *['0'] * (n_dims - 1)])}"


def _largest_divisor(number: int, limit: int) -> int:
    return max(d for d in range(1, min(number, limit) + 1) if number % d == 0)
