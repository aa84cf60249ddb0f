"""What it takes to write members, to keep their statistics, and to convert: CPU time, peak memory, bytes.

    python benchmarks/forecast_output.py keep members|moments|quantiles N_LEADS N_BATCHES
    python benchmarks/forecast_output.py convert .nc|.grib2|.zarr N_LEADS

Members are noise in batches of ten; no model runs. Peak memory is that of the process, packages included.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from weatherml.forecast.output.members import MembersOutput
from weatherml.forecast.output.statistics import StatisticsOutput
from weatherml.forecast.plan.batches import Layout
from weatherml.forecast.statistics.accumulators import Counted
from weatherml.forecast.statistics.config import StatisticsConfig
from weatherml.forecast.workdir import Record, WorkDir
from weatherml.grid import LatLonGrid
from weatherml.process.heap import keep_freed_memory
from weatherml.products.convert import convert
from weatherml.products.store import open_forecast
from weatherml.state import StateSpec, parse_channels
from weatherml.variables import PRESETS

STATISTICS = {
    "moments": StatisticsConfig(minimum=True, maximum=True, thresholds={"t850": (280.0, 290.0)}),
    "quantiles": StatisticsConfig(quantiles=(0.1, 0.5, 0.9), sketch_size=32),
}


def main():
    keep_freed_memory()
    task, what, *sizes = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        {"keep": keep, "convert": convert_to}[task](Path(folder), what, *map(int, sizes))


def keep(folder, what, n_leads, n_batches):
    spec = StateSpec(parse_channels(PRESETS["planet"]), LatLonGrid.gaussian(32, 64))
    layout, path = make_layout(spec, n_leads, 10 * n_batches, min(n_leads, 20), 10), folder / "output.zarr"
    output = open_output(path, layout, STATISTICS.get(what))
    seconds, n_members = 0.0, 0
    for batch, lead, values in noise(layout, n_batches):
        started = time.process_time()
        output.write((0, lead), range(10 * batch, 10 * batch + values.shape[1]), values)
        seconds += time.process_time() - started
        n_members += values.shape[0] * values.shape[1]
        if lead + len(values) == n_leads:
            output.end_batches((batch,), ())
    output.finish()
    print(
        f"{what}, {n_leads} leads, {10 * n_batches} members: {1e3 * seconds / n_members:.2f} ms a member and lead,",
        end="",
    )
    print(f" peak {peak():.0f} MB, {size_of(path):.0f} of {layout.n_bytes / 1e6:.0f} MB written")


def convert_to(folder, ending, n_leads):
    spec = StateSpec(parse_channels(["z500", "t850", "t2m", "u10m"]), LatLonGrid.regular(181, 360))
    layout, path = make_layout(spec, n_leads, 5, 4, 5), folder / "forecast.zarr"
    output = open_output(path, layout)
    for _, lead, values in noise(layout, 1):
        output.write((0, lead), range(layout.shape[2]), np.cumsum(values - 250, axis=-1) / 20 + 250)
    output.end_batches((0,), ())
    forecast, before, started = output.finish(), peak(), time.process_time()
    convert(open_forecast(path), folder / f"converted{ending}")
    seconds, written = time.process_time() - started, size_of(folder / f"converted{ending}")
    print(f"{ending}, {forecast.nbytes / 1e6:.0f} MB: {seconds:.1f} s, {written:.0f} MB,", end="")
    print(f" peak {before:.0f} -> {peak():.0f} MB")


def open_output(path, layout, statistics=None):
    if statistics is None:
        return MembersOutput(WorkDir(path, "benchmark", Record(), overwrite=False), layout, {})
    nothing = Counted.nothing(len(layout.init_times))
    return StatisticsOutput(WorkDir(path, "benchmark", nothing, overwrite=False), layout, {}, statistics)


def make_layout(spec, n_leads, n_members, *chunk):
    init_times = np.array(["2020-01-01"], "datetime64[ns]")
    lead_times = np.arange(1, n_leads + 1) * np.timedelta64(6, "h").astype("timedelta64[ns]")
    return Layout(spec, init_times, lead_times, np.arange(n_members), chunk)


def noise(layout, n_batches):
    """Yield batch, first lead and values of each piece."""
    rng, (n_leads, n_together) = np.random.default_rng(0), layout.chunk
    for batch in range(n_batches):
        for lead in range(0, len(layout.lead_times), n_leads):
            yield batch, lead, rng.normal(250, 10, (n_leads, n_together, *layout.spec.shape)).astype(np.float32)


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def size_of(path):
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


if __name__ == "__main__":
    main()
