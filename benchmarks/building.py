"""Build a store of the same files by weatherml, by xarray's `to_zarr`, and, where it is installed, by anemoi-datasets.

    python benchmarks/building.py FOLDER --days 1 2 4 [--rows 721] [--repeats 2] [--anemoi PYTHON]

Files as the data store delivers them are made first (building_files.py). Each system is a process of its own, and they
take turns. Printed, the median of the turns: seconds, CPU seconds of all processes together, peak memory of the largest
process, bytes read (programs and libraries among them) over bytes stored, and bytes stored. `--days` names several
lengths, so that memory is seen to grow or not. Results: building.md
"""

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import zarr
from building_files import FIRST_DAY, LEVELS, SHORT_NAMES, SURFACE, UPPER, make_files

WEATHERML = """
import sys
from pathlib import Path
from weatherml.data.sources.files import FilesConfig
from weatherml.data.store.making.engine import HERE, Dask
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
    kinds = [{"filter_by_keys": {"shortName": name}, "indexpath": ""} for name in sys.argv[3].split(",")]
    opened = [xr.open_mfdataset(paths, backend_kwargs=kind, **how) for kind in kinds]
    extra = ["surface", "heightAboveGround", "meanSea", "step", "valid_time", "number"]
    fields = xr.merge([one.drop_vars(extra, errors="ignore") for one in opened])
else:
    fields = xr.open_mfdataset(paths, chunks={"valid_time": 1})
time = "valid_time" if "valid_time" in fields.dims else "time"
fields = fields.drop_encoding().chunk({time: 1})
fields.to_zarr(sys.argv[2], zarr_format=3)
"""
_SECONDS_BETWEEN_LOOKS = 0.05


class Run(NamedTuple):
    """What a run took: seconds, MiB, bytes."""

    seconds: float
    cpu: float
    peak: float
    read: float
    stored: float


class System(NamedTuple):
    """What makes a store at `target`."""

    label: str
    words: list[str]
    target: Path


def run(system: System) -> Run:
    """Run a program; return what it took."""
    shutil.rmtree(system.target.parent, ignore_errors=True)
    system.target.parent.mkdir(parents=True)
    with (system.target.parent.parent / "log.txt").open("w") as log:
        start = time.perf_counter()
        process = subprocess.Popen(system.words, stdout=log, stderr=log)
        peak, read = watch(process.pid)
        _, state, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(state)
    if process.returncode:
        raise SystemExit(f"{system.words} failed, see {log.name}")
    require_all_channels(system.target)
    stored = sum(path.stat().st_size for path in system.target.rglob("*") if path.is_file())
    return Run(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, peak / 1024, read, stored)


def require_all_channels(store: Path) -> None:
    """Refuse to compare a store that has other channels than the files."""
    arrays = [array for _, array in zarr.open_group(store, mode="r").arrays() if array.ndim >= 3]
    horizontal = 1 if any(array.name == "/data" for array in arrays) else 2  # anemoi-datasets stores a row of points
    found = sum(math.prod(array.shape[1:-horizontal]) for array in arrays)
    expected = len(UPPER) * len(LEVELS) + len(SURFACE)
    if found != expected:
        raise SystemExit(f"{store} has {found} channels, not {expected}")


def watch(pid: int) -> tuple[int, int]:
    """Return the peak memory in KiB of the largest process below one, and the bytes that all read, once it ends."""
    peaks: dict[int, int] = defaultdict(int)
    reads: dict[int, int] = defaultdict(int)
    while not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        for own in (pid, *children(pid)):
            peaks[own] = max(peaks[own], figure(own, "status", "VmHWM"))
            reads[own] = max(reads[own], figure(own, "io", "rchar"))
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    return max(peaks.values()), sum(reads.values())


def children(pid: int) -> list[int]:
    """Return the processes below one."""
    try:
        own = [int(p) for task in Path(f"/proc/{pid}/task").iterdir() for p in (task / "children").read_text().split()]
    except OSError:
        return []
    return [*own, *(below for child in own for below in children(child))]


def figure(pid: int, page: str, key: str) -> int:
    """Return a figure of a process, as the kernel tells it; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/{page}").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(key)), 0)


def main() -> None:
    """Make the files, run the systems in turn, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=int, nargs="+", default=[1])
    parser.add_argument("--rows", type=int, default=721)
    parser.add_argument("--kinds", nargs="+", default=["nc", "grib"])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--anemoi", help="Python of an environment that has anemoi-datasets")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    (chosen.folder / "own.py").write_text(WEATHERML)
    (chosen.folder / "to_zarr.py").write_text(TO_ZARR)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    print(f"{os.cpu_count()} cores, {chosen.rows} rows, limit of files {limit}, {chosen.repeats} turns\n")
    print("| files | days | made by | seconds | CPU seconds | peak MiB | read / stored | stored MB |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in chosen.kinds:
        for days in chosen.days:
            compare(chosen, kind, days)


def compare(chosen: argparse.Namespace, kind: str, days: int) -> None:
    """Print the rows of the table that one set of files gives."""
    pattern = make_files(chosen.folder, days, chosen.rows, kind)
    found = systems(chosen, pattern, kind, days)
    runs: dict[str, list[Run]] = defaultdict(list)
    for _ in range(chosen.repeats):
        for system in found:
            runs[system.label].append(run(system))
    for label, own in runs.items():
        took = Run(*(np.median(values) for values in zip(*own, strict=True)))
        ratio, stored = took.read / took.stored, took.stored / 1e6
        figures = f"{took.seconds:.1f} | {took.cpu:.1f} | {took.peak:.0f} | {ratio:.2f} | {stored:.0f}"
        print(f"| {kind} | {days} | {label} | {figures} |", flush=True)


def systems(chosen: argparse.Namespace, pattern: str, kind: str, days: int) -> list[System]:
    """Return what is run."""
    target, own = chosen.folder / "target", str(chosen.folder / "own.py")
    names = ",".join(SHORT_NAMES.get(name, name) for name in (*UPPER, *SURFACE))
    found = [
        System(
            f"weatherml, {n} worker{'s' * (n > 1)}",
            [sys.executable, own, pattern, str(target / "w.zarr"), str(n)],
            target / "w.zarr",
        )
        for n in (1, 2)
    ]
    words = [sys.executable, str(chosen.folder / "to_zarr.py"), pattern, str(target / "x.zarr"), names]
    found.append(System("xarray to_zarr", words, target / "x.zarr"))
    if chosen.anemoi:
        program = str(Path(chosen.anemoi).with_name("anemoi-datasets"))
        recipe = chosen.folder / f"recipe_{kind}.yaml"
        recipe.write_text(json.dumps(anemoi_recipe(pattern, kind, days)))
        words = [program, "create", str(recipe), str(target / "a.zarr"), "--overwrite"]
        found.append(System("anemoi-datasets", words, target / "a.zarr"))
    return found


def anemoi_recipe(pattern: str, kind: str, days: int) -> dict[str, object]:
    """Return what anemoi-datasets is told to build: the same channels, each day from its own file."""
    path = pattern.replace("*", "{date:strftime(%Y%m%d)}")
    names = {"nc": {}, "grib": SHORT_NAMES}[kind]
    param = [names.get(name, name) for name in (*UPPER, *SURFACE)]  # of NetCDF it selects no levels: all are there
    source = {"nc": "netcdf", "grib": "grib"}[kind]
    last = f"{FIRST_DAY + days - 1}T18:00:00"
    return {
        "dates": {"start": f"{FIRST_DAY}T00:00:00", "end": last, "frequency": "6h"},
        "input": {source: {"path": path, "param": param}},
    }


if __name__ == "__main__":
    main()
