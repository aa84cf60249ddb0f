"""What memory a period of one, four and sixteen times the length takes: data in, learned from, judged.

    python benchmarks/growth.py FOLDER > benchmarks/growth.md

The made data, about 1.2 GB, are kept in FOLDER. Each job runs in a process of its own; its figure is the largest
resident memory while it ran above what the process held before, with everything imported and the data opened lazily.
"""

import argparse
import gc
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from weatherml.data.loading.loader import Loader
from weatherml.data.loading.order import Order
from weatherml.data.loading.samples import Samples
from weatherml.data.quality.check import check_dataset
from weatherml.data.statistics.accumulators.harmonics import Harmonics
from weatherml.data.statistics.channel_statistics import compute_statistics
from weatherml.data.statistics.climatology import Climatology
from weatherml.data.statistics.fitting import Fit, fit
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.data.store.ingest import ingest
from weatherml.data.store.opening import open_store
from weatherml.experiment.config import ExtremesConfig
from weatherml.experiment.judging.judgement import judge_event, judge_skill
from weatherml.extremes import local_quantile
from weatherml.grid import LatLonGrid
from weatherml.state import spec_of, with_metadata
from weatherml.verification import evaluate
from weatherml.verification.baselines import fit_damping

GRID = LatLonGrid.regular(64, 128, poles=False)
LEVELS = (250, 500, 850)
MEANS = {"geopotential": 5e4, "temperature": 260.0, "u_component_of_wind": 5.0, "2m_temperature": 285.0}
FACTORS = (1, 4, 16)
N_TIMES = 160
"""Of the period of length one: 50 MiB of fields. All share the store; a short period is its beginning."""
LEADS = (np.arange(1, 9) * np.timedelta64(12, "h")).astype("timedelta64[ns]")
BUDGET = 64 * 2**20
"""Bytes that what is told a memory may hold."""
MIB = 2**20


@dataclass(frozen=True)
class MadeSource:
    """Noise on a mean, drawn where it is read."""

    n_times: int
    name: str = "made"
    grid: LatLonGrid = GRID
    levels: tuple[int, ...] = LEVELS

    def digest(self) -> str:
        """Fingerprint."""
        return f"{self.n_times:064x}"

    def times(self) -> np.ndarray:
        """Six-hourly from 2001."""
        return np.datetime64("2001-01-01", "ns") + np.arange(self.n_times) * np.timedelta64(6, "h")

    def variables(self) -> tuple[str, ...]:
        """Four."""
        return tuple(MEANS)

    def read(self, times: np.ndarray, variables: tuple[str, ...]) -> xr.Dataset:
        """Draw."""
        rng = np.random.default_rng(int(times[0].astype(np.int64) % 2**32))
        horizontal = {"latitude": np.asarray(GRID.latitude), "longitude": np.asarray(GRID.longitude)}
        coords, fields = {"time": times, "level": np.array(LEVELS, np.int32), **horizontal}, {}
        for name in variables:
            dims = tuple(dim for dim in coords if dim != "level" or name != "2m_temperature")
            noise = rng.standard_normal([len(coords[dim]) for dim in dims], np.float32)
            fields[name] = (dims, np.float32(MEANS[name]) + 3 * np.round(noise, 2))
        return with_metadata(xr.Dataset(fields, coords))


def make(folder: Path) -> None:
    """Write the store and, of four initial times for each 160 times, forecasts of two members."""
    if not (folder / "data.zarr" / "manifest.json").exists():
        ingest(MadeSource(FACTORS[-1] * N_TIMES), folder / "data.zarr")
    if not (folder / "forecast.zarr").exists():
        times = MadeSource(FACTORS[-1] * N_TIMES).times()
        inits = times[: -int(LEADS[-1] / np.timedelta64(6, "h"))][:: N_TIMES // 4]
        for position, init in enumerate(inits):
            drawn = [MadeSource(1).read(init + LEADS + n * np.timedelta64(1, "h"), tuple(MEANS)) for n in range(2)]
            one = xr.concat([d.assign_coords(time=LEADS).rename(time="lead_time") for d in drawn], "number")
            one = (
                one.assign_coords(number=[0, 1]).expand_dims(init_time=[init]).transpose("init_time", "lead_time", ...)
            )
            where = {"mode": "w", "encoding": chunks(one)} if not position else {"append_dim": "init_time"}
            one.drop_vars("valid_time", errors="ignore").to_zarr(
                folder / "unfinished.zarr", consolidated=False, **where
            )
        (folder / "unfinished.zarr").rename(folder / "forecast.zarr")


def chunks(forecast: xr.Dataset) -> dict[str, dict[str, tuple[int, ...]]]:
    """Return an encoding with one lead of one init time in a chunk."""
    sizes = {name: dict(field.sizes, lead_time=1) for name, field in forecast.data_vars.items()}
    return {str(name): {"chunks": tuple(own.values())} for name, own in sizes.items()}


class Data:
    """A period of a length, opened lazily, and what was learned of the shortest."""

    def __init__(self, folder: Path, factor: int) -> None:
        self.folder, self.n_times = folder, factor * N_TIMES
        self.whole = open_store(folder / "data.zarr")
        self.analyses = self.whole.isel(time=slice(self.n_times))
        self.spec = spec_of(self.whole)
        first, last = self.analyses["time"].values[[0, -1]]
        self.period = (str(first), str(last))
        self.climatology = Climatology.fit(self.whole.isel(time=slice(40)), self.spec, self.period, 0, 1)
        forecast = xr.open_zarr(folder / "forecast.zarr", chunks=None, consolidated=False, decode_timedelta=True)
        inside = forecast["init_time"].values + LEADS[-1] <= last
        forecast = forecast.isel(init_time=slice(int(inside.sum())))
        self.forecast = with_metadata(forecast)


def do_ingest(data: Data) -> None:
    """To a store that is thrown away."""
    target = data.folder / f"again_{data.n_times}.zarr"
    subprocess.run(["rm", "-rf", str(target)], check=True)
    ingest(MadeSource(data.n_times), target)
    subprocess.run(["rm", "-rf", str(target)], check=True)


def do_check(data: Data) -> None:
    """All rules."""
    check_dataset(data.analyses)


def do_statistics(data: Data) -> None:
    """Climatology and statistics of anomalies."""
    wanted = Fit(data.spec, data.period, Harmonics(2, 1), None, True)
    target = data.folder / f"fit_{data.n_times}"
    target.mkdir(exist_ok=True)
    fit(data.analyses, wanted, target, memory=BUDGET)


def do_samples(data: Data) -> None:
    """As many batches of four as the period has, at most a hundred."""
    first, last = np.datetime_as_string(data.whole["time"].values[[0, 39]], "s")
    statistics = compute_statistics(data.whole, data.spec, (first, last))
    samples = Samples(
        data.analyses,
        Normalizer(statistics),
        Forcings((), GRID, statistics.time_step),
        1,
        data.period,
        BUDGET,
    )
    loader = Loader(samples, Order(len(samples), 4, 0))
    for _ in range(min(100, len(samples) // 4)):
        next(loader)
    loader.close()


def do_damping(data: Data) -> None:
    """Eight leads to four days."""
    fit_damping(data.analyses, data.climatology, LEADS, BUDGET)


def do_judging(data: Data) -> None:
    """Control, ensemble of two and three baselines, with damping."""
    judge_skill(data.forecast, data.analyses, data.analyses, data.climatology, lambda *_: None, BUDGET)


def do_evaluate(data: Data) -> None:
    """Four metrics, with the climatology."""
    evaluate(data.forecast, data.analyses, ["rmse", "acc", "crps_fair", "spread_skill"], data.climatology)


def do_quantile(data: Data) -> None:
    """The 95th percentile of all channels."""
    local_quantile(data.analyses, 0.95, data.period, BUDGET)


def do_event(data: Data) -> None:
    """Exceedance of the 95th percentile."""
    judge_event(
        data.forecast, data.analyses, ExtremesConfig(channel="t850", quantile=0.95), data.period, lambda *_: None
    )


JOBS = {
    "ingest": do_ingest,
    "check": do_check,
    "statistics and climatology": do_statistics,
    "samples": do_samples,
    "damping": do_damping,
    "judging": do_judging,
    "evaluate": do_evaluate,
    "local quantile": do_quantile,
    "verdict on an event": do_event,
}
TOLD = {"statistics and climatology", "samples", "damping", "judging", "local quantile"}


def resident(which: str) -> int:
    """Return bytes of resident memory: VmRSS now, VmHWM at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(which))


def measure(job: str, folder: Path, factor: int) -> None:
    """Print how much memory a job took above what there was, in bytes, and its seconds."""
    JOBS[job](Data(folder, 1)) if job in (
        "ingest",
        "check",
    ) else None  # loads what is imported late, and dask's threads
    data = Data(folder, factor)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, start = resident("VmRSS"), time.perf_counter()
    JOBS[job](data)
    print(resident("VmHWM") - before, time.perf_counter() - start)


def run(job: str, folder: Path, factor: int) -> tuple[float, float]:
    """Return MiB and seconds of a job in a process of its own."""
    call = [sys.executable, __file__, str(folder), "--job", job, "--factor", str(factor)]
    last = subprocess.run(call, check=True, capture_output=True, text=True, env=os.environ).stdout.splitlines()[-1]
    n_bytes, seconds = map(float, last.split())
    return n_bytes / MIB, seconds


def main() -> None:
    """Print the table, or one measurement."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--job", choices=JOBS)
    parser.add_argument("--factor", type=int, default=1)
    parser.add_argument("--only", nargs="*", choices=JOBS, default=list(JOBS))
    given = parser.parse_args()
    if given.job:
        return measure(given.job, given.folder, given.factor)
    given.folder.mkdir(parents=True, exist_ok=True)
    make(given.folder)
    one = N_TIMES * 4 * 10 * GRID.n_lat * GRID.n_lon
    print("# Memory by the length of the period\n")
    print("`python benchmarks/growth.py FOLDER > benchmarks/growth.md`: MiB above what the process held before, a")
    print(
        f"process each. Ten channels at {GRID.n_lat} x {GRID.n_lon}, 6-hourly; {one / MIB:.0f} MiB of fields at 1x.\n"
    )
    print("| job | memory it is told | 1x | 4x | 16x | seconds at 16x |")
    print("|---|---|---|---|---|---|")
    for job in given.only:
        results = [run(job, given.folder, factor) for factor in FACTORS]
        told = f"{BUDGET // MIB} MiB" if job in TOLD else "its own"
        print(
            f"| {job} | {told} | {' | '.join(f'{mib:.0f}' for mib, _ in results)} | {results[-1][1]:.0f} |", flush=True
        )
    return None


if __name__ == "__main__":
    main()
