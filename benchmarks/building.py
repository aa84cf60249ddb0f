"""Build a store of the same files by weatherml, by xarray's `to_zarr`, and, where it is installed, by anemoi-datasets.

    python benchmarks/building.py FOLDER --days 1 2 4 [--anemoi PYTHON]

Files as the data store delivers them are made first: a day each, 13 levels of 5 variables and 4 fields of the surface,
at 0.25 degrees unless `--rows` says otherwise, smooth weather with noise. Each system is a process of its own. Printed:
seconds, peak memory of one process, bytes read (programs and libraries among them) over bytes stored. `--days` names
several lengths, so that memory is seen to grow or not. Results: building.md
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import numpy as np
import xarray as xr

LEVELS = [50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000]
UPPER = {
    "z": ("geopotential", "m**2 s**-2", 5e4),
    "t": ("temperature", "K", 260),
    "u": ("u_component_of_wind", "m s**-1", 5),
}
UPPER |= {"v": ("v_component_of_wind", "m s**-1", 0), "q": ("specific_humidity", "kg kg**-1", 0.01)}
SURFACE = {"t2m": ("2 metre temperature", "K", 280), "msl": ("Mean sea level pressure", "Pa", 1e5)}
SURFACE |= {"u10": ("10 metre U wind component", "m s**-1", 2), "v10": ("10 metre V wind component", "m s**-1", 1)}
SHORT_NAMES = {"t2m": "2t", "u10": "10u", "v10": "10v"}

WEATHERML = """
import sys
from pathlib import Path
from weatherml.data.sources.files import FilesConfig
from weatherml.data.store.engine import HERE, Dask
from weatherml.data.store.ingest import IngestOptions, ingest
if __name__ == "__main__":
    pattern, target, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    engine = HERE if workers == 1 else Dask(workers)
    source = FilesConfig(paths=(pattern,)).source(Path(target).parent)
    ingest(source, target, options=IngestOptions(engine=engine))
"""
TO_ZARR = """
import glob, sys, xarray as xr
paths = sorted(glob.glob(sys.argv[1]))
if paths[0].endswith("grib"):
    how = {"engine": "cfgrib", "combine": "nested", "concat_dim": "time", "chunks": {"time": 1}}
    kinds = [{"filter_by_keys": {"typeOfLevel": kind}, "indexpath": ""} for kind in ("isobaricInhPa", "surface")]
    opened = [xr.open_mfdataset(paths, backend_kwargs=kind, **how) for kind in kinds]
    fields = xr.merge([one.drop_vars(["surface", "step", "valid_time", "number"], errors="ignore") for one in opened])
else:
    fields = xr.open_mfdataset(paths, chunks={"valid_time": 1})
time = "valid_time" if "valid_time" in fields.dims else "time"
fields = fields.drop_encoding().chunk({time: 1})
fields.to_zarr(sys.argv[2], zarr_format=3)
"""


def make_files(folder: Path, days: int, rows: int, kind: str) -> str:
    """Write a file a day where it is missing; return the pattern that matches them."""
    folder.mkdir(parents=True, exist_ok=True)
    for day in range(days):
        path = folder / f"{day:03d}.{kind}"
        if not path.exists():
            fields = weather(day, rows)
            write_netcdf(fields, path) if kind == "nc" else write_grib(fields, path)
    return str(folder / f"*.{kind}")


def weather(day: int, rows: int) -> xr.Dataset:
    """Return four times of smooth waves with noise, under the names and in the layout of the data store."""
    rng = np.random.default_rng(day)
    latitude, longitude = np.linspace(90, -90, rows), np.arange(2 * (rows - 1)) * 180 / (rows - 1)
    times = np.datetime64("2020-01-01", "ns") + day * np.timedelta64(1, "D") + np.arange(4) * np.timedelta64(6, "h")
    wave = np.cos(np.deg2rad(latitude))[:, None] * np.sin(np.deg2rad(longitude) * 4 + day / 3)

    def field(mean: float, shape: tuple[int, ...]) -> np.ndarray:
        noise = rng.standard_normal((*shape, rows, len(longitude))).astype(np.float32)
        return (mean + 0.05 * abs(mean) * (wave + 0.02 * noise)).astype(np.float32)

    dims = ("valid_time", "pressure_level", "latitude", "longitude")
    upper = {n: (dims, field(m, (4, 13)), {"units": u, "long_name": long}) for n, (long, u, m) in UPPER.items()}
    below = {
        n: ((dims[0], *dims[2:]), field(m, (4,)), {"units": u, "long_name": long})
        for n, (long, u, m) in SURFACE.items()
    }
    coords = {"valid_time": times, "pressure_level": LEVELS, "latitude": latitude, "longitude": longitude}
    return xr.Dataset(upper | below, coords)


def write_netcdf(fields: xr.Dataset, path: Path) -> None:
    """As the data store converts: chunks of several times, compressed."""
    encoding = {
        n: {"zlib": True, "complevel": 1, "chunksizes": (2, *(1 for _ in f.dims[1:-2]), *f.shape[-2:])}
        for n, f in fields.items()
    }
    fields.to_netcdf(path, encoding=encoding)


def write_grib(fields: xr.Dataset, path: Path) -> None:
    """A message a field, 16 bits a value."""
    with path.open("wb") as file:
        for name, field in fields.items():
            for position in np.ndindex(*field.shape[:-2]):
                level = LEVELS[position[1]] if field.ndim == 4 else None
                stamp = str(fields["valid_time"].values[position[0]].astype("datetime64[m]"))
                write_message(file, str(name), stamp, level, field.values[position])


def write_message(file: IO[bytes], name: str, stamp: str, level: int | None, values: np.ndarray) -> None:
    """Append one field."""
    import eccodes as codes

    message = codes.codes_grib_new_from_samples("regular_ll_sfc_grib2" if level is None else "regular_ll_pl_grib2")
    rows, columns = values.shape
    date, clock = stamp.replace("-", "").replace(":", "").split("T")
    keys = {
        "Ni": columns,
        "Nj": rows,
        "latitudeOfFirstGridPointInDegrees": 90,
        "latitudeOfLastGridPointInDegrees": -90,
        "longitudeOfFirstGridPointInDegrees": 0,
        "longitudeOfLastGridPointInDegrees": 360 - 360 / columns,
        "iDirectionIncrementInDegrees": 360 / columns,
        "jDirectionIncrementInDegrees": 180 / (rows - 1),
        "dataDate": int(date),
        "dataTime": int(clock),
        "shortName": SHORT_NAMES.get(name, name),
        "bitsPerValue": 16,
    }
    for key, value in (keys if level is None else {**keys, "level": level}).items():
        codes.codes_set(message, key, value)
    codes.codes_set_values(message, values.ravel().astype(np.float64))
    codes.codes_write(message, file)
    codes.codes_release(message)


def run(words: list[str], target: Path) -> dict[str, float]:
    """Run a program that makes `target`; return what it took."""
    shutil.rmtree(target, ignore_errors=True)
    start = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    peak = read = 0
    while process.poll() is None:
        pids = [process.pid, *children(process.pid)]
        peak = max(peak, *(status(pid, "VmHWM") for pid in pids))
        read = max(read, sum(counted(pid) for pid in pids))
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"{words} failed")
    stored = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    return {"seconds": time.perf_counter() - start, "MiB": peak / 1024, "read": read, "stored": stored}


def children(pid: int) -> list[int]:
    """Return the processes below one."""
    try:
        own = [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [*own, *(below for child in own for below in children(child))]


def status(pid: int, key: str) -> int:
    """Return a figure of a process in KiB."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(key)), 0)


def counted(pid: int) -> int:
    """Return the bytes that a process has read."""
    try:
        return int(Path(f"/proc/{pid}/io").read_text().split("rchar:")[1].split()[0])
    except (OSError, IndexError):
        return 0


def main() -> None:
    """Make the files, run the systems, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=int, nargs="+", default=[1])
    parser.add_argument("--rows", type=int, default=721)
    parser.add_argument("--kinds", nargs="+", default=["nc", "grib"])
    parser.add_argument("--anemoi", help="Python of an environment that has anemoi-datasets")
    chosen = parser.parse_args()
    print(
        f"{os.cpu_count()} cores, {chosen.rows} rows, limit of files {resource.getrlimit(resource.RLIMIT_NOFILE)[0]}\n"
    )
    print("| files | days | made by | seconds | peak MiB of one process | read / stored |\n|---|---|---|---|---|---|")
    for name, program in (("own.py", WEATHERML), ("to_zarr.py", TO_ZARR)):
        (chosen.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (chosen.folder / name).write_text(program)
    for kind in chosen.kinds:
        for days in chosen.days:
            pattern = make_files(chosen.folder / f"{chosen.rows}_{kind}_{days}", days, chosen.rows, kind)
            for label, words, target in systems(chosen, pattern):
                took = run(words, target)
                ratio = took["read"] / took["stored"]
                print(
                    f"| {kind} | {days} | {label} | {took['seconds']:.1f} | {took['MiB']:.0f} | {ratio:.2f} |",
                    flush=True,
                )


def systems(chosen: argparse.Namespace, pattern: str) -> list[tuple[str, list[str], Path]]:
    """Return what is run: its label, its words, and what it makes."""
    target = chosen.folder / "target"
    found = [
        (
            f"weatherml, {n} worker{'s' * (n > 1)}",
            [sys.executable, str(chosen.folder / "own.py"), pattern, str(target / "w.zarr"), str(n)],
            target,
        )
        for n in (1, 2)
    ]
    found.append(
        ("xarray to_zarr", [sys.executable, str(chosen.folder / "to_zarr.py"), pattern, str(target / "x.zarr")], target)
    )
    if chosen.anemoi:
        kind = "grib" if pattern.endswith("grib") else "netcdf"
        recipe = {
            "dates": {"start": "2020-01-01T00:00:00", "end": last_date(pattern), "frequency": "6h"},
            "input": {kind: {"path": pattern}},
        }
        (chosen.folder / "recipe.yaml").write_text(json.dumps(recipe))
        words = [
            str(Path(chosen.anemoi).with_name("anemoi-datasets")),
            "create",
            str(chosen.folder / "recipe.yaml"),
            str(target / "a.zarr"),
            "--overwrite",
        ]
        found.append(("anemoi-datasets", words, target))
    return found


def last_date(pattern: str) -> str:
    """Return the last time of the files, ISO 8601."""
    days = len(list(Path(pattern).parent.glob(Path(pattern).name)))
    return str(np.datetime64("2020-01-01T18:00:00") + np.timedelta64(days - 1, "D"))


if __name__ == "__main__":
    main()
