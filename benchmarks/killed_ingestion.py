"""Kill an ingestion of many files by dask with -9 at random instants, complete it, and compare the bytes.

    python benchmarks/killed_ingestion.py FOLDER --files 500 --kills 20

Afterwards a byte is flipped and a shard deleted; both must be found and mended. Results: building.md
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import xarray as xr

from weatherml.data.sources.files import FilesConfig
from weatherml.data.store.ingest import IngestOptions, ingest
from weatherml.data.store.opening import verify

PROGRAM = """
import sys
from pathlib import Path
from weatherml.data.sources.files import FilesConfig
from weatherml.data.store.making.engine import Dask
from weatherml.data.store.ingest import IngestOptions, ingest
if __name__ == "__main__":
    files, target = sys.argv[1:]
    source = FilesConfig(paths=(files,)).source(Path(target).parent)
    ingest(source, target, None, 8, IngestOptions(engine=Dask(workers=2)))
"""


def make_files(folder: Path, number: int) -> str:
    """Write a file a time, of two variables, where they are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    grid = {"latitude": np.linspace(90, -90, 33), "longitude": np.arange(64) * 5.625}
    for index in range(number):
        stamp = np.datetime64("2020-01-01", "ns") + index * np.timedelta64(6, "h")
        noise = rng.standard_normal((1, 2, 33, 64)).astype(np.float32)
        fields = {
            "z": (("time", "level", *grid), 5e4 + 100 * noise, {"units": "m2 s-2"}),
            "t2m": (("time", *grid), 280 + noise[:, 0], {"units": "K"}),
        }
        coords = {"time": [stamp], "level": ("level", [500, 850], {"units": "hPa"}), **grid}
        if not (path := folder / f"{index:05d}.nc").exists():
            xr.Dataset(fields, coords).to_netcdf(path)
    return str(folder / "*.nc")


def contents(store: Path) -> dict[str, bytes]:
    """Return the files of a store."""
    return {str(path.relative_to(store)): path.read_bytes() for path in sorted(store.rglob("*")) if path.is_file()}


def kill_one(program: Path, files: str, store: Path, longest: float) -> bool:
    """Start an ingestion and kill it and its workers at a random instant; return whether it was at work."""
    words = [sys.executable, str(program), files, str(store)]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(random.uniform(0, longest))
    was_alive = process.poll() is None
    if was_alive:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return was_alive


def main() -> None:
    """Do it and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--longest", type=float, default=20.0, help="latest instant of a kill, seconds after the start")
    chosen = parser.parse_args()
    random.seed(0)
    files = make_files(chosen.folder / "files", chosen.files)
    source = FilesConfig(paths=(files,)).source(chosen.folder)
    whole, store, program = chosen.folder / "whole.zarr", chosen.folder / "killed.zarr", chosen.folder / "program.py"
    for old in (whole, store):
        shutil.rmtree(old, ignore_errors=True)
    program.write_text(PROGRAM)
    ingest(source, whole, None, 8)
    killed, counts = 0, []
    for _ in range(chosen.kills):
        killed += kill_one(program, files, store, chosen.longest)
        counts.append(len(list(store.glob("*/c.*"))))
    n_made = ingest(source, store, None, 8).n_written
    print(f"killed {killed} times of {chosen.kills}, with {counts} shards there; {n_made} files were left to make")
    print("the same bytes as uninterrupted:", contents(store) == contents(whole))
    shards = sorted(store.glob("*/c.*"))
    content = bytearray(shards[3].read_bytes())
    content[len(content) // 2] ^= 1
    shards[3].write_bytes(content)
    shards[7].unlink()
    manifest = [file for file in verify(store)]
    mended = ingest(source, store, None, 8, IngestOptions(verify=True)).n_written
    print(f"found damaged: {manifest}; made again: {mended}; the same bytes: {contents(store) == contents(whole)}")


if __name__ == "__main__":
    main()
