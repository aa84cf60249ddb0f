"""What a training step takes as the problem grows, and as devices share it, beside what the plan projects.

    python benchmarks/training_scaling.py > benchmarks/training_scaling.md

Each row runs in processes of its own: the compiled optimiser step on arrays that lie on the devices. Times are of the
clock, the median of steps after the first two, so nothing else should run. Devices of a CPU: `virtual` ones are threads
of one process, `processes` are real ones that meet on loopback; all rows of a table have the same cores.
"""

import argparse
import contextlib
import json
import os
import platform
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

CONFIGS = Path(__file__).parents[1] / "configs"
N_CORES = len(os.sched_getaffinity(0))
CHANNELS = [
    f"{name}{level}" for name in "ztuv" for level in (50, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000)
]


@dataclass(frozen=True)
class Case:
    """A training step, and on what it runs.

    Attributes:
        grid: Rows x columns.
        changes: Of configs/planet.yaml.
        batch: Samples of a step, over all devices.
        n_devices: Of all processes.
        n_processes: That share them.
        n_cores: Of all processes.
    """

    grid: str
    changes: tuple[str, ...] = ()
    batch: int = 16
    n_devices: int = 1
    n_processes: int = 1
    n_cores: int = N_CORES


def width(n):
    return (f"model.width={n}",)


def channels(n):
    return f"channels=[{','.join(CHANNELS[:n])}]", "forecast.channels=null", "extremes=null"


def mesh(**axes):
    return tuple(f"training.mesh.{name}={size}" for name, size in axes.items())


SIZES = [
    *(("grid", Case(grid)) for grid in ("16x32", "32x64", "64x128", "128x256")),
    *(("width", Case("32x64", width(n))) for n in (64, 256, 512)),
    *(("channels", Case("32x64", channels(n))) for n in (4, 48)),
    *(("batch", Case("32x64", batch=n)) for n in (1, 4, 64)),
    *(("Pangu-Weather, grid", Case(grid, ("model=pangu_5p6deg",), 2)) for grid in ("32x64", "64x128")),
]
"""One thing is larger in each row than in configs/planet.yaml on 32 x 64 cells, all cores on one device."""

SHARED = [
    ("one device", Case("64x128")),
    ("data 2, virtual", Case("64x128", n_devices=2)),
    ("data 2, processes", Case("64x128", n_devices=2, n_processes=2)),
    ("fsdp 2, virtual", Case("64x128", mesh(fsdp=2), n_devices=2)),
    ("fsdp 2, processes", Case("64x128", mesh(fsdp=2), n_devices=2, n_processes=2)),
    ("spatial 2, virtual", Case("64x128", mesh(spatial=2), n_devices=2)),
    ("spatial 2, processes", Case("64x128", mesh(spatial=2), n_devices=2, n_processes=2)),
    ("tensor 2, virtual", Case("64x128", mesh(tensor=2), n_devices=2)),
    ("data 4, virtual", Case("64x128", n_devices=4)),
    ("data 8, virtual", Case("64x128", n_devices=8)),
    ("data 4, four processes", Case("64x128", n_devices=4, n_processes=4)),
]
"""One batch of 16 on the same cores, shared by more and more devices."""

ALONE = [("one device of one core", n, Case("64x128", batch=16 // n, n_cores=1)) for n in (1, 2)]
"""What a device of two would take for its half, if nobody talked."""


def measure(case, index, port, repeats):
    """Run a case in this process, which is one of its processes; return what the first of them finds."""
    from weatherml.parallel import Processes, join, leave
    from weatherml.process.heap import keep_freed_memory

    keep_freed_memory()  # as the program does
    if case.n_processes > 1:
        join(Processes(index, case.n_processes, f"127.0.0.1:{port}"))
    problem = problem_of(case)
    step = build(problem)
    seconds = timed(step, repeats)
    found = {"seconds": seconds, "parameters": step.n_parameters, "operations": step.operations}
    if case.n_processes == 1:
        found |= planned(problem, case)
    if case.n_processes > 1:
        leave()
    return found


def problem_of(case):
    """Return the training of a case."""
    from weatherml.config import load_yaml
    from weatherml.experiment import ExperimentConfig
    from weatherml.plan.problem import Problem, parse_grid

    changes = [*case.changes, f"training.batch_size={case.batch}"]
    content = load_yaml(ExperimentConfig, CONFIGS / "planet.yaml", changes)
    return Problem.of(content, Path("."), parse_grid(case.grid))


@dataclass(frozen=True)
class Step:
    """A compiled optimiser step, what makes its arguments, its parameters and operations over all devices."""

    program: object
    arguments: object
    n_parameters: int
    operations: float


def build(problem):
    import jax
    import jax.numpy as jnp

    from weatherml.plan.counting import count
    from weatherml.plan.estimate import flops_of
    from weatherml.plan.program import Program

    program = Program(problem)
    traced = program.trace(0)
    shapes = (program.state, program.update.told, program.batch(0))

    def fill(shape):
        if jnp.issubdtype(shape.dtype, jnp.floating):
            return (0.02 * jnp.sin(jnp.arange(shape.size, dtype=jnp.float32))).reshape(shape.shape).astype(shape.dtype)
        return jnp.ones(shape.shape, shape.dtype) if shape.dtype == bool else jnp.zeros(shape.shape, shape.dtype)

    def arguments():
        leaves, tree = jax.tree.flatten(shapes)
        return jax.tree.unflatten(tree, [jax.jit(lambda s=s: fill(s), out_shardings=s.sharding)() for s in leaves])

    n_parameters = sum(weight.size for weight in program.state.weights.values())
    return Step(traced.lower().compile(), arguments, n_parameters, flops_of(count(traced.jaxpr)))


def timed(step, repeats):
    """Return the median time of a step by the clock."""
    import jax
    import numpy as np

    state, told, batch = step.arguments()
    spent = []
    for _ in range(repeats + 2):
        before = time.perf_counter()
        state, outcome = step.program(state, told, batch)
        jax.block_until_ready((state, outcome))
        spent.append(time.perf_counter() - before)
    return float(np.median(spent[2:]))


def planned(problem, case):
    """Return what the plan says of a step on the cores of this process: its seconds, and a device's bytes."""
    from weatherml.plan.calibration import measure_rates
    from weatherml.plan.compiling import compile_here
    from weatherml.plan.estimate import Machine, memory_by_part

    compiled = compile_here(problem, 0)
    rates = measure_rates()
    parts = Machine(None, rates, case.n_devices).seconds(compiled, 0)
    return {
        "planned seconds": sum(parts.values()),
        "planned exchange": parts["exchange within a node"],
        "memory": sum(memory_by_part(compiled).values()),
        "sent": sum(exchange.n_bytes for exchange in compiled.exchanges),
        "product rate": rates.fastest_product,
    }


def run(case, repeats):
    """Run a case in processes of its own, each with its share of the cores, and return what the first found."""
    cores = sorted(os.sched_getaffinity(0))[: case.n_cores]
    n_each = max(1, len(cores) // case.n_processes)
    flags = f"--xla_force_host_platform_device_count={case.n_devices // case.n_processes}"
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    port = free_port()
    started = []
    for index in range(case.n_processes):
        first = index * n_each % len(cores)
        own = ",".join(map(str, cores[first : first + n_each]))
        told = json.dumps(asdict(case))
        command = [sys.executable, __file__, "--case", told, "--index", str(index), "--port", str(port)]
        command += ["--cores", own, "--repeats", str(repeats)]
        started.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
    answers = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise SystemExit(f"{case} ended with {[process.returncode for process in started]}")
    return json.loads(answers[0].splitlines()[-1])


def free_port():
    with contextlib.closing(socket.socket()) as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


def size_row(what, case, repeats):
    found = run(case, repeats)
    seconds, rate = found["seconds"], found["operations"] / found["seconds"]
    size = (
        f"{case.grid}, {found['parameters'] / 1e6:.2f} M, batch {case.batch}{''.join(f', {c}' for c in case.changes)}"
    )
    size = (
        size if len(size) < 70 else f"{case.grid}, {found['parameters'] / 1e6:.2f} M, {case.changes[0].count(',') + 1}"
    )
    print(
        f"| {what} | {size} | {1e3 * seconds:.1f} | {1e3 * found['planned seconds']:.1f} |"
        f" {found['planned seconds'] / seconds - 1:+.0%} | {rate / 1e9:.1f} | {rate / found['product rate']:.0%} |"
        f" {found['memory'] / 2**20:.0f} |",
        flush=True,
    )


def sizes(repeats):
    print("## The problem grows, one device\n")
    print("| grows | grid, parameters, batch | ms a step | plan | error | GFLOP/s | of the product rate | MiB |")
    print("|---|---|---|---|---|---|---|---|")
    for what, case in SIZES:
        size_row(what, case, repeats)


def devices(repeats):
    print("\n## The same step on the same cores, shared by devices\n")
    print(
        "| shared by | ms a step | of one device's | plan, ms | MiB a device | sent by each, MB | of the plan's time |"
    )
    print("|---|---|---|---|---|---|---|")
    alone, plans = None, {}
    for what, case in SHARED:
        found = run(case, repeats)
        alone = alone or found["seconds"]
        key = (case.changes, case.n_devices)
        plans.setdefault(key, found)
        plan = plans[key]
        told = "| | | | |"
        if "planned seconds" in plan:
            told = (
                f"| {1e3 * plan['planned seconds']:.0f} | {plan['memory'] / 2**20:.0f} | {plan['sent'] / 1e6:.2f} |"
                f" {plan['planned exchange'] / plan['planned seconds']:.1%} |"
            )
        print(f"| {what} | {1e3 * found['seconds']:.1f} | {found['seconds'] / alone:.2f} {told}", flush=True)
    print("\n## What one core takes alone\n")
    print("| samples | ms a step |\n|---|---|")
    for _, n, case in ALONE:
        print(f"| {16 // n} | {1e3 * run(case, repeats)['seconds']:.1f} |", flush=True)


def in_turns(rounds, repeats):
    """Two processes of one core each against one process of two, in turns."""
    import numpy as np

    print("\n## Two processes of a core each against one of two cores, in turns\n")
    print("| step | one process, ms | two processes, ms | ratio of each turn | median |")
    print("|---|---|---|---|---|")
    for name, grid, batch, changes in (
        ("FourCastNet, width 128", "32x64", 16, ()),
        ("FourCastNet, width 128", "64x128", 16, ()),
        ("FourCastNet, width 256", "64x128", 16, width(256)),
    ):
        pairs = []
        for _ in range(rounds):
            pairs.append([run(Case(grid, changes, batch, n, n), repeats)["seconds"] for n in (1, 2)])
        ratios = [two / one for one, two in pairs]
        one, two = 1e3 * np.median(pairs, axis=0)
        told = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"| {name}, {grid} | {one:.1f} | {two:.1f} | {told} | {np.median(ratios):.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", help="one case as JSON, in this process")
    parser.add_argument("--index", type=int, default=0)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--cores", default="")
    parser.add_argument("--repeats", type=int, default=8, help="steps that are timed")
    parser.add_argument("--rounds", type=int, default=5, help="turns of one process and two")
    parser.add_argument("--only", choices=["sizes", "devices", "processes"])
    options = parser.parse_args()
    if options.case:
        os.sched_setaffinity(0, set(map(int, options.cores.split(","))))
        told = json.loads(options.case)
        case = Case(**(told | {"changes": tuple(told["changes"])}))
        print(json.dumps(measure(case, options.index, options.port, options.repeats)))
        return
    import jax

    print("# How a training step scales\n\n    python benchmarks/training_scaling.py\n")
    print(
        f"{platform.machine()}, {N_CORES} cores, load {os.getloadavg()[0]:.1f} at the beginning,"
        f" jax {jax.__version__}.\n"
    )
    if options.only in (None, "sizes"):
        sizes(options.repeats)
    if options.only in (None, "devices"):
        devices(options.repeats)
    if options.only in (None, "processes"):
        in_turns(options.rounds, options.repeats)


if __name__ == "__main__":
    main()
