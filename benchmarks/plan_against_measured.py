"""What `weatherml plan` says of memory and time against what a training step takes on this machine.

    python benchmarks/plan_against_measured.py > benchmarks/plan_against_measured.md

Every case is planned, then run, in processes of its own with a core for each device. Time is that of processors over
the number of devices, since other programs may be at work; rates of a core are measured in the same minute. Memory is
the largest resident set over that of the same process without the arrays of the training, both after a first step.
"""

import argparse
import ctypes
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

CONFIGS = Path(__file__).parents[1] / "configs"
MEMORY, TIME = 0.15, 0.30
"""What a plan may be wrong by."""

CASES = {
    "FourCastNet 32 x 64, width 32": ("smoke", "32x64", 1, []),
    "FourCastNet 32 x 64, width 128": ("planet", "32x64", 1, []),
    "FourCastNet 64 x 128, width 128": ("planet", "64x128", 1, ["training.batch_size=8"]),
    "FourCastNet 64 x 128, width 256": ("planet", "64x128", 1, ["training.batch_size=8", "model.width=256"]),
    "FourCastNet, two model steps": ("planet", "32x64", 1, ["training.stages.0.rollout=2"]),
    "FourCastNet, blocks computed again": ("planet", "32x64", 1, ["training.device_memory.remat=blocks"]),
    "FourCastNet, four parts of a batch": ("planet", "32x64", 1, ["training.device_memory.accumulate=4"]),
    "Pangu 32 x 64": ("planet", "32x64", 1, ["model=pangu_5p6deg", "training.batch_size=4"]),
    "Pangu 64 x 128": ("planet", "64x128", 1, ["model=pangu_5p6deg", "training.batch_size=2"]),
    "Pangu, attention kept": (
        "planet",
        "32x64",
        1,
        ["model=pangu_5p6deg", "training.batch_size=4", "training.device_memory.remat=attention"],
    ),
    "SFNO 32 x 64": ("planet_sfno", "32x64", 1, ["model.truncation=null"]),
    "SFNO 64 x 128": ("planet_sfno", "64x128", 1, ["training.batch_size=8"]),
    "FourCastNet, data 2": ("planet", "32x64", 2, []),
    "FourCastNet, fsdp 2": ("planet", "32x64", 2, ["training.mesh.fsdp=2"]),
    "FourCastNet, spatial 2": ("planet", "32x64", 2, ["training.mesh.spatial=2"]),
    "FourCastNet, tensor 2": ("planet", "32x64", 2, ["training.mesh.tensor=2"]),
    "Pangu, data 2": ("planet", "32x64", 2, ["model=pangu_5p6deg", "training.batch_size=4"]),
    "SFNO, data 2": ("planet_sfno", "32x64", 2, ["model.truncation=null"]),
}


def problem_of(case):
    from weatherml.config import load_yaml
    from weatherml.experiment import ExperimentConfig
    from weatherml.plan.problem import Problem, parse_grid

    config, grid, _, changes = CASES[case]
    content = load_yaml(ExperimentConfig, CONFIGS / f"{config}.yaml", changes)
    return Problem.of(content, Path("."), parse_grid(grid))


def in_process(case, repeats, part):
    """Plan and measure a part of a case on as many cores as there are devices, and return what was found."""
    flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={CASES[case][2]}", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, __file__, "--case", case, "--repeats", str(repeats), "--part", part]
    done = subprocess.run(command, env=os.environ | flags, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def plan_and_measure(case, repeats, part):
    """Bytes of all devices, or seconds of one, planned and measured.

    Memory is measured where what is freed goes back to the kernel, time where it stays, as in the program; that is
    settled before the first computation, so each has a process of its own.
    """
    from weatherml.plan.calibration import measure_rates
    from weatherml.plan.compiling import compile_here
    from weatherml.plan.estimate import Machine, memory_by_part
    from weatherml.process.heap import keep_freed_memory

    n_devices = CASES[case][2]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:n_devices])
    if part == "time":
        keep_freed_memory()
    compiled = compile_here(problem_of(case), 0)
    program, arguments = build(case)
    if part == "memory":
        parts = memory_by_part(compiled)
        planned = n_devices * (sum(parts.values()) - parts["next batch"])
        return {"memory": planned, "real memory": measure_memory(program, arguments)}
    rates = measure_rates(time.process_time)
    parts = Machine(None, rates, 1).seconds(compiled, 0)
    measured = measure_time(program, arguments, repeats) / n_devices
    return {"seconds": sum(parts.values()), "parts": parts, "real seconds": measured}


def build(case):
    """The compiled step of a case, and what makes its arguments."""
    import jax
    import jax.numpy as jnp

    from weatherml.plan.program import Program

    program = Program(problem_of(case))
    compiled = program.trace(0).lower().compile()
    shapes = (program.state, program.update.told, program.batch(0))

    def arguments():
        leaves, tree = jax.tree.flatten(shapes)
        return jax.tree.unflatten(tree, [jax.jit(lambda s=s: fill(s), out_shardings=s.sharding)() for s in leaves])

    def fill(shape):
        if jnp.issubdtype(shape.dtype, jnp.floating):
            return (0.02 * jnp.sin(jnp.arange(shape.size, dtype=jnp.float32))).reshape(shape.shape).astype(shape.dtype)
        return jnp.ones(shape.shape, shape.dtype) if shape.dtype == bool else jnp.zeros(shape.shape, shape.dtype)

    return compiled, arguments


def measure_time(program, arguments, repeats):
    """The least time of processors that a step takes."""
    import jax

    state, told, batch = arguments()
    spent = []
    for _ in range(repeats):
        before = time.process_time()
        state, outcome = program(state, told, batch)
        jax.block_until_ready((state, outcome))
        spent.append(time.process_time() - before)
    return min(spent[1:])


def measure_memory(program, arguments):
    """What two steps add to the resident set of a process that has done two before."""
    import jax

    def steps():
        state, told, batch = arguments()
        open("/proc/self/clear_refs", "w").write("5")  # forget the peak so far
        for _ in range(2):
            state, outcome = program(state, told, batch)
            jax.block_until_ready((state, outcome))
        return resident("VmHWM")

    steps()
    ctypes.CDLL(None).malloc_trim(0)
    resting = resident("VmRSS")
    return steps() - resting


def resident(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field))


def row(case, repeats):
    found = in_process(case, repeats, "memory") | in_process(case, repeats, "time")
    memory, real_memory, seconds, real_seconds = (
        found[key] for key in ("memory", "real memory", "seconds", "real seconds")
    )
    errors = memory / real_memory - 1, seconds / real_seconds - 1
    marks = ["" if abs(e) <= most else " (missed)" for e, most in zip(errors, (MEMORY, TIME), strict=True)]
    largest = max(found["parts"], key=found["parts"].get)
    print(
        f"| {case} | {CASES[case][2]} | {memory / 2**20:.0f} | {real_memory / 2**20:.0f} | {errors[0]:+.0%}{marks[0]} |"
        f" {1e3 * seconds:.1f} | {1e3 * real_seconds:.1f} | {errors[1]:+.0%}{marks[1]} | {largest} |",
        flush=True,
    )
    return errors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", help="one case, in this process")
    parser.add_argument("--part", choices=["memory", "time"], help="of one case, in this process")
    parser.add_argument("--repeats", type=int, default=6, help="steps that are timed")
    parser.add_argument("--only", default="", help="cases whose name has this")
    options = parser.parse_args()
    if options.case:
        print(json.dumps(plan_and_measure(options.case, options.repeats, options.part)))
        return
    import jax

    print("# Plans against what was measured\n\n    python benchmarks/plan_against_measured.py\n")
    load = os.getloadavg()[0]
    cores = len(os.sched_getaffinity(0))
    print(f"{platform.machine()}, {cores} cores, load {load:.0f} at the beginning, jax {jax.__version__}.\n")
    print("| case | devices | MiB planned | measured | error | ms planned | measured | error | most of it |")
    print("|---|---|---|---|---|---|---|---|---|")
    errors = [row(case, options.repeats) for case in CASES if options.only in case]
    for name, place, most in (("memory", 0, MEMORY), ("time", 1, TIME)):
        within = sum(abs(error[place]) <= most for error in errors)
        print(f"\n{name}: {within} of {len(errors)} within {most:.0%}.")


if __name__ == "__main__":
    main()
