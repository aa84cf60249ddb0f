"""Return levels: agreement with scipy, lmoments3 and pyextremes on one series, what intervals cover, and time.

python benchmarks/return_periods.py --peers PEERS/bin/python > benchmarks/return_periods.md

PEERS is an environment with `pip install pyextremes==2.6.1 lmoments3`. The series is made: forty years of a day's
maximum that remembers the day before.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from scipy import stats

from weatherml.extremes.return_periods import (
    Peaks,
    block_maxima,
    fit_gev,
    fit_gpd,
    likelihood,
    peaks_over_threshold,
    return_levels,
)
from weatherml.extremes.return_periods.families import GEV
from weatherml.extremes.return_periods.lmoments import sample_lmoments

THRESHOLD, SEED = 4.0, 3
RECORDS, RECORDS_BY_PROFILE = 500, 200
SHAPES = (-0.2, 0.0, 0.2)
PERIODS = [20.0, 100.0]


def daily(n_years=40):
    """Return daily values of forty years, of a memory of a day."""
    rng = np.random.default_rng(SEED)
    times = np.arange("1980-01-01", f"{1980 + n_years}-01-01", dtype="datetime64[D]").astype("datetime64[ns]")
    values = rng.gumbel(size=len(times))
    for day in range(1, len(values)):
        values[day] += 0.4 * values[day - 1]
    return xr.DataArray(values.astype(np.float32), {"time": times}, ("time",), attrs={"units": "K"})


def agreement(peers):
    """Print rows of what each finds."""
    series = daily()
    maxima, peaks = block_maxima(series), peaks_over_threshold(series, THRESHOLD, "3D")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "series.npz"
        np.savez(path, daily=series.values, times=series["time"].values, maxima=maxima.values, threshold=THRESHOLD)
        ran = subprocess.run([peers, Path(__file__).with_name("return_periods_peers.py"), path], capture_output=True)
    theirs = json.loads(ran.stdout) if ran.returncode == 0 else sys.exit(ran.stderr.decode())
    print("| what | weatherml | other | largest difference |\n|---|---|---|---|")
    own = fit_gev(maxima)
    row("GEV, L-moments: location, scale, shape", own.array, "lmoments3", theirs["lmoments"])
    own = fit_gev(maxima, "likelihood")
    row("GEV, likelihood: location, scale, shape", own.array, "scipy", theirs["likelihood"])
    own = np.sort(peaks.excess.values + THRESHOLD)
    same = len(own) == len(theirs["peaks"])
    told = f"{np.abs(own - np.sort(theirs['peaks'])).max():.1g}" if same else "other peaks"
    print(f"| peaks above {THRESHOLD:g}, three days apart | {len(own)} | pyextremes {len(theirs['peaks'])} | {told} |")
    fit = fit_gpd(peaks, "likelihood")
    levels = return_levels(fit, [10, 100], "delta")["level"].values
    row("GPD, likelihood: levels of 10 and 100 years", levels[0], "pyextremes", theirs["pot levels"][0])
    for number, bound in ((1, "lower"), (2, "upper")):
        by_delta = "their bootstrap of 200"
        row(f"{bound} bounds (95 %), delta", levels[number], by_delta, theirs["pot levels"][number])
    boot = return_levels(fit, [10, 100], "bootstrap", draws=200)["level"].values
    for number, bound in ((1, "lower"), (2, "upper")):
        row(f"{bound} bounds (95 %), bootstrap of 200", boot[number], "theirs", theirs["pot levels"][number])


def row(what, own, name, other):
    """Print numbers beside numbers."""
    own, other = np.asarray(own, float), np.asarray(other, float)
    told, others = (", ".join(f"{value:.4f}" for value in values) for values in (own, other))
    print(f"| {what} | {told} | {name} {others} | {np.abs(own - other).max():.1g} |")


def coverage():
    """Print how often intervals hold the truth."""
    print("| sample | shape | years | L-moments, bootstrap | likelihood, delta | likelihood, profile |")
    print("|---|---|---|---|---|---|")
    for n in (30, 60):
        for shape in SHAPES:
            truth = stats.genextreme.ppf(1 - 1 / np.array(PERIODS), -shape)
            shares(f"{n} yearly maxima", shape, truth, partial(fit_maxima, n, shape))
    for n in (10, 30):
        for shape in SHAPES:
            truth = stats.genpareto.ppf(1 - 1 / (5 * np.array(PERIODS)), shape)
            shares(f"peaks of {n} years, 5 a year", shape, truth, partial(fit_peaks, n, shape))


def fit_maxima(n_years, shape, method, n_records):
    """Fit to maxima of known distribution."""
    values = stats.genextreme.rvs(-shape, 0, 1, (n_years, n_records), random_state=SEED)
    return fit_gev(xr.DataArray(values, dims=("year", "record")), method)


def fit_peaks(n_years, shape, method, n_records):
    """Fit to peaks of known distribution, as many as chance has it."""
    rng = np.random.default_rng(SEED)
    counts = np.maximum(rng.poisson(5 * n_years, n_records), 5)
    values = stats.genpareto.rvs(shape, size=(counts.max(), n_records), random_state=rng)
    known = np.arange(counts.max())[:, None] < counts
    excess = xr.DataArray(np.where(known, values, np.nan), dims=("peak", "record"))
    nothing = xr.DataArray(np.zeros(n_records), dims="record")
    return fit_gpd(
        Peaks(excess, nothing, float(n_years), np.timedelta64(1, "D"), nothing + counts, nothing + 1), method
    )


def shares(what, shape, truth, fitted):
    """Print one row for each period."""
    ways = {
        "bootstrap": ("lmoments", RECORDS),
        "delta": ("likelihood", RECORDS),
        "profile": ("likelihood", RECORDS_BY_PROFILE),
    }
    found = {}
    for interval, (method, n) in ways.items():
        level = return_levels(fitted(method, n), PERIODS, interval, draws=300)["level"].values
        inside = (level[1] <= truth[:, None]) & (truth[:, None] <= level[2])
        width = np.median(level[2] - level[1], axis=-1)
        found[interval] = [f"{100 * own.mean():.0f} ({wide:.2g})" for own, wide in zip(inside, width, strict=True)]
    for position, years in enumerate(PERIODS):
        print(f"| {what} | {shape:g} | {years:g} | {' | '.join(own[position] for own in found.values())} |", flush=True)


def one_by_one(values):
    """Fit `[year, lat, lon]` as is done where Newton's steps do not get to a maximum."""
    records = values.reshape(len(values), -1).T.astype(np.float64)
    start = GEV.from_lmoments(*sample_lmoments(records))
    return [likelihood.fit(own, GEV, start[:, place]) for place, own in enumerate(records)]


def seconds():
    """Print processor time of a grid."""
    values = stats.genextreme.rvs(0.1, 300, 2, (40, 73, 144), random_state=SEED).astype(np.float32)
    maxima = xr.DataArray(values, dims=("year", "latitude", "longitude"))
    globe = xr.DataArray(stats.genextreme.rvs(0.1, 300, 2, (40, 181, 360), random_state=SEED), dims=maxima.dims)
    rows = {
        "fit by L-moments": lambda: fit_gev(maxima),
        "levels of 20 and 100 years, bootstrap of 500": lambda: return_levels(fit_gev(maxima), PERIODS),
        "fit by likelihood": lambda: fit_gev(maxima, "likelihood"),
        "of a globe of 1 degree, 181 x 360 places": lambda: fit_gev(globe, "likelihood"),
        "of 100 places one by one, by Nelder and Mead's search": lambda: one_by_one(maxima.values[:, :10, :10]),
        "fit of 100 places and a level of each by profile": lambda: return_levels(
            fit_gev(maxima[:, :10, :10], "likelihood"), [100], "profile"
        ),
    }
    print("| of 40 years at 73 x 144 places | processor seconds |\n|---|---|")
    for name, own in rows.items():
        begin = time.process_time()
        own()
        print(f"| {name} | {time.process_time() - begin:.2f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", required=True)
    print("# Return levels: agreement, coverage, time\n")
    print("    python benchmarks/return_periods.py --peers PEERS/bin/python > benchmarks/return_periods.md\n")
    print("## Agreement\n")
    agreement(parser.parse_args().peers)
    print("\n## Coverage\n")
    print(
        f"Share (%) of intervals of 95 % that hold the true level, of {RECORDS} records, {RECORDS_BY_PROFILE} for the"
    )
    print("profile (two standard errors are 2 and 3), and their median width in units of the scale: nan where one has")
    print("no interval by the delta method, as its likelihood has no curvature there, which counts as a miss.\n")
    coverage()
    print("\n## Time\n")
    seconds()
