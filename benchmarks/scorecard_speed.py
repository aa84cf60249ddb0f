"""How long a scorecard takes, and how much memory: 10 metrics x 70 channels x 40 lead times x 5 regions x 365 initial
times, of sums of statistics that are random numbers. Sums of a statistic are 410 MB a system.

python benchmarks/scorecard_speed.py ar2       # or any other method of intervals
"""

import resource
import sys
import time

import numpy as np
import xarray as xr

from weatherml.verification import StatisticSums, scorecard
from weatherml.verification.metrics.registry import find

METRICS = ["rmse", "mae", "mse", "bias", "acc", "activity", "crps", "crps_fair", "spread", "spread_skill"]
SIZES = {"init_time": 365, "lead_time": 40, "channel": 70, "region": 5}


def sums(seed):
    rng, dims = np.random.default_rng(seed), tuple(SIZES)
    shape = tuple(SIZES.values())
    names = dict.fromkeys(own.name for metric in METRICS for own in find(metric).statistics)
    variables = {name: (dims, 1 + rng.random(shape)) for name in names}
    variables["weight"] = variables["expected"] = (dims, np.ones(shape))
    variables["counted"] = (dims, np.ones(shape, np.int8))
    coords = {
        "init_time": np.datetime64("2020-01-01", "ns") + np.arange(SIZES["init_time"]) * np.timedelta64(1, "D"),
        "lead_time": np.arange(1, 1 + SIZES["lead_time"]) * np.timedelta64(6 * 3600 * 10**9, "ns"),
        "channel": [f"channel_{n}" for n in range(SIZES["channel"])],
        "region": [f"region_{n}" for n in range(SIZES["region"])],
    }
    return StatisticSums(xr.Dataset(variables, coords))


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main():
    method = sys.argv[1] if len(sys.argv) > 1 else "ar2"
    systems = [sums(seed) for seed in (0, 1)]
    before, began, busy = peak(), time.perf_counter(), time.process_time()
    card = scorecard(*systems, METRICS, interval=method)
    seconds, processor = time.perf_counter() - began, time.process_time() - busy
    n_cells = card["difference"].size
    print(f"| {method} | {n_cells:,} | {seconds:.1f} | {processor:.1f} | {before:.2f} | {peak() - before:.2f} |")


if __name__ == "__main__":
    main()
