"""Forecasts from files to files: against a loop in PyTorch, and what writing and the batch cost; on the CPU, float32.

    pip install -e '.[benchmark]'
    python benchmarks/rollout_vs_torch.py --image docs/images/forecast_memory.png > benchmarks/rollout_vs_torch.md

It takes a quarter of an hour on two idle cores; `--quick` leaves out what is long or large.

The network is the demonstration's FourCastNet with random weights, whose states stay bounded; there are no forcings.
Every forecast runs in a fresh process with all its cores; the sides take turns, and the least of their repeats counts.
What is timed begins with the files of the weights and the analysis, includes compilation, and ends when the forecast
is on disk; the second forecast in the same process is given beside it. Memory is the peak of the whole process after
the first one. Both sides start from the same analysis, perturb members by Gaussian noise, advance as many of them at
once, keep every step, and the control of both must be the same.
"""

import argparse
import itertools
import multiprocessing
import os
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rollout_sides import BATCH, CLIMATE, NETWORK, SIDES, prepare
from versus import resident_mib


@dataclass(frozen=True)
class Job:
    """A forecast to measure.

    Attributes:
        side: Of `SIDES`.
        repeats: Fresh processes.
        again: Whether each makes a second forecast.
    """

    side: str
    n_steps: int
    n_members: int
    repeats: int = 1
    again: bool = False

    @property
    def loop_mib(self):
        """What the loop in PyTorch needs for its arrays at least, MiB: the batches and the members joined."""
        return 2 * 4 * NETWORK.channels * np.prod(NETWORK.shape) * self.n_steps * self.n_members / 2**20


def in_fresh_process(function, *arguments):
    """Return what a function returns in a process of its own."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=send_result, args=(sender, function, *arguments))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        sys.exit(f"{function.__name__}{arguments} failed")
    finally:
        process.join()


def send_result(sender, function, *arguments):
    sender.send(function(*arguments))


def measure(job, folder):
    """Return seconds of the first and the second forecast, CPU seconds, peak memory in MiB, and MB written."""
    forecast = SIDES[job.side](folder)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        first, again = Path(scratch) / "first", Path(scratch) / "again"
        wall, cpu = clocked(forecast, job.n_members, job.n_steps, first)
        peak, written = resident_mib("VmHWM"), size_of(first) / 1e6
        warm = clocked(forecast, job.n_members, job.n_steps, again)[0] if job.again else np.nan
    return wall, warm, cpu, peak, written


def clocked(function, *arguments):
    """Return the seconds that a call takes, by the wall clock and of the CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    function(*arguments)
    return time.perf_counter() - wall, time.process_time() - cpu


def size_of(path):
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def imported(side, folder):
    """Return seconds and peak memory in MiB of the imports alone."""
    return clocked(SIDES[side], folder)[0], resident_mib("VmHWM")


def control_error(folder, n_steps=4):
    """Return the largest difference between the controls of both sides, in standard deviations."""
    import xarray as xr

    from weatherml.products.store import open_forecast

    paths = [folder / "ours", folder / "theirs"]
    for side, path in zip(("weatherml", "PyTorch, NetCDF"), paths, strict=True):
        in_fresh_process(make, side, folder, n_steps, path)
    ours, theirs = open_forecast(paths[0]).isel(init_time=0, number=0), xr.open_dataset(paths[1]).isel(number=0)
    return max(float(abs(ours[name] - theirs[name].values).max()) / std for name, (_, std) in CLIMATE.items())


def make(side, folder, n_steps, path):
    SIDES[side](folder)(2, n_steps, path)


# What writing adds to the rollout, and what the batch does to it.


class Watched:
    """Notes when each piece is written by a class of outputs, to nowhere while it `discards`."""

    def __init__(self, output, discards):
        self.spans, self.discards, write = [], discards, output.write

        def watched(output, start, places, values):
            began = time.perf_counter()
            if not self.discards:
                write(output, start, places, values)
            self.spans.append((began, time.perf_counter()))

        output.write = watched

    @property
    def seconds(self):
        return sum(end - began for began, end in self.spans)

    @property
    def overlap(self):
        """Share of the writing during which the next piece was still being computed: the writer had to wait for it."""
        waited = [following - end > 1e-3 for (_, end), (following, _) in itertools.pairwise(self.spans)]
        hidden = sum(end - began for (began, end), is_hidden in zip(self.spans, waited, strict=False) if is_hidden)
        return hidden / self.seconds


def write_costs(folder, n_steps, n_members, repeats):
    """Return, by what is kept, least seconds of a forecast, and of those its writing and how much of it overlaps."""
    from weatherml.forecast.output.members import MembersOutput
    from weatherml.forecast.output.statistics import StatisticsOutput

    members, statistics = Watched(MembersOutput, discards=True), Watched(StatisticsOutput, discards=False)
    outputs = {"nothing": members, "members": members, "statistics": statistics}
    sides = {kept: SIDES["weatherml, statistics" if kept == "statistics" else "weatherml"](folder) for kept in outputs}
    runs = {kept: [] for kept in outputs}
    for _ in range(1 + repeats):
        for kept, output in outputs.items():
            output.discards = kept == "nothing"
            output.spans.clear()
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                wall, cpu = clocked(sides[kept], n_members, n_steps, Path(scratch) / "output")
            runs[kept].append((wall, cpu, output.seconds, output.overlap))
    return {kept: min(own[1:]) for kept, own in runs.items()}  # the first of each compiles


def throughput(batch, folder, n_steps, n_members, repeats):
    """Return the most members times steps a second."""
    from weatherml.forecast.output.members import MembersOutput

    forecast = SIDES["weatherml"](folder)
    Watched(MembersOutput, discards=True)
    seconds = []
    for _ in range(1 + repeats):
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            seconds.append(clocked(forecast, n_members, n_steps, Path(scratch) / "output", batch)[0])
    return n_members * n_steps / min(seconds[1:])


# Tables.


def print_comparison(folder, jobs, memory_limit):
    """Print a table of all jobs, and return the peak memory of those that ran."""
    print("## Against PyTorch\n\n| forecast | side | wall, s | again, s | CPU, s | peak memory, MiB | written, MB |")
    print("|---|---|---|---|---|---|---|")
    for side in ("weatherml", "PyTorch, NetCDF"):
        seconds, peak = in_fresh_process(imported, side, folder)
        print(f"| imports alone | {side} | {seconds:.1f} | | | {peak:.0f} | |", flush=True)
    peaks = {}
    for case, group in itertools.groupby(jobs, key=lambda job: f"{job.n_steps} steps, {job.n_members:,} members"):
        group = list(group)
        fitting = [job for job in group if "PyTorch" not in job.side or job.loop_mib < memory_limit]
        runs = {job: [] for job in fitting}
        for _ in range(max(job.repeats for job in group)):
            for job in fitting:
                runs[job].append(in_fresh_process(measure, job, folder))
        for job in group:
            cells = case, job.side, *(described(runs[job]) if job in runs else refusal(job))
            print(f"| {' | '.join(cells)} |", flush=True)
        peaks |= {job: min(peak for _, _, _, peak, _ in runs[job]) for job in fitting}
    return peaks


def described(runs):
    """Return the cells of what `measure` returned several times."""
    wall, again, cpu, peak, written = np.min(runs, axis=0)
    second = "" if np.isnan(again) else f"{again:.1f}"
    return f"{wall:.1f}", second, f"{cpu:.1f}", f"{peak:,.0f}", f"{written:,.0f}"


def refusal(job):
    return f"not run: needs {job.loop_mib:,.0f} MiB for its arrays", "", "", "", ""


def print_write_costs(folder, cases):
    """Print what it costs to keep members and statistics above a rollout that keeps nothing."""
    print("\n## Writing beside computing\n")
    print("Forecasts of one process in turns, the least of each after the first. Overlap is the share of the writing")
    print("during which the next piece was still being computed.\n")
    print("| forecast | kept | wall, s | of keeping nothing | CPU, s | writing, s | overlap |")
    print("|---|---|---|---|---|---|---|")
    for n_steps, n_members, repeats in cases:
        costs = in_fresh_process(write_costs, folder, n_steps, n_members, repeats)
        for kept, (wall, cpu, writing, overlap) in costs.items():
            shares = ["", ""] if kept == "nothing" else [f"{writing:.2f}", f"{overlap:.0%}"]
            ratio = f"{wall / costs['nothing'][0]:.2f}"
            cells = [f"{n_steps} steps, {n_members} members", kept, f"{wall:.2f}", ratio, f"{cpu:.2f}", *shares]
            print(f"| {' | '.join(cells)} |", flush=True)


def print_throughput(folder):
    """Print members times steps a second by batch."""
    print("\n## Members at once\n\n40 members of 20 steps, nothing kept.\n")
    rates = {batch: in_fresh_process(throughput, batch, folder, 20, 40, 2) for batch in (1, 2, 5, 10, 20, 40)}
    print(f"| batch | {' | '.join(map(str, rates))} |\n|---{'|---' * len(rates)}|")
    print(f"| members x steps a second | {' | '.join(f'{rate:.0f}' for rate in rates.values())} |", flush=True)


def draw_memory(peaks, path):
    """Draw peak memory against steps and against members."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
    shortest, smallest = min(job.n_steps for job in peaks), min(job.n_members for job in peaks)
    curves = (
        (f"steps ({smallest} members)", {job: job.n_steps for job in peaks if job.n_members == smallest}),
        (f"members ({shortest} steps)", {job: job.n_members for job in peaks if job.n_steps == shortest}),
    )
    for axis, (label, positions) in zip(axes, curves, strict=True):
        for side in SIDES:
            line = sorted((x, peaks[job]) for job, x in positions.items() if job.side == side)
            axis.loglog(*zip(*line, strict=True), marker="o", markersize=4, label=side)
        ticks = sorted(set(positions.values()))
        axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axis.minorticks_off()
        axis.set_xlabel(label)
    ticks = [250, 500, 1000, 2000, 4000, 8000, 16000]
    axes[0].set_yticks(ticks, [f"{tick:,}" for tick in ticks])
    axes[0].set_ylabel("peak memory of the process, MiB")
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


def all_jobs(is_quick):
    """Return jobs; those of one forecast follow each other."""
    jobs = [Job(side, 40, 10, repeats=3, again=True) for side in SIDES]
    jobs += [Job(side, 160, 10, repeats=2) for side in SIDES]
    if not is_quick:
        jobs += [Job(side, 640, 10) for side in SIDES]
    jobs += [Job(side, 40, 100) for side in SIDES]
    if not is_quick:
        jobs += [Job(side, 40, 1000) for side in SIDES if side != "PyTorch, zarr"]
    return jobs


def print_head(error):
    from importlib.metadata import version

    cores = f"{len(os.sched_getaffinity(0))} ({platform.machine()})"
    versions = ", ".join(f"{package} {version(package)}" for package in ("jax", "torch", "xarray", "zarr"))
    print(f"# A rollout against PyTorch\n\n`python {' '.join(sys.argv)}`,\ncores: {cores}, {versions}, float32.\n")
    print(f"The controls of both sides differ by at most {error:.0e} standard deviations after four steps.")
    print(
        "Wall time is from the files of weights and analysis to the finished forecast in a fresh process, compilation"
    )
    print("included; again: the second forecast in that process. Memory is the peak of the process after the first.")
    print(f"Both advance {BATCH} members at once.\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="leave out 640 steps and 1,000 members")
    parser.add_argument("--memory-limit", type=float, default=12, help="of the loop's arrays, GiB; above it is not run")
    parser.add_argument("--image", type=Path, help="where to draw the memory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        in_fresh_process(prepare, folder)
        error = in_fresh_process(control_error, folder)
        if not error < 1e-4:
            sys.exit(f"the controls differ by {error:.1e} standard deviations")
        print_head(error)
        peaks = print_comparison(folder, all_jobs(options.quick), 1024 * options.memory_limit)
        print_write_costs(folder, [(40, 10, 3), (160, 10, 2), (40, 50, 2)])
        print_throughput(folder)
    if options.image:
        draw_memory(peaks, options.image)


if __name__ == "__main__":
    main()
