"""What it costs that chunks are on the disk before a record says that they are whole: a forecast with and without.

    python benchmarks/flushing.py [N_MEMBERS [N_LEADS [REPEATS]]]

The demonstration's FourCastNet with random weights, batches of 10, in one process; flushed and not flushed take turns,
and so do what is kept: members, moments, quantiles. Seconds are wall time from the call to the finished store, compiled
programs at hand; the least of each is compared. Writing, and with it flushing, goes on while the next chunk computes.
"""

import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import xarray as xr
from rollout_sides import BATCH, INIT_TIME, prepare

from weatherml.data.reading.opening import open_files
from weatherml.forecast import ForecastConfig, Forecaster
from weatherml.forecast.statistics.config import StatisticsConfig
from weatherml.process.heap import keep_freed_memory

KEPT = {
    "members": None,
    "moments": StatisticsConfig(),
    "quantiles": StatisticsConfig(quantiles=(0.1, 0.5, 0.9), sketch_size=32),
}


def main() -> None:
    keep_freed_memory()
    n_members, n_leads, repeats = (*map(int, sys.argv[1:]), *(100, 40, 5)[len(sys.argv) - 1 :])
    config = ForecastConfig(lead_time=f"{6 * n_leads}h", members=n_members, perturbation="spherical", batch=BATCH)
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        prepare(folder)
        forecaster, analysis = Forecaster.load(folder / "checkpoint"), open_files(folder / "analysis.nc")
        print(f"{n_members} members, {n_leads} leads, batches of {BATCH}")
        for kept, statistics in KEPT.items():
            asked = config.model_copy(update={"statistics": statistics})
            run(forecaster, analysis, asked, folder / "warm.zarr", Flushes(True))
            seconds: dict[bool, list[float]] = {True: [], False: []}
            waited = []
            for _ in range(repeats):
                for is_flushed, timings in seconds.items():
                    flushes = Flushes(is_flushed)
                    timings.append(run(forecaster, analysis, asked, folder / "f.zarr", flushes))
                    waited += [flushes.seconds] if is_flushed else []
            least = {is_flushed: min(timings) for is_flushed, timings in seconds.items()}
            print(
                f"{kept}: {least[True]:.2f} s flushed, {least[False]:.2f} s not, ratio"
                f" {least[True] / least[False]:.2f}; {flushes.n} flushes, while which {min(waited):.2f} s go by"
            )


class Flushes:
    """Counts the calls of the system that flush, and leaves them out where asked to.

    Attributes:
        n: How many there were.
        seconds: Wall time in which at least one was under way.
    """

    def __init__(self, is_real: bool) -> None:
        self.n, self.seconds = 0, 0.0
        self._is_real, self._fsync = is_real, os.fsync
        self._lock, self._n_under_way, self._since = threading.Lock(), 0, 0.0

    def __call__(self, descriptor: int) -> None:
        self._count(1)
        try:
            if self._is_real:
                self._fsync(descriptor)
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._lock:
            now = time.perf_counter()
            if self._n_under_way:
                self.seconds += now - self._since
            self._since, self._n_under_way = now, self._n_under_way + change
            self.n += change > 0

    def __enter__(self) -> None:
        os.fsync = self

    def __exit__(self, *_: object) -> None:
        os.fsync = self._fsync


def run(forecaster: Forecaster, analysis: xr.Dataset, config: ForecastConfig, path: Path, flushes: Flushes) -> float:
    """Make a forecast; return the seconds that it took."""
    os.sync()
    with flushes:
        started = time.perf_counter()
        forecaster.run(analysis, INIT_TIME, config, path, overwrite=True)
        return time.perf_counter() - started


if __name__ == "__main__":
    main()
