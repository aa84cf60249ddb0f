"""How fast an ensemble is judged: RMSE, ACC, CRPS, spread-skill and rank histogram, beside other software.

    python benchmarks/verification_speed.py FOLDER --peers PYTHON --weatherbenchx SOURCE [--inits 2] [--levels 2]

50 members x 40 leads at 1.5 degrees (121 x 240) in a zarr store of one chunk a field of all members, uncompressed. All
initial times and levels are links to the same files, so that 18.6 GB are read of 0.2 GB: from the memory that the
system keeps of files, by every side alike. Each side runs in a process of its own, in turn, `--repeat` times; the least
processor time counts, since the machine may be shared.
"""

import argparse
import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import xarray as xr
import zarr

from weatherml.grid import LatLonGrid
from weatherml.state import with_metadata

N_MEMBERS, N_LEADS, N_LEVELS, N_INITS = 50, 40, 10, 8
GRID = LatLonGrid.regular(121, 240)
SIX_HOURS = np.timedelta64(6 * 3600 * 10**9, "ns")
START = np.datetime64("2020-01-01", "ns")


def make(folder: Path, n_inits: int) -> None:
    """Write forecasts and their truth, and link the rest."""
    rng = np.random.default_rng(0)
    horizontal = {"latitude": np.asarray(GRID.latitude), "longitude": np.asarray(GRID.longitude)}
    levels = {"level": np.arange(100, 1100, 100, dtype=np.int32)}
    normal = (280 + 20 * rng.standard_normal(GRID.shape)).astype(np.float32)
    times = START + np.arange(4 * n_inits + N_LEADS + 1) * SIX_HOURS
    dims = ("time", "level", *horizontal)
    true = normal + rng.standard_normal((len(times), N_LEVELS, *GRID.shape)).astype(np.float32)
    write(xr.Dataset({"temperature": (dims, true)}, {"time": times, **levels, **horizontal}), folder / "truth.zarr")
    coords = {
        "init_time": START + np.arange(n_inits) * 4 * SIX_HOURS,
        "lead_time": np.arange(1, N_LEADS + 1) * SIX_HOURS,
        "number": np.arange(N_MEMBERS),
    }
    members = normal + rng.standard_normal((1, N_LEADS, N_MEMBERS, 1, *GRID.shape)).astype(np.float32)
    path, axes = folder / "forecast.zarr", coords | levels | horizontal
    first = axes | {name: axes[name][:1] for name in ("init_time", "level")}
    write(xr.Dataset({"temperature": (tuple(axes), members)}, first), path)
    grown = xr.Dataset(coords={name: axes[name] for name in ("init_time", "level")})
    group = zarr.open_group(path, mode="r+")
    for name in grown.coords:
        del group[name]
    grown.to_zarr(path, mode="a", consolidated=False)
    group["temperature"].resize(tuple(map(len, axes.values())))
    chunks = path / "temperature" / "c"
    for init, level, lead in product(range(n_inits), range(N_LEVELS), range(N_LEADS)):
        if init or level:
            link = chunks / str(init) / str(lead) / "0" / str(level) / "0" / "0"
            link.parent.mkdir(parents=True, exist_ok=True)
            os.link(chunks / "0" / str(lead) / "0" / "0" / "0" / "0", link)


def write(dataset: xr.Dataset, path: Path) -> None:
    """Write a chunk for each field, or all members of one, as they are."""
    field = dataset["temperature"]
    whole = {"latitude", "longitude", "number"}
    chunks = tuple(size if dim in whole else 1 for dim, size in zip(field.dims, field.shape, strict=True))
    encoding = {"temperature": {"chunks": chunks, "compressors": None}}
    named = with_metadata(dataset).drop_vars("valid_time", errors="ignore")
    named.to_zarr(path, encoding=encoding, consolidated=False, zarr_format=3)


def run(side: str, python: str, task: dict[str, object]) -> dict[str, float]:
    """Judge by one side in a process of its own."""
    program = Path(__file__).with_name("verification_speed_sides.py")
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH" or python == sys.executable}
    done = subprocess.run([python, program, side, json.dumps(task)], capture_output=True, text=True, env=own)
    if done.returncode:
        sys.exit(f"{side}: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peers", help="python of an environment with xskillscore, scoringrules and jax")
    parser.add_argument("--weatherbenchx", help="its source")
    parser.add_argument("--inits", type=int, default=2)
    parser.add_argument("--levels", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--sides", nargs="*")
    asked = parser.parse_args()
    n_inits = max(N_INITS, asked.inits)
    folder = asked.folder / f"{n_inits}"
    if not (folder / "forecast.zarr").exists():
        make(folder, n_inits)
    task = {"forecast": str(folder / "forecast.zarr"), "truth": str(folder / "truth.zarr"), "workers": 1}
    task |= {"inits": asked.inits, "levels": asked.levels, "weatherbenchx": asked.weatherbenchx, "sorts": True}
    sides = {
        "weatherml": ("weatherml", sys.executable, {}),
        "weatherml, two workers": ("weatherml", sys.executable, {"workers": 2}),
        "xskillscore": ("xskillscore", asked.peers, {}),
        "weatherbenchX": ("weatherbenchx", asked.peers, {}),
        "weatherbenchX, all pairs": ("weatherbenchx", asked.peers, {"sorts": False, "at once": 1}),
        "scoringrules in numpy": ("scoringrules", asked.peers, {}),
    }
    chosen = {name: own for name, own in sides.items() if not asked.sides or name in asked.sides}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in chosen}
    for _ in range(asked.repeat):
        for name, (side, python, own) in chosen.items():
            found[name].append(run(side, python, task | own))
            print(name, json.dumps(found[name][-1]), file=sys.stderr, flush=True)
    n_bytes = 4 * asked.inits * asked.levels * N_LEADS * N_MEMBERS * int(np.prod(GRID.shape))
    print(f"{asked.inits} initial times x {asked.levels} levels: {n_bytes / 1e9:.2f} GB\n")
    print("| | processor, s | clock, s | peak memory, MiB | times ours | CRPS | RMSE |\n|---|---|---|---|---|---|---|")
    ours = min(own["cpu"] for own in next(iter(found.values())))
    for name, runs in found.items():
        cpu, clock = min(own["cpu"] for own in runs), min(own["seconds"] for own in runs)
        peak, last = min(own["peak"] for own in runs) / 2**20, runs[-1]
        same = f"{last['crps']:.7f} | {last['rmse']:.7f}"
        print(f"| {name} | {cpu:.1f} | {clock:.1f} | {peak:.0f} | {cpu / ours:.1f} | {same} |")


if __name__ == "__main__":
    main()
