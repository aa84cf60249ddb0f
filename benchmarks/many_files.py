"""What it takes to open many small files: by the index for the first and the second time, and by other ways.

    python benchmarks/many_files.py [N_FILES ...]

Files of four six-hourly times, two variables on three levels, 19 x 36 points, in NetCDF and in GRIB; made here, so they
are in the memory of the system. Every opening is a process of its own; its seconds begin after the imports and end when
times, variables and, of a source, the digest are known. The least of two runs counts. Memory is the peak of
the process.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import xarray as xr

WAYS = ("first", "second", "open_files", "mfdataset", "mfdataset parallel")
LEVELS = (300, 500, 850)
N_LAT, N_LON, N_TIMES = 19, 36, 4


def main() -> None:
    counts = [int(n) for n in sys.argv[1:]] or [480, 2000]
    print("| files | way | seconds | to the second opening | MiB |\n|---|---|---|---|---|")
    for kind, write in {"NetCDF": write_netcdf, "GRIB": write_grib}.items():
        for n_files in counts:
            with tempfile.TemporaryDirectory(dir=".") as name:
                for number in range(n_files):
                    write(fields(number), Path(name) / f"{number:05d}")
                report(kind, n_files, Path(name))


def report(kind: str, n_files: int, folder: Path) -> None:
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for _ in range(2):
        (folder / "files_index.json").unlink(missing_ok=True)
        for way, runs in found.items():
            command = [sys.executable, __file__, "--open", way, kind, str(folder)]
            runs.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout.splitlines()[-1]))
    least = {way: min(seconds for seconds, _ in runs) for way, runs in found.items()}
    for way, runs in found.items():
        ratio, memory = least[way] / least["second"], max(mebibytes for _, mebibytes in runs)
        print(f"| {n_files} {kind} | {way} | {least[way]:.2f} | {ratio:.0f} | {memory:.0f} |", flush=True)


def open_one_way(way: str, kind: str, folder: Path) -> tuple[float, float]:
    from weatherml.data.reading.opening import open_files
    from weatherml.data.sources.files import FilesConfig

    paths = sorted(path for path in folder.iterdir() if path.suffix != ".json")
    options = {"NetCDF": {"engine": "netcdf4"}, "GRIB": {"engine": "cfgrib", "backend_kwargs": {"indexpath": ""}}}
    xr.open_dataset(paths[0], **options[kind]).close()  # what a first opening imports
    open_files(paths[0])
    begun = time.perf_counter()
    if way in ("first", "second"):
        source = FilesConfig(paths=tuple(map(str, paths))).source(folder)
        n_times = len(source.times()) if source.variables() and source.digest() else 0
    elif way == "open_files":
        n_times = open_files(paths).sizes["time"]
    else:
        opened = xr.open_mfdataset(paths, combine="by_coords", parallel=way.endswith("parallel"), **options[kind])
        n_times = opened.sizes["time"]
    seconds = time.perf_counter() - begun
    assert n_times == N_TIMES * len(paths)
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


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


if __name__ == "__main__":
    if sys.argv[1:2] == ["--open"]:
        print(json.dumps(open_one_way(*sys.argv[2:4], Path(sys.argv[4]))))
    else:
        main()
