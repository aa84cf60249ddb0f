"""Statistics and climatology of 0.25-degree fields in one pass of sums, against two passes time by time.

pip install weatherml
python benchmarks/statistics_pass.py > benchmarks/statistics_pass.md

A store of 8 channels (geopotential on 8 levels, in steps of 0.5) is written with the chunks and the codec of `ingest`:
one field a chunk, zstd of bits put together. Every side runs in a process of its own, one after the other, and reads it
whole. "Before" is what weatherml did until sums were one pass: least squares in blocks of 16 MiB, which is half a time,
then the moments of the anomalies in a second pass. Bytes read are those that the process asked the kernel for (rchar of
/proc/self/io), seconds wall clock. Memory is the peak of the process above what it held with the store open. Caches are
warm: a first pass that is not counted has read the store.
"""

import json
import multiprocessing
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import xarray as xr
from zarr.codecs import BloscCodec

from weatherml.data.blocks import read_block
from weatherml.data.statistics.accumulators.harmonics import Harmonics
from weatherml.data.statistics.accumulators.sums import Sums
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.data.statistics.climatology import Climatology
from weatherml.data.statistics.fitting import Fit, fit
from weatherml.grid import LatLonGrid
from weatherml.state import StateSpec, parse_channels, spec_of

GRID = LatLonGrid.named("0.25deg")
LEVELS = (50, 100, 200, 300, 500, 700, 850, 925)
PERIOD = ("2001", "2001")
HARMONICS = Harmonics(2, 1)
GB = 1e9


def write_store(path, n_times):
    """Write waves that travel on a mean, and noise, as geopotential has them; every time another."""
    rows, columns = np.radians(GRID.latitude)[:, None], np.radians(GRID.longitude)
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((len(LEVELS), *GRID.shape), np.float32)
    times = np.datetime64("2001-01-01", "ns") + np.arange(n_times) * np.timedelta64(6, "h")
    coords = {"level": np.array(LEVELS, np.int32), "latitude": list(GRID.latitude), "longitude": list(GRID.longitude)}
    dims = ("time", "level", "latitude", "longitude")
    codec = BloscCodec(typesize=4, cname="zstd", clevel=3, shuffle="bitshuffle")
    encoding = {"geopotential": {"chunks": (1, 1, *GRID.shape), "compressors": codec}}
    for start in range(0, n_times, 8):
        own = times[start : start + 8]
        values = np.empty((len(own), *noise.shape), np.float32)
        for number, field in enumerate(values, start):
            wave = 3e3 * np.cos(rows) ** 2 * np.cos(5 * columns - number / 6)
            field[:] = (
                5e5 / np.arange(1, len(LEVELS) + 1)[:, None, None] + wave + 50 * np.roll(noise, 7 * number, axis=2)
            )
        values = np.round(values / 0.5) * np.float32(0.5)
        block = xr.Dataset({"geopotential": (dims, values)}, {"time": own, **coords})
        if start:
            block.to_zarr(path, append_dim="time", consolidated=False)
        else:
            block.to_zarr(path, encoding=encoding, consolidated=False)


def before(dataset, folder):
    """Do what was done: a fit in blocks of 16 MiB, then moments of anomalies, each in a pass."""
    spec = spec_of(dataset)
    times = dataset["time"].values
    basis = HARMONICS.at(times)
    gram = basis.T @ basis
    gram[1:, 1:] += 1e-3 * len(basis) * np.eye(len(gram) - 1)
    right, origin = np.zeros((HARMONICS.n_terms, int(np.prod(spec.shape)))), None
    for number in range(len(times)):  # a time is more than a block
        flat = read_block(dataset, spec, slice(number, number + 1)).reshape(1, -1).astype(np.float64)
        origin = flat[0] if origin is None else origin
        right += basis[number][None].T @ (flat - origin)
    coefficients = np.linalg.inv(gram) @ right
    coefficients[0] += origin
    shaped = coefficients.reshape(-1, *spec.shape).astype(np.float32)
    climatology = Climatology(spec, shaped, HARMONICS.n_annual, HARMONICS.n_diurnal, PERIOD)
    del right, coefficients, shaped
    weights = np.ones(spec.shape) * spec.grid.area_weights()
    tail, sums = None, np.zeros((2, 3, spec.n_channels))
    for number in range(len(times)):
        block = slice(number, number + 1)
        anomaly = read_block(dataset, spec, block).astype(np.float64) - climatology.array_at(times[block])
        _add(sums[0], anomaly, weights)
        if tail is not None:
            _add(sums[1], anomaly - tail, weights)
        tail = anomaly
    climatology.save(folder / "climatology.nc")
    mean = sums[:, 1] / sums[:, 0]
    std, change = np.sqrt(sums[:, 2] / sums[:, 0] - mean**2)
    return std, change


def _add(sums, array, weights):
    sums[0] += weights.sum(axis=(1, 2))
    mean = np.einsum("tcyx,cyx->c", array, weights)
    sums[1] += mean
    sums[2] += np.einsum("tcyx,cyx->c", array**2, weights)


def after(dataset, folder, memory):
    """Do it in one pass."""
    fit(dataset, Fit(spec_of(dataset), PERIOD, HARMONICS, of_anomalies=True), folder, memory=memory)
    found = Statistics.load(folder / "statistics.nc")
    return found.std, found.difference_std


def warm(dataset, folder):
    """Read the store once, so that it lies in the page cache, and do nothing."""
    for number in range(dataset.sizes["time"]):
        dataset.isel(time=number).load()
    return np.zeros(1), np.zeros(1)


def _peak():
    return 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])


def _bytes_read():
    return int(Path("/proc/self/io").read_text().split("rchar: ")[1].split()[0])


def measure(path, side, told):
    """Run a side, and tell what it took."""
    dataset = xr.open_zarr(path, chunks=None, consolidated=False)
    with tempfile.TemporaryDirectory(dir=Path(path).parent) as folder:
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak, which a new process has from its parent
        held, read = _peak(), _bytes_read()
        start, cpu = time.perf_counter(), time.process_time()
        function, *more = side
        std, change = globals()[function](dataset, Path(folder), *more)
        took = {
            "seconds": time.perf_counter() - start,
            "cpu": time.process_time() - cpu,
            "read": _bytes_read() - read,
            "peak": _peak() - held,
            "std": [float(v) for v in std],
            "change": [float(v) for v in change],
        }
    told.send(json.dumps(took))


def run(path, *side):
    """Measure a side in a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=measure, args=(path, side, there))
    process.start()
    took = json.loads(here.recv())
    process.join()
    return took


def main(n_times):
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "store.zarr")
        write_store(path, n_times)
        stored = sum(file.stat().st_size for file in Path(path).rglob("*") if file.is_file())
        sides = {
            "before: two passes, time by time": ("before",),
            "one pass, 4 GiB": ("after", 4 * 2**30),
            "one pass, 1 GiB": ("after", 2**30),
        }
        run(path, "warm")
        took = {name: run(path, *side) for name, side in sides.items()}
    values = 4 * n_times * len(LEVELS) * int(np.prod(GRID.shape))
    report(took, n_times, values, stored)


def report(took, n_times, values, stored):
    """Print what was measured, and what follows for 50 GB."""
    first = next(iter(took.values()))
    print("# What statistics and climatology take\n")
    print(f"```\n{__doc__.strip()}\n```\n")
    print(
        f"Python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cores, shared with other work."
        f" {n_times} times of {len(LEVELS)} channels at {GRID.shape[0]} x {GRID.shape[1]}: {values / GB:.2f} GB of"
        f" float32, {stored / GB:.2f} GB stored; 15 terms.\n"
    )
    print("| | seconds | CPU seconds | s a time | ratio of CPU | read / stored | peak MiB | 50 GB of float32 |")
    print("|---|---|---|---|---|---|---|---|")
    for name, own in took.items():
        hours = own["seconds"] * 50 * GB / values / 60
        print(
            f"| {name} | {own['seconds']:.1f} | {own['cpu']:.1f} | {own['seconds'] / n_times:.3f}"
            f" | {first['cpu'] / own['cpu']:.1f} | {own['read'] / stored:.2f} | {own['peak'] / 2**20:.0f}"
            f" | {hours:.0f} min |"
        )
    print(
        "\nThe last column is the seconds times 50 GB over the values here: every value is read as often, and memory"
        " does not depend on the number of times"
        " (`tests/data/statistics/test_memory_of_a_pass.py`). The standard deviations of anomalies of both differ by"
        f" {_apart(took, 'std'):.0e}, those of their changes by {_apart(took, 'change'):.0e} (largest, relative):"
        " before, the climatology was taken away in float32."
    )


def _apart(took, name):
    first, second, *_ = (np.array(own[name]) for own in took.values())
    return np.abs(second / first - 1).max()


def kernel():
    """Print what is done with values that are in memory, in CPU seconds of one thread."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    n_times, n_channels = 32, 2
    spec = StateSpec(parse_channels(["z500", "z850"]), GRID)
    array = np.random.default_rng(0).standard_normal((n_times, *spec.shape), np.float32)
    times = np.datetime64("2001-01-01", "ns") + np.arange(n_times) * np.timedelta64(6, "h")
    took = []
    for _ in range(3):
        sums = Sums(spec, HARMONICS, (np.timedelta64(6, "h").astype("timedelta64[ns]"),), array[0])
        sums.right += 0  # pages are there
        start = time.process_time()
        sums.add(times, array)
        took.append(time.process_time() - start)
    basis, right, by_time = HARMONICS.at(times), np.zeros((HARMONICS.n_terms, array[0].size)), []
    for number in range(4):
        flat = array[number].reshape(1, -1).astype(np.float64)
        start = time.process_time()
        right += basis[number][None].T @ flat
        by_time.append(time.process_time() - start)
    after, before = min(took) / n_times * 8 / n_channels, min(by_time) * 8 / n_channels
    print("\n## Of values in memory\n")
    print("`OPENBLAS_NUM_THREADS=1 python benchmarks/statistics_pass.py kernel`, for 8 channels at 0.25 degrees.\n")
    print("| | CPU seconds a time |\n|---|---|")
    print(f"| products with 15 terms, time by time, as before | {before:.3f} |")
    print(f"| one pass in blocks of 32: products, squares, changes, extremes, quantiles | {after:.3f} |")


if __name__ == "__main__":
    if sys.argv[1:] == ["kernel"]:
        kernel()
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 64)
