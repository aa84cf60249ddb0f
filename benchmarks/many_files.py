"""What it takes to open many small files: by the index for the first and the second time, and by other ways.

    python benchmarks/many_files.py [--repeats N] [--kind NetCDF|GRIB] [--ways first second] [N_FILES ...]
    python benchmarks/many_files.py --look N_FILES      # looking at each alone, told by two, in two processes

Files of four six-hourly times, two variables on three levels, 19 x 36 points, in NetCDF and in GRIB; made here, so they
are in the memory of the system. Every opening is a process of its own; its seconds begin after the imports and end when
times, variables and, of a source, the digest are known. The least of the repeats (2) counts. Memory is the peak of
the process. The ratio is of CPU seconds, which others on the machine disturb least.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

WAYS = ("first", "second", "open_files", "open_files again", "mfdataset", "mfdataset parallel")
LEVELS = (300, 500, 850)
N_LAT, N_LON, N_TIMES = 19, 36, 4


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("counts", nargs="*", type=int, default=[480, 2000])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--kind", choices=WRITERS)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    asked = parser.parse_args()
    print("| files | way | seconds | CPU seconds | to the second opening | MiB |\n|---|---|---|---|---|---|")
    for kind in [asked.kind] if asked.kind else WRITERS:
        for n_files in asked.counts:
            with tempfile.TemporaryDirectory(dir=".") as name:
                for number in range(n_files):
                    WRITERS[kind](fields(number), Path(name) / f"{number:05d}")
                report(f"{n_files} {kind}", Path(name), asked.ways, asked.repeats)


def report(what: str, folder: Path, ways: Sequence[str], repeats: int) -> None:
    found: dict[str, list[tuple[float, float, float]]] = {way: [] for way in ways}
    for _ in range(repeats):
        (folder / "files_index.json").unlink(missing_ok=True)
        shutil.rmtree(folder / "cache", ignore_errors=True)
        for way, runs in found.items():
            command = [sys.executable, __file__, "--open", way, what.split()[1], str(folder)]
            # What a run has learnt is not what the user's own cache tells to open_files.
            own = {**os.environ, "WEATHERML_CACHE": str(folder / "cache" / way.split()[0])}
            done = subprocess.run(command, check=True, capture_output=True, env=own)
            runs.append(json.loads(done.stdout.splitlines()[-1]))
    least = {way: [min(column) for column in zip(*runs, strict=True)] for way, runs in found.items()}
    for way, (seconds, cpu_seconds, memory) in least.items():
        ratio = cpu_seconds / least["second"][1]
        print(f"| {what} | {way} | {seconds:.2f} | {cpu_seconds:.2f} | {ratio:.0f} | {memory:.0f} |", flush=True)


def open_one_way(way: str, kind: str, folder: Path) -> tuple[float, float, float]:
    from weatherml.data.reading.opening import open_files
    from weatherml.data.sources.files import FilesConfig

    paths = sorted(path for path in folder.iterdir() if path.suffix in (".nc", ".grib"))
    options = {"NetCDF": {"engine": "netcdf4"}, "GRIB": {"engine": "cfgrib", "backend_kwargs": {"indexpath": ""}}}
    xr.open_dataset(paths[0], **options[kind]).close()  # what a first opening imports
    open_files(paths[0])
    begun, cpu_begun = time.perf_counter(), cpu_time()
    if way in ("first", "second"):
        source = FilesConfig(paths=tuple(map(str, paths))).source(folder)
        n_times = len(source.times()) if source.variables() and source.digest() else 0
    elif way.startswith("open_files"):
        n_times = open_files(paths).sizes["time"]
    else:
        opened = xr.open_mfdataset(paths, combine="by_coords", parallel=way.endswith("parallel"), **options[kind])
        n_times = opened.sizes["time"]
    seconds, cpu_seconds = time.perf_counter() - begun, cpu_time() - cpu_begun
    assert n_times == N_TIMES * len(paths)
    return seconds, cpu_seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cpu_time() -> float:
    """Return the CPU seconds of this process and of those that it has started."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def look(n_files: int) -> None:
    """Print how long it takes to look at files in several ways."""
    from weatherml.data.reading.file_index import FileEntry, FileToRead, scan
    from weatherml.data.reading.file_index.scanner import Scanner

    print("| files | way | CPU seconds | to one by one |\n|---|---|---|---|")
    for kind, write in WRITERS.items():
        with tempfile.TemporaryDirectory(dir=".") as name:
            for number in range(n_files):
                write(fields(number), Path(name) / f"{number:05d}")
            files = [FileToRead(path, {}) for path in sorted(Path(name).iterdir())]
            FileEntry.scan(files[0])
            ways = {
                "each opened": lambda files=files: [FileEntry.scan(file) for file in files],
                "told by two": lambda files=files: [*map(Scanner().scan, files)],
                "told by two, in two processes": lambda files=files: scan.scan_files(files),
            }
            scan._n_cores, scan._SECONDS_TO_BEGIN = (lambda: 2), 1e-3
            seconds = {way: min(timed(action) for _ in range(2)) for way, action in ways.items()}
            for way, own in seconds.items():
                print(f"| {n_files} {kind} | {way} | {own:.2f} | {own / seconds['each opened']:.2f} |", flush=True)


def timed(action: Callable[[], object]) -> float:
    begun = cpu_time()
    action()
    return cpu_time() - begun


def fields(number: int) -> xr.Dataset:
    noise = np.random.default_rng(number)
    coords = {
        "time": np.datetime64("2000-01-01", "ns") + np.arange(N_TIMES * number, N_TIMES * (number + 1)) * HOURS_6,
        "level": ("level", np.array(LEVELS, np.int32), {"units": "hPa"}),
        "latitude": np.linspace(90, -90, N_LAT),
        "longitude": np.arange(N_LON) * 360 / N_LON,
    }
    shape = (N_TIMES, len(LEVELS), N_LAT, N_LON)
    values = {"t": (250.0, "K"), "z": (5e4, "m**2 s**-2")}
    return xr.Dataset(
        {
            name: (tuple(coords), noise.normal(mean, mean / 100, shape).astype(np.float32), {"units": units})
            for name, (mean, units) in values.items()
        },
        coords,
    )


HOURS_6 = np.timedelta64(6, "h")


def write_netcdf(dataset: xr.Dataset, path: Path) -> None:
    dataset.to_netcdf(path.with_suffix(".nc"), encoding={"time": {"units": "hours since 1900-01-01"}})


def write_grib(dataset: xr.Dataset, path: Path) -> None:
    import eccodes

    with path.with_suffix(".grib").open("wb") as file:
        handle = eccodes.codes_grib_new_from_samples("regular_ll_pl_grib1")
        grid = {
            "Ni": N_LON,
            "Nj": N_LAT,
            "latitudeOfFirstGridPointInDegrees": 90,
            "latitudeOfLastGridPointInDegrees": -90,
            "longitudeOfFirstGridPointInDegrees": 0,
            "longitudeOfLastGridPointInDegrees": 360 - 360 / N_LON,
            "iDirectionIncrementInDegrees": 360 / N_LON,
            "jDirectionIncrementInDegrees": 180 / (N_LAT - 1),
        }
        for key, value in grid.items():
            eccodes.codes_set(handle, key, value)
        for name, field in dataset.data_vars.items():
            for moment in field["time"].values:
                day, clock = str(moment.astype("datetime64[m]")).split("T")
                for level in LEVELS:
                    eccodes.codes_set(handle, "shortName", str(name))
                    eccodes.codes_set(handle, "level", level)
                    eccodes.codes_set(handle, "dataDate", int(day.replace("-", "")))
                    eccodes.codes_set(handle, "dataTime", int(clock.replace(":", "")))
                    eccodes.codes_set_values(handle, field.sel(time=moment, level=level).values.ravel().astype(float))
                    eccodes.codes_write(handle, file)
        eccodes.codes_release(handle)


WRITERS = {"NetCDF": write_netcdf, "GRIB": write_grib}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--open"]:
        print(json.dumps(open_one_way(*sys.argv[2:4], Path(sys.argv[4]))))
    elif sys.argv[1:2] == ["--look"]:
        look(int(sys.argv[2]))
    else:
        main()
