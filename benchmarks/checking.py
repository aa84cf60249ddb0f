"""How fast `weatherml check` reads, how much memory it takes as the period grows, and how often it reads a byte.

    python benchmarks/checking.py FOLDER [--repeats 3] [--only small]

Stores of made weather are ingested first: `small`, 12 channels of 32 x 64 points for half a year, and `quarter`, 3
channels of 721 x 1440 for a day, each 1, 4 and 16 times as long; `field by field` is `small` as another program writes
it, a chunk for each time and level. They are in the cache of the disk when they are
read. Each work is a process of its own; they take turns, and the median is printed. Of each store: MB of its files, and
of its values (float32); MB/s at which its files are read by `preadv`, nothing decoded; then CPU seconds a GB of values

- `load`: values are read and decoded in the blocks of a check, and thrown away,
- `mean`: xarray and dask take one mean over all, the least that anyone can check,
- `check`: the check does all it does;

MB/s of values of the check, the peak of its memory, and bytes read over bytes stored. Results: checking.md
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import xarray as xr

from weatherml.data.store.ingest import ingest
from weatherml.grid import LatLonGrid
from weatherml.state import with_metadata

SIZES = {
    "small": (LatLonGrid.regular(32, 64, poles=False), (300, 500, 700, 850, 925), 750),
    "quarter": (LatLonGrid.regular(721, 1440), (850,), 4),
    "field by field": (LatLonGrid.regular(32, 64, poles=False), (300, 500, 700, 850, 925), 750),
}
FACTORS = (1, 4, 16)
COMMON = """
import os, resource, sys, time
import dask
import weatherml
import xarray as xr
path = sys.argv[1]
opened = weatherml.open_files if "field" in path else weatherml.open_store
"""
WORK = {
    "raw": """
buffer = bytearray(2**22)
def work():
    for folder, _, names in os.walk(path):
        for name in names:
            with open(os.path.join(folder, name), "rb", buffering=0) as file:
                at = 0
                while n := os.preadv(file.fileno(), [buffer], at):
                    at += n
""",
    "load": """
from weatherml.data.quality.gathering import blocks
def work():
    for field in opened(path).data_vars.values():
        for levels in blocks.level_groups(field.variable):
            for wave in iter_waves(list(blocks.blocks_of(field.variable, levels)), 8):
                dask.compute(*[dask.delayed(lambda b: b.lazy.values.shape)(b) for b in wave])
def iter_waves(all_of_them, n):
    return (all_of_them[start : start + n] for start in range(0, len(all_of_them), n))
""",
    "mean": """
def work():
    xr.open_zarr(path, consolidated=True).mean().compute()
""",
    "check": """
from weatherml.data.quality.check import check_dataset
def work():
    found = [f for f in check_dataset(opened(path)) if f.severity == "error"]
""",
}
MEASURE = """
def chars():
    return int(open("/proc/self/io").read().split()[1])
chars_before, cpu, start = chars(), time.process_time(), time.perf_counter()
work()
took, cpu, n_read = time.perf_counter() - start, time.process_time() - cpu, chars() - chars_before
print(took, cpu, n_read, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


class Weather:
    """Made weather that looks like some to a codec: waves that travel, and noise of a tenth of them."""

    name = "made weather"

    def __init__(self, grid, levels, n_times):
        self.grid, self.levels, self.n_times = grid, levels, n_times
        self.noise = np.random.default_rng(0).standard_normal(grid.shape).astype(np.float32)

    def digest(self):
        return f"{self.grid.shape} {self.levels} {self.n_times}"

    def times(self):
        return np.datetime64("2001-01-01", "ns") + np.arange(self.n_times) * np.timedelta64(6, "h")

    def variables(self):
        upper = ("temperature", "u_component_of_wind") if len(self.levels) == 1 else ("temperature", "geopotential")
        return (
            *upper,
            *(("2m_temperature",) if len(self.levels) == 1 else ("2m_temperature", "10m_u_component_of_wind")),
        )

    def read(self, times, variables):
        horizontal = {"latitude": np.asarray(self.grid.latitude), "longitude": np.asarray(self.grid.longitude)}
        coords = {"time": times, "level": np.asarray(self.levels, np.int32), **horizontal}
        fields = {name: self._field(name, times) for name in variables}
        return with_metadata(xr.Dataset(fields, coords))

    def _field(self, name, times):
        steps = (times - self.times()[0]) / np.timedelta64(6, "h")
        phase = 5 * np.radians(np.asarray(self.grid.longitude)) + 0.2 * steps[:, None]
        middle = np.cos(np.radians(np.asarray(self.grid.latitude)))[:, None].astype(np.float32)
        waves = middle * np.sin(phase).astype(np.float32)[:, None, :]
        rolled = np.stack([np.roll(self.noise, int(7 * step), axis=1) for step in steps])
        field = (waves + 0.1 * rolled) * (9.0 if "wind" in name else 6.0) + (
            0.0 if "wind" in name else 240 + 40 * middle
        )
        if name.startswith(("2m", "10m")):
            return ("time", "latitude", "longitude"), field.astype(np.float32)
        scales = np.array([1 - 0.1 * i for i in range(len(self.levels))], np.float32)[::-1, None, None]
        whole = field[:, None] * scales * (300.0 if name == "geopotential" else 1.0)
        return ("time", "level", "latitude", "longitude"), whole.astype(np.float32)


def make(folder, size, factor):
    """Return a store, made if it is not there."""
    grid, levels, n_times = SIZES[size]
    path = folder / f"{size.replace(' ', '_')}_{factor}.zarr"
    if "field" in size:
        return path if path.exists() else field_by_field(make(folder, "small", factor), path)
    if not (path / "manifest.json").exists():
        ingest(Weather(grid, levels, factor * n_times), path)
    return path


def field_by_field(store, path):
    """Write a store as xarray writes one of dask arrays whose chunks are single fields."""
    dataset = xr.open_zarr(store).drop_encoding().chunk(time=1, level=1)
    dataset.to_zarr(path, zarr_format=2, consolidated=True)
    return path


def run(work, path):
    """Return what one process took: seconds, CPU seconds, bytes read, peak bytes."""
    code = COMMON + WORK[work] + MEASURE
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=SIZES)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    print(
        "| store | stored, MB | values, MB | raw, MB/s | load, s/GB | mean, s/GB | check, s/GB |"
        " check, MB/s | peak, MB | read |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for size in [options.only] if options.only else SIZES:
        for factor in FACTORS:
            print(row(size, factor, make(options.folder, size, factor), options.repeats), flush=True)


def row(size, factor, path, repeats):
    """Return a line of the table."""
    grid, levels, n_times = SIZES[size]
    n_channels = 2 * len(levels) + (1 if len(levels) == 1 else 2)
    values = 4e-6 * n_channels * grid.n_lat * grid.n_lon * n_times * factor
    stored = sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 1e6
    turns = {work: [] for work in WORK}
    for _ in range(repeats):
        for work in WORK:
            turns[work].append(run(work, path))
    took = {work: [float(np.median(column)) for column in zip(*of, strict=True)] for work, of in turns.items()}
    seconds = " | ".join(f"{1000 * took[work][1] / values:.1f}" for work in ("load", "mean", "check"))
    took_check, _, n_read, peak = took["check"]
    ends = f"{values / took_check:.0f} | {peak / 1e6:.0f} | {n_read / 1e6 / stored:.2f}"
    return f"| {size}, {factor} | {stored:.0f} | {values:.0f} | {stored / took['raw'][0]:.0f} | {seconds} | {ends} |"


if __name__ == "__main__":
    main()
