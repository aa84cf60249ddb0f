"""What a member of an ensemble depends on: one forecast made in many ways by the program itself, compared bit by bit.

    python benchmarks/reproducibility.py CHECKPOINT ANALYSIS INIT [KEY=VALUE]...

Every row is a run of `weatherml forecast` in processes of their own; devices are virtual ones of the CPU.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from weatherml.checkpoint import Checkpoint
from weatherml.products.store import open_forecast
from weatherml.state import to_array

MEMBERS, ALONE = 23, 17
PERTURBATION = "perturbation={name: combined, parts: [spherical, {name: sppt}]}"


def main():
    checkpoint, analysis, init, *settings = sys.argv[1:]
    settings = settings or [PERTURBATION]
    with tempfile.TemporaryDirectory() as folder:
        program = Program(Path(folder), [checkpoint, "--analysis", analysis, "--init", init, "--lead", "2d"], settings)
        statistics = Checkpoint.load(checkpoint).normalizer.statistics
        whole = program.forecast("whole")
        rows = {
            "once more": program.forecast("again"),
            f"member {ALONE} alone": program.forecast("alone", "--only-member", ALONE),
            "five members, asked for in another order": program.forecast(
                "order", *(word for number in (ALONE, 3, 22, 0, 9) for word in ("--only-member", number))
            ),
            "8 devices": program.forecast("eight", n_devices=8),
            f"member {ALONE} alone on 8 devices": program.forecast("both", "--only-member", ALONE, n_devices=8),
            "killed with -9 on one device, resumed on 3": program.killed("killed", n_devices=3),
            "three processes at once": program.shared("shared", 3),
            "an ensemble of 40": program.forecast("larger", "--set", "members=40"),
            "batch 8 instead of 4": program.forecast("batch", "--set", "batch=8"),
        }
        print("| made | members compared | equal bit for bit | largest difference, standard deviations |")
        print("|---|---|---|---|")
        for name, path in rows.items():
            print(compare(name, path, whole, statistics))


class Program:
    """Runs of the program that differ in one thing."""

    def __init__(self, folder, words, settings):
        self.folder = folder
        settings = [f"members={MEMBERS}", "batch=4", *settings]
        self.words = [*words, *(word for setting in settings for word in ("--set", setting))]

    def start(self, name, *more, n_devices=1):
        environment = {**os.environ, "XLA_FLAGS": f"--xla_force_host_platform_device_count={n_devices}"}
        program = Path(sys.executable).with_name("weatherml")
        words = [program, "forecast", *self.words, *map(str, more), "-o", self.folder / f"{name}.zarr"]
        return subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def forecast(self, name, *more, n_devices=1):
        end(self.start(name, *more, n_devices=n_devices))
        return self.folder / f"{name}.zarr"

    def killed(self, name, n_devices):
        process = self.start(name)
        record = self.folder / f".{name}.zarr.partial" / "share-0-of-1.json"
        while not record.exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if (self.folder / f"{name}.zarr").exists():
            sys.exit("the forecast was whole before it was killed")
        return self.forecast(name, "--resume", n_devices=n_devices)

    def shared(self, name, count):
        for process in [self.start(name, "--share", f"{index}/{count}") for index in range(count)]:
            end(process)
        return self.folder / f"{name}.zarr"


def end(process):
    _, errors = process.communicate()
    if process.returncode:
        sys.exit(errors)


def compare(name, path, whole, statistics):
    found, expected = open_forecast(path), open_forecast(whole)
    numbers = np.intersect1d(found["number"], expected["number"])
    own, others = (to_array(f.sel(number=numbers).load(), statistics.spec) for f in (found, expected))
    equal = np.array_equal(own, others, equal_nan=True)
    largest = np.nanmax(abs(own - others) / statistics.std[:, None, None])
    return f"| {name} | {len(numbers)} | {'yes' if equal else 'no'} | {largest:.1g} |"


if __name__ == "__main__":
    main()
