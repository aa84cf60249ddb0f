"""What an archive costs: chunks of ARCO-ERA5's size over HTTP on this machine, by weatherml and by plain xarray.

A chunk holds one time of 37 levels at 0.25 degrees (154 MB, about 85 MB packed); 13 levels are kept.

python benchmarks/archive.py /tmp/arco > benchmarks/archive.md       # the folder takes 2 GB, and is left there
"""

import resource
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import xarray as xr
import zarr

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "data" / "sources"))

from http_store import serving

from weatherml.data.sources import ArchiveConfig
from weatherml.data.store.ingest import ingest
from weatherml.variables import LEVEL_SETS

KEPT, N_TIMES = LEVEL_SETS["pangu"], 24


def main():
    folder = Path(sys.argv[1])
    if len(sys.argv) > 2:
        return read(folder, *sys.argv[2:])
    make(folder / "arco.zarr")
    print("| reader | times | chunks | fetched | s | MB/s decoded | peak GiB |\n|---|---|---|---|---|---|---|")
    for how, n_times in [("weatherml read", 4), ("weatherml read", 24), ("weatherml ingest", 24), ("xarray", 4)]:
        sys.stdout.flush()
        subprocess.run([sys.executable, __file__, folder, how, str(n_times)], check=True)


def make(path):
    """Write one chunk, and copies of it for the other times."""
    warnings.simplefilter("ignore")
    if path.exists():
        return
    group = zarr.open_group(path, mode="w", zarr_format=2)
    coords = {
        "time": np.arange(N_TIMES),
        "level": np.array(LEVEL_SETS["era5"]),
        "latitude": np.linspace(90, -90, 721, dtype="f4"),
        "longitude": np.arange(1440, dtype="f4") / 4,
    }
    for name, values in coords.items():
        array = group.create_array(name, shape=values.shape, chunks=values.shape, dtype=values.dtype, fill_value=None)
        array[:] = values
        array.attrs["_ARRAY_DIMENSIONS"] = [name]
    group["time"].attrs["units"] = "hours since 2000-01-01"
    shape = tuple(map(len, coords.values()))
    field = group.create_array("temperature", shape=shape, chunks=(1, *shape[1:]), dtype="f4", fill_value=np.nan)
    field.attrs.update({"_ARRAY_DIMENSIONS": list(coords), "units": "K"})
    noise = np.random.default_rng(0).normal(size=shape[2:]).round(1)
    field[0] = np.broadcast_to((250 + noise).astype("f4"), shape[1:])
    for index in range(1, N_TIMES):
        shutil.copy(path / "temperature" / "0.0.0.0", path / "temperature" / f"{index}.0.0.0")
    zarr.consolidate_metadata(path)


def read(folder, how, n_times):
    with serving(folder) as server:
        config = ArchiveConfig(url=f"{server.url}/arco.zarr", levels=KEPT)
        source = config.model_copy(update={"periods": (("2000-01-01", f"2000-01-01T{int(n_times) - 1:02}"),)}).source(
            folder
        )
        source.times()
        start = time.perf_counter()
        {"weatherml read": by_pairs, "weatherml ingest": by_ingest, "xarray": by_xarray}[how](source, server, folder)
        seconds = time.perf_counter() - start
        counts = server.chunks("arco.zarr/temperature")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    rate = len(counts) * 4 * 37 * 721 * 1440 / 1e6 / seconds
    print(f"| {how} | {n_times} | {len(counts)} | {sum(counts.values())} | {seconds:.0f} | {rate:.0f} | {peak:.2f} |")


def by_pairs(source, server, folder):
    times = source.times()
    for first in range(0, len(times), 2):
        source.read(times[first : first + 2], ["temperature"])


def by_ingest(source, server, folder):
    shutil.rmtree(folder / "store.zarr", ignore_errors=True)
    ingest(source, folder / "store.zarr")


def by_xarray(source, server, folder):
    """Write what the levels asked for are, a level a time, as a loop over channels does."""
    opened = xr.open_zarr(f"{server.url}/arco.zarr", chunks=None)
    for when in source.times():
        for level in KEPT:
            opened["temperature"].sel(time=when, level=level).load()


if __name__ == "__main__":
    main()
