"""How far a reader walks: the files that one forecast of three members enters, and the size of the package's rooms.

python benchmarks/walk.py [--files]

Every call of a function of the package is one station of the walk, in each thread for itself; a change is a station in
another file than the one before. A first forecast is not counted, so that nothing is compiled in the one that is.
"""

import argparse
import sys
import tempfile
import threading
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np

import weatherml
from weatherml.checkpoint import Checkpoint, Provenance
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.forecast import Forecaster
from weatherml.grid import LatLonGrid
from weatherml.models import FourCastNetConfig
from weatherml.state import StateSpec, parse_channels, to_dataset

PACKAGE = Path(weatherml.__file__).parent
SPEC = StateSpec(parse_channels(["z500", "t850", "t2m"]), LatLonGrid.regular(8, 16, poles=False))
TIME_STEP = np.timedelta64(6 * 3600 * 10**9, "ns")
INIT_TIME = np.datetime64("2020-01-01T00", "ns")
MEAN, STD = np.array([55_000, 280, 285], np.float32), np.array([1000, 5, 5], np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", action="store_true", help="list how often each file of forecast/ is entered")
    by_file = parser.parse_args().files
    forecaster, analysis = make_forecaster(), make_analysis()
    walks = [walked(lambda: forecast(forecaster, analysis)) for _ in range(2)][1]
    own = [[file for file in walk if file.startswith("forecast/")] for walk in walks]
    print("| one forecast of three members | files entered | changes from file to file |\n|---|---|---|")
    print(f"| the package | {len(set().union(*walks))} | {sum(map(n_changes, walks))} |")
    print(f"| forecast/ alone | {len(set().union(*own))} | {sum(map(n_changes, own))} |")
    print("\n| room | files | lines |\n|---|---|---|")
    for room, (n_files, n_lines) in rooms(PACKAGE / "forecast").items():
        print(f"| {room} | {n_files} | {n_lines:,} |")
    if by_file:
        print("\n| file | entered | functions called |\n|---|---|---|")
        calls = Counter(file for walk in own for file in walk)
        entered = Counter(file for walk in own for before, file in pairwise([None, *walk]) if before != file)
        for file, count in entered.most_common():
            print(f"| {file} | {count} | {calls[file]} |")


def make_forecaster():
    valid = np.ones(SPEC.shape, bool)
    statistics = Statistics(SPEC, MEAN, STD, 0.2 * STD, valid, TIME_STEP, ("2010-01-01", "2019-12-31"), 1460)
    forcings = Forcings(("insolation", "latitude"), SPEC.grid, TIME_STEP)
    model = FourCastNetConfig(patch=4, width=16, depth=1, n_blocks=2)
    checkpoint = Checkpoint.initialize(model, forcings, Normalizer(statistics), Provenance({}, "none"), seed=0)
    return Forecaster.from_checkpoint(checkpoint)


def make_analysis():
    noise = np.random.default_rng(0).normal(size=(1, *SPEC.shape)).astype(np.float32)
    return to_dataset(MEAN[:, None, None] + STD[:, None, None] * noise, SPEC, {"time": np.array([INIT_TIME])})


def forecast(forecaster, analysis):
    with tempfile.TemporaryDirectory() as folder:
        forecaster.ensemble(analysis, INIT_TIME, "1d", 3, "spherical", output=Path(folder) / "forecast.zarr")


def walked(act):
    """The files, below the package, of the functions that are called, in order, for each thread."""
    walks = defaultdict(list)

    def look(frame, event, _):
        if event == "call" and frame.f_code.co_filename.startswith(f"{PACKAGE}/"):
            walks[threading.get_ident()].append(frame.f_code.co_filename.removeprefix(f"{PACKAGE}/"))

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        act()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return list(walks.values())


def n_changes(walk):
    return sum(before != after for before, after in pairwise(walk))


def rooms(folder):
    """Files and lines of a folder, all and by the folders in it."""
    sizes = defaultdict(list)
    for path in sorted(folder.rglob("*.py")):
        n_lines = path.read_text().count("\n")
        below = path.relative_to(folder).parts
        sizes["forecast/"].append(n_lines)
        sizes[f"forecast/{below[0]}/" if len(below) > 1 else "forecast/*.py"].append(n_lines)
    return {room: (len(lines), sum(lines)) for room, lines in sizes.items()}


if __name__ == "__main__":
    main()
