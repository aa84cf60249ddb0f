"""Random training samples from disk: MB/s, waits of a step, and memory, ours and others', against raw reads.

    python benchmarks/loading.py FOLDER [--peers PYTHON] [--anemoi PYTHON] [--grids 0.25 1.5] [--repeats 3]

`--peers` names the Python of an environment with torch, h5py and xbatcher, `--anemoi` of one with anemoi-datasets, too.
The fields of all systems are the same, 69 channels (13 levels of 5 variables, 4 at the surface) with as many bits as
ERA5 has after packing. They are written for one grid after the other, 15 GB at most, and deleted. Before each run
without the cache the kernel is told to forget the files (`POSIX_FADV_DONTNEED`), and no time is drawn twice: so a disk
gives what a store larger than the cache would have it give. In the cache the clock begins after four batches. Each run
is a process of its own, systems take turns, the best of the repeats counts. Where other programs run beside it, compare
MB a CPU second. Results: loading.md
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numcodecs import Blosc

from weatherml.data.statistics.channel_statistics import compute_statistics
from weatherml.data.store import layout
from weatherml.data.store.ingest import ingest
from weatherml.data.store.opening import open_store
from weatherml.grid import LatLonGrid
from weatherml.state import spec_of, with_metadata

LEVELS = (50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000)
UPPER = ("geopotential", "temperature", "u_component_of_wind", "v_component_of_wind", "specific_humidity")
SURFACE = ("2m_temperature", "mean_sea_level_pressure", "10m_u_component_of_wind", "10m_v_component_of_wind")


@dataclass(frozen=True)
class Case:
    """A grid, how many times of it are written, and what is drawn: the step is what a batch is used for, seconds."""

    grid: LatLonGrid
    n_times: int
    size: int
    n_cached: int
    step: float

    @property
    def memory(self) -> int:
        """What our loader may take: eight batches, and less than would hold all times."""
        a_time = 4 * 69 * self.grid.n_lat * self.grid.n_lon
        return min(int(1.9 * self.n_times * a_time), 16 * self.size * a_time * 4 // 3)


CASES = {
    "0.25": Case(LatLonGrid.regular(721, 1440), 12, 1, 24, 0.6),
    "1.5": Case(LatLonGrid.regular(121, 240), 192, 8, 52, 0.2),
}


SKIPPED = 4
"""Batches of a run in the cache that the clock leaves out: memory is new for them, and workers start."""


class Planet:
    """Smooth fields that move, rounded to 16 bits of their range: a source."""

    name = "moving fields"

    def __init__(self, case: Case) -> None:
        self.grid, self.levels, self._n_times = case.grid, LEVELS, case.n_times
        rng = np.random.default_rng(0)
        coarse = rng.standard_normal((4, self.grid.n_lat // 8 + 2, self.grid.n_lon // 8 + 2))
        fine = np.stack([_enlarged(one, self.grid.shape) for one in coarse])
        self._patterns = fine + 0.02 * rng.standard_normal(fine.shape)

    def digest(self) -> str:
        return f"{self.grid.shape} {self._n_times}"

    def times(self) -> np.ndarray:
        return np.datetime64("2001-01-01", "ns") + np.arange(self._n_times) * np.timedelta64(6, "h")

    def variables(self) -> tuple[str, ...]:
        return (*UPPER, *SURFACE)

    def read(self, times: np.ndarray, variables: Any) -> xr.Dataset:
        horizontal = {"latitude": np.asarray(self.grid.latitude), "longitude": np.asarray(self.grid.longitude)}
        places = np.searchsorted(self.times(), times)
        fields = {name: self._field(name, places) for name in variables}
        coords = {"time": times, "level": np.asarray(LEVELS, np.int32), **horizontal}
        return with_metadata(xr.Dataset(fields, {n: c for n, c in coords.items() if n != "level" or _upper(fields)}))

    def _field(self, name: str, places: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
        number = self.variables().index(name)
        levels = range(len(LEVELS)) if name in UPPER else (0,)
        maps = np.stack([[self._map(number, level, int(place)) for level in levels] for place in places])
        dims = ("time", "level", "latitude", "longitude")
        return (dims, maps) if name in UPPER else ((dims[0], *dims[2:]), maps[:, 0])

    def _map(self, number: int, level: int, place: int) -> np.ndarray:
        pattern = np.roll(self._patterns[(number + level) % 4], 7 * place + 31 * level, axis=-1)
        packed = np.rint((pattern + 6) * (65535 / 12))
        return (packed * (12 / 65535) * (1 + number) + 10.0 * number).astype(np.float32)


def _upper(fields: dict[str, Any]) -> bool:
    return any(name in UPPER for name in fields)


def _enlarged(coarse: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    rows, columns = (np.linspace(0, n - 1, m) for n, m in zip(coarse.shape, shape, strict=True))
    along = np.array([np.interp(columns, np.arange(coarse.shape[1]), row) for row in coarse])
    return np.array([np.interp(rows, np.arange(coarse.shape[0]), column) for column in along.T]).T


@dataclass
class Made:
    """What was written for one grid: of each system its data, and arguments that go with them."""

    folder: Path
    systems: dict[str, dict[str, Any]] = field(default_factory=dict)


def make(case: Case, folder: Path, chosen: argparse.Namespace) -> Made:
    """Write the same fields in the layout of each system."""
    made, source = Made(folder), Planet(case)
    folder.mkdir(parents=True)
    for name, level in (("packed", 3), ("plain", 0)):
        layout._COMPRESSOR = Blosc("zstd", level, Blosc.BITSHUFFLE)  # 0: bytes as they are, behind a header of 16
        ingest(source, folder / name)
    store = open_store(folder / "plain")
    statistics = compute_statistics(store, spec_of(store), ("1900", "2100"))
    statistics.save(folder / "statistics.nc")
    np.save(folder / "mean.npy", statistics.mean), np.save(folder / "std.npy", statistics.std)
    common = {"n_times": case.n_times, "mean": str(folder / "mean.npy"), "std": str(folder / "std.npy")}
    for name in ("plain", "packed"):
        own = {"data": str(folder / name), "statistics": str(folder / "statistics.nc")}
        chunks = folder / f"{name}.json"
        chunks.write_text(json.dumps(chunks_of(folder / name, case)))
        made.systems[f"raw preadv, {name}"] = common | own | {"system": "raw", "chunks": str(chunks)}
        made.systems[f"weatherml, {name}"] = common | own | {"system": "weatherml"}
        if chosen.peers and name == "packed":
            made.systems["torch + xbatcher, packed"] = common | own | {"system": "xbatcher", "python": chosen.peers}
    if chosen.peers:
        path = folder / "fields.npy"
        arguments = [chosen.peers, __file__.replace("loading.py", "loading_peers.py")]
        write_fields(store, path)
        subprocess.run([*arguments, "hdf5", str(path), str(folder / "fields.h5")], check=True)
        made.systems["torch + HDF5"] = common | {
            "system": "hdf5",
            "data": str(folder / "fields.h5"),
            "python": chosen.peers,
        }
        if chosen.anemoi:
            told = {"mean": statistics.mean.tolist(), "std": statistics.std.tolist(), "names": statistics.spec.names}
            told |= {"latitude": case.grid.latitude, "longitude": case.grid.longitude, "step": 6}
            arguments = [chosen.anemoi, *arguments[1:], "anemoi", str(path), str(folder / "a.zarr"), json.dumps(told)]
            subprocess.run(arguments, check=True)
            made.systems["torch + anemoi"] = common | {
                "system": "anemoi",
                "data": str(folder / "a.zarr"),
                "python": chosen.anemoi,
            }
        path.unlink()
    return made


def write_fields(store: xr.Dataset, path: Path) -> None:
    """Write all states as one array `[time, channel, lat, lon]`, for the writers of peers."""
    from weatherml.data.blocks import iterate_blocks

    spec = spec_of(store)
    array = np.lib.format.open_memmap(path, "w+", np.float32, (store.sizes["time"], *spec.shape))
    start = 0
    for times, block in iterate_blocks(store, spec):
        array[start : start + len(times)] = block
        start += len(times)
    array.flush()


def chunks_of(store: Path, case: Case) -> list[list[tuple[str, int, int]]]:
    """Return the file, offset and size of each chunk that holds a part of each time."""
    found: list[list[tuple[str, int, int]]] = [[] for _ in range(case.n_times)]
    for name in (*UPPER, *SURFACE):
        array = zarr.open_array(store / name, mode="r")
        (length, *_), shard = array.chunks, array.shards
        counts = [s // c for s, c in zip(shard, array.chunks, strict=True)]
        for place in range(case.n_times):
            file = store / name / ".".join(["c", str(place // shard[0]), *["0"] * (array.ndim - 1)])
            tail = 16 * int(np.prod(counts)) + 4
            index = np.frombuffer(_tail(file, tail), "<u8").reshape(*counts, 2)
            for offset, size in index[place % shard[0] // length].reshape(-1, 2).tolist():
                found[place].append((str(file), offset, size))
    return found


def _tail(file: Path, length: int) -> bytes:
    with file.open("rb") as opened:
        opened.seek(-length, os.SEEK_END)
        return opened.read()[:-4]


def forget(folder: Path) -> None:
    """Have the kernel forget all files below a folder."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def remember(task: dict[str, Any]) -> None:
    """Have the kernel hold what a system reads."""
    root = Path(task["data"])
    for path in root.rglob("*") if root.is_dir() else [root]:
        if path.is_file():
            with path.open("rb") as opened:
                while opened.read(2**24):
                    pass


def run(task: dict[str, Any]) -> dict[str, float]:
    """Return what a process says, and the peak memory of it and its workers (shared pages counted once), MiB."""
    python = task.get("python", sys.executable)
    words = [python, str(Path(__file__).with_name("loading_systems.py")), json.dumps(task)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, sum(_proportional_kib(pid) for pid in _tree(process.pid)))
            time.sleep(0.05)
        told = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise SystemExit(f"{task['system']} failed")
    return json.loads(told.strip().splitlines()[-1]) | {"peak": peak / 1024}


def _tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(own for child in children for own in _tree(int(child)))]


def _proportional_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    anonymous = [line for line in lines if line.startswith("Pss_Anon")]  # not the page cache that files are mapped from
    return int(anonymous[0].split()[1]) if anonymous else 0


def starts_of(case: Case, is_cached: bool, turn: int) -> list[int]:
    """Return the first times of samples: any, or, without the cache, such that each time is drawn once."""
    rng = np.random.default_rng(turn)
    if is_cached:
        return rng.integers(0, case.n_times - 1, case.n_cached * case.size).tolist()
    return (2 * rng.permutation(case.n_times // 2)).tolist()


def measure(case: Case, made: Made, is_cached: bool, workers: int, repeats: int) -> dict[str, dict[str, float]]:
    """Return of each system MB/s, share of waits, and peak memory."""
    best: dict[str, dict[str, float]] = {}
    for turn in range(repeats):
        for name, own in made.systems.items():
            skip = SKIPPED if is_cached else 0
            task = own | {"size": case.size, "workers": workers, "memory": case.memory, "skip": skip}
            figures = best.setdefault(name, {"rate": 0.0, "cpu": 0.0, "stalls": np.nan, "peak": 0.0})
            for step in (0.0, case.step) if workers > 1 else (0.0,):
                (remember(task) if is_cached else forget(made.folder))
                told = run(task | {"step": step, "starts": starts_of(case, is_cached, turn)})
                figures["peak"] = max(figures["peak"], told["peak"])
                if step:
                    figures["stalls"] = float(np.fmin(figures["stalls"], told["waited"] / told["seconds"]))
                else:
                    figures["cpu"] = max(figures["cpu"], told["bytes"] / told["cpu"] / 1e6)
                    figures["rate"] = max(figures["rate"], told["bytes"] / told["seconds"] / 1e6)
    return best


def _share(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.0%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peers", help="Python with torch, h5py and xbatcher")
    parser.add_argument("--anemoi", help="Python with torch and anemoi-datasets")
    parser.add_argument("--grids", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    print(
        "| grid | cache | workers | system | MB/s | MB a CPU s | waits | peak MiB |\n|---|---|---|---|---|---|---|---|"
    )
    for name in chosen.grids:
        case, folder = CASES[name], chosen.folder / name
        made = make(case, folder, chosen)
        for is_cached in (True, False):
            for workers in (1, 2):
                for system, own in measure(case, made, is_cached, workers, chosen.repeats).items():
                    cache = "in it" if is_cached else "without"
                    figures = f"{own['rate']:,.0f} | {own['cpu']:,.0f} | {_share(own['stalls'])} | {own['peak']:,.0f}"
                    print(f"| {name} | {cache} | {workers} | {system} | {figures} |", flush=True)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
