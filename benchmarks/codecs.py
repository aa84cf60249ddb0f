"""Codecs and shapes of chunks, on real reanalyses: bytes, and MB a CPU second written and read.

    python benchmarks/codecs.py FOLDER_OF_REANALYSES [--repeats 3]

The folder holds ERA5 at 0.25 degrees (2 m temperature, pressure at sea level, vorticity at 850 hPa), a winter of the
latter two at 2.5 degrees, and ERA-Interim on 37 levels at 1.5 degrees. Of what has one time, eight are made by turning
the Earth below it, 15 degrees a time. CPU seconds are those of zarr, in memory, so that neither the disk nor other
programs count; the best of the repeats. Results: codecs.md
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zarr
from zarr.codecs import BloscCodec, ZstdCodec
from zarr.storage import MemoryStore

from weatherml.data.reading.opening import open_files

TURNS = 8
SAMPLE = 2
"""Consecutive times that a training sample reads: the state and what follows."""
N_SAMPLES = 16
FILES = {
    "0.25 degrees": (
        "era5_t2m_0p25deg_20221001.grib",
        "era5_msl_0p25deg_20251201.nc",
        "era5_vo850_0p25deg_20251201.nc",
    ),
    "37 levels": tuple(f"erainterim_{name}_37levels_1p5deg_20050123_old_cds_layout.nc" for name in "tuv"),
    "2.5 degrees": ("era5_msl_2025-2026_djf_2.5x2.5.zarr", "era5_vo850_2025-2026_djf_2.5x2.5.zarr"),
}
CODECS: dict[str, Any] = {
    "none": None,
    "zstd 3": ZstdCodec(level=3),
    **{
        f"blosc {name} {level}, {shuffle}": BloscCodec(typesize=4, cname=name, clevel=level, shuffle=shuffle)
        for name, level in (("lz4", 5), ("zstd", 1), ("zstd", 3), ("zstd", 5))
        for shuffle in ("shuffle", "bitshuffle")
    },
}


class Shape(NamedTuple):
    """Sizes of chunks and shards along time, and whether levels share a chunk."""

    chunk: int
    shard: int
    has_all_levels: bool = False


class Figures(NamedTuple):
    """Bytes stored over bytes of float32, and MB of float32 a CPU second."""

    size: float
    write: float
    whole_pass: float
    sample: float


def load(folder: Path, names: tuple[str, ...]) -> list[np.ndarray]:
    """Return fields `[time, level, lat, lon]`, float32."""
    fields = []
    for name in names:
        dataset = open_files(folder / name)
        for field in dataset.data_vars.values():
            values = field.values.reshape(field.sizes.get("time", 1), -1, *field.shape[-2:])
            columns = values.shape[-1]
            turned = [np.roll(values, turn * columns // 24, -1) for turn in range(TURNS if len(values) == 1 else 1)]
            fields.append(np.concatenate(turned))
    return fields


def cpu_seconds(action: Callable[[], object], repeats: int) -> float:
    """Return the least CPU time that an action took."""
    found = []
    for _ in range(repeats):
        start = time.process_time()
        action()
        found.append(time.process_time() - start)
    return min(found)


def measure(fields: list[np.ndarray], codec: Any, shape: Shape, repeats: int) -> Figures:
    """Write fields and read them."""
    n_bytes = sum(field.nbytes for field in fields)
    arrays, stores = [], []

    def write() -> None:
        arrays[:], stores[:] = [], [{} for _ in fields]
        for store, field in zip(stores, fields, strict=True):
            arrays.append(create(store, field, codec, shape))
            arrays[-1][:] = field

    written = cpu_seconds(write, repeats)
    stored = sum(len(value) for store in stores for value in store.values())
    read = cpu_seconds(lambda: [array[:] for array in arrays], repeats)
    starts = np.random.default_rng(0).integers(0, len(fields[0]) - SAMPLE + 1, N_SAMPLES)
    sampled = cpu_seconds(lambda: [array[s : s + SAMPLE] for s in starts for array in arrays], repeats)
    n_sampled = N_SAMPLES * SAMPLE * n_bytes / len(fields[0])
    return Figures(stored / n_bytes, n_bytes / written / 1e6, n_bytes / read / 1e6, n_sampled / sampled / 1e6)


def create(store: dict[str, Any], field: np.ndarray, codec: Any, shape: Shape) -> Any:
    """Return an empty array for a field."""
    n_levels = field.shape[1]
    return zarr.create_array(
        MemoryStore(store),
        shape=field.shape,
        dtype="f4",
        chunks=(shape.chunk, n_levels if shape.has_all_levels else 1, *field.shape[-2:]),
        shards=(shape.shard, *field.shape[1:]),
        compressors=codec,
        fill_value=np.nan,
    )


def information(values: np.ndarray) -> np.ndarray:
    """Return the real information of the 23 bits of the mantissa `[bit]`, in bits a value (Klöwer et al. 2021).

    It is the mutual information of a bit and the same bit of the next point along a row; what chance would give
    with a confidence of 99 % counts as none.
    """
    bits = values.view(np.uint32)
    west, east = bits[..., :-1].ravel(), bits[..., 1:].ravel()
    free = 1 - entropy(np.array([0.5 + 2.576 / 2 / np.sqrt(west.size)]))[0]
    found = []
    for place in range(22, -1, -1):
        one, two = (west >> place) & 1, (east >> place) & 1
        joint = np.bincount(2 * one + two, minlength=4).reshape(2, 2) / one.size
        expected = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
        inside = joint > 0
        found.append(float((joint[inside] * np.log2(joint[inside] / expected[inside])).sum()))
    return np.where(np.array(found) > free, found, 0)


def entropy(p: np.ndarray) -> np.ndarray:
    """Return the entropy of a bit that is 1 with probability p."""
    return np.asarray(-p * np.log2(p) - (1 - p) * np.log2(1 - p))


def bits_to_keep(values: np.ndarray, share: float) -> int:
    """Return how many bits of the mantissa hold a share of its information."""
    summed = np.cumsum(information(values))
    return int(np.searchsorted(summed, share * summed[-1])) + 1


def round_bits(values: np.ndarray, n_bits: int) -> np.ndarray:
    """Round to a number of bits of the mantissa, half to even."""
    dropped = 23 - n_bits
    if dropped <= 0:
        return values
    bits = values.view(np.uint32)
    half = ((bits >> dropped) & 1) + np.uint32((1 << (dropped - 1)) - 1)
    return ((bits + half) & ~np.uint32((1 << dropped) - 1)).view(np.float32)


def row(*cells: object) -> None:
    """Print a row of a table, numbers in three digits."""
    texts = [
        str(cell) if not isinstance(cell, float) else f"{cell:.3g}" if cell < 100 else f"{cell:.0f}" for cell in cells
    ]
    print("|", " | ".join(texts), "|", flush=True)


def head(*names: str) -> None:
    """Print the head of a table."""
    print()
    row(*names)
    row(*("---" for _ in names))


def shapes() -> Iterator[tuple[str, Shape]]:
    """Yield shapes of chunks that are compared, with the data on which they are."""
    yield from (("2.5 degrees", Shape(chunk, 256)) for chunk in (1, 4, 16, 64, 256))
    yield from (("2.5 degrees", Shape(4, shard)) for shard in (4, 32))
    yield from (("0.25 degrees", Shape(chunk, 8)) for chunk in (1, 2, 4, 8))
    yield from (("0.25 degrees", Shape(1, shard)) for shard in (1, 2, 4))
    yield from (("37 levels", Shape(1, 8, is_whole)) for is_whole in (False, True))
    yield ("37 levels", Shape(8, 8, True))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    zarr.config.set({"async.concurrency": 1, "threading.max_workers": 1})
    data = {name: load(chosen.folder, files) for name, files in FILES.items()}
    usual = {"0.25 degrees": Shape(1, 8), "37 levels": Shape(1, 8, True), "2.5 degrees": Shape(4, 256)}
    head("data", "codec", "bytes / float32", "write", "whole pass", "sample")
    for name, fields in data.items():
        for codec, compressor in CODECS.items():
            row(name, codec, *measure(fields, compressor, usual[name], chosen.repeats))
    head("data", "chunk x shard", "codec", "bytes / float32", "write", "whole pass", "sample")
    for name, shape in shapes():
        for codec in ("blosc lz4 5, bitshuffle", "blosc zstd 3, shuffle", "blosc zstd 3, bitshuffle"):
            words = f"{shape.chunk} x {shape.shard}" + ", all levels" * shape.has_all_levels
            row(name, words, codec, *measure(data[name], CODECS[codec], shape, chosen.repeats))
    tell_rounding(data, usual, chosen.repeats)


def tell_rounding(data: dict[str, list[np.ndarray]], usual: dict[str, Shape], repeats: int) -> None:
    """Print what rounding to the bits that hold most of the information does."""
    head("data", "information", "bits kept", "largest error / standard deviation", "codec", "bytes / float32")
    for name, fields in data.items():
        for share in (0.99, 0.999):
            kept = [bits_to_keep(field[:1], share) for field in fields]
            rounded = [round_bits(field, n) for field, n in zip(fields, kept, strict=True)]
            error = max(float(np.abs(a - b).max() / b.std()) for a, b in zip(rounded, fields, strict=True))
            for codec in ("blosc lz4 5, bitshuffle", "blosc zstd 3, shuffle", "blosc zstd 3, bitshuffle"):
                size = measure(rounded, CODECS[codec], usual[name], repeats).size
                row(name, f"{share:.1%}", ", ".join(map(str, kept)), error, codec, size)


if __name__ == "__main__":
    main()
