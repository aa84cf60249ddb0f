"""What one accelerator does of a training, in less than ten minutes: to run where a GPU is at hand for a while.

    python benchmarks/accelerator.py > benchmarks/accelerator.md
    JAX_PLATFORMS=cpu python benchmarks/accelerator.py --small     # all of it on two cores, in a minute or two

Rates of matrix products and of memory; whether small networks learn what they learn on the CPU; the training step of
FourCastNet and Pangu-Weather as published, in bfloat16, beside what `weatherml plan` says of it; what the loop adds.
Every part runs in a process of its own, with a limit of time; of what has not come by then a line says so.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONFIGS, TESTS = HERE.parent / "configs", HERE.parent / "tests"
IN_ALL = 590.0
"""Seconds after which no part begins."""


@dataclass(frozen=True)
class Case:
    """A training step.

    Attributes:
        config: Name of a configuration.
        grid: Rows x columns.
        changes: Of the configuration.
        goal: Share of the measured rate of bfloat16 products that a step should reach; None where none is set.
        small: What stands for it where everything is small.
    """

    config: str
    grid: str
    changes: tuple[str, ...]
    goal: float | None
    small: tuple[str, str, tuple[str, ...]]


FOURCASTNET = ("planet", "32x64", ("training.batch_size=4",))
PANGU = ("planet", "32x64", ("model=pangu_5p6deg", "training.batch_size=1", "training.device_memory.remat=blocks"))
AS_0_1, ERA5 = "channels=fourcastnet_0.1", "era5_0p25deg_fourcastnet"
ONE, AGAIN = "training.batch_size=1", "training.device_memory.remat=blocks"
DAILY, LIGHT = "era5_0p25deg_pangu_24h", "model=pangu_lite"
CASES = {
    "FourCastNet, batch 1": Case(ERA5, "720x1440", (AS_0_1, ONE), 0.25, FOURCASTNET),
    "FourCastNet, batch 4": Case(ERA5, "720x1440", (AS_0_1, "training.batch_size=4"), 0.25, FOURCASTNET),
    "Pangu-Weather, light, nothing computed again": Case(DAILY, "721x1440", (LIGHT, ONE), 0.35, PANGU),
    "Pangu-Weather, light, blocks computed again": Case(DAILY, "721x1440", (LIGHT, ONE, AGAIN), 0.35, PANGU),
    "Pangu-Weather, blocks computed again": Case(DAILY, "721x1440", (ONE, AGAIN), 0.35, PANGU),
}
"""Stages of two model steps are left out: a step of one is what the goals are of."""

LIMITS = {"rates": 60, "agreement": 120, "plan": 100, "step": 120, "loop": 60}
"""Seconds of a part."""


def rates(small):
    """Operations a second of products by type, and bytes a second of memory, the best of some runs."""
    import jax
    import jax.numpy as jnp

    n = 512 if small else 8192
    found = {}
    for name, dtype, precision in (
        ("bfloat16", jnp.bfloat16, None),
        ("float32, as it comes", jnp.float32, None),
        ("float32, highest", jnp.float32, "highest"),
    ):
        a = jnp.ones((n, n), dtype)
        product = jax.jit(lambda a, precision=precision: jnp.matmul(a, a, precision=precision))
        found[name] = 2 * n**3 / least(product, a)
    x = jnp.ones(2**22 if small else 2**29, jnp.float32)
    found["memory"] = 3 * x.nbytes / least(jax.jit(lambda x, y: 0.5 * x + y), x, x + 1)
    device = jax.devices()[0]
    return found | {"device": device.device_kind, "platform": device.platform, "jax": jax.__version__}


def least(program, *arguments):
    """The least time of a run."""
    import jax

    spent = []
    for _ in range(12):
        before = time.perf_counter()
        jax.block_until_ready(program(*arguments))
        spent.append(time.perf_counter() - before)
    return min(spent[2:])


def agreement(small):
    """How far ten steps of small networks are from those on the CPU, relative."""
    sys.path += [str(TESTS), str(TESTS / "parallel")]
    import jax
    from spatial_problems import PROBLEMS
    from ten_steps import differences, ten_steps

    from weatherml.parallel import MeshConfig

    names = ["sfno"] if small else list(PROBLEMS)
    own, cpu = jax.devices()[:1], jax.devices("cpu")[:1]
    found = {}
    for name in names:
        with jax.default_device(cpu[0]):
            expected = ten_steps(name, PROBLEMS[name], MeshConfig(), devices=cpu)
        with jax.default_matmul_precision("highest"):
            found[name] = differences(ten_steps(name, PROBLEMS[name], MeshConfig(), devices=own), expected)
    return found


def problem_of(name, small):
    """Return the training of a case."""
    from weatherml.config import load_yaml
    from weatherml.experiment import ExperimentConfig
    from weatherml.plan.problem import Problem, parse_grid

    case = CASES[name]
    config, grid, changes = case.small if small else (case.config, case.grid, case.changes)
    one = ("training.stages=[{rollout: 1, n_steps: 1, learning_rate: 1.0e-4}]",)
    content = load_yaml(ExperimentConfig, CONFIGS / f"{config}.yaml", [*changes, *one])
    content = content.model_copy(update={"model": content.model.model_copy(update={"dtype": "bfloat16"})})
    return Problem.of(content, Path("."), parse_grid(grid))


def cases(small):
    """Return the names of cases; one of those that the same small one stands for."""
    return list({case.small if small else name: name for name, case in CASES.items()}.values())


def planned(name, small, kind):
    """What the plan says of a step on an accelerator: its seconds and a device's bytes; compiled by the CPU."""
    from weatherml.parallel.hardware.accelerators import Devices
    from weatherml.plan.planning import plan

    told = plan(problem_of(name, small), Devices.parse(kind))
    return {"seconds": told.stages[0].step_seconds, "memory": told.needed - told.memory["next batch"]}


def step(name, small):
    """Seconds of a step, its operations, and the largest memory of the device."""
    import jax

    from weatherml.plan.counting import count
    from weatherml.plan.estimate import flops_of
    from weatherml.plan.program import Program

    program = Program(problem_of(name, small))
    traced = program.trace(0)
    before = time.perf_counter()
    compiled = traced.lower().compile()
    compiling = time.perf_counter() - before
    state, told, batch = filled((program.state, program.update.told, program.batch(0)))
    spent = []
    for _ in range(3 if small else 8):
        before = time.perf_counter()
        state, outcome = compiled(state, told, batch)
        jax.block_until_ready((state, outcome))
        spent.append(time.perf_counter() - before)
    memory = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    seconds = sorted(spent[1:])[len(spent) // 2 - 1]
    operations = flops_of(count(traced.jaxpr))
    return {"seconds": seconds, "operations": operations, "memory": memory, "compiling": compiling}


def filled(shapes):
    """Return arrays that lie as their shapes say: waves, which a training step finds nothing wrong with."""
    import jax
    import jax.numpy as jnp

    def fill(shape):
        if jnp.issubdtype(shape.dtype, jnp.floating):
            return (0.02 * jnp.sin(jnp.arange(shape.size, dtype=jnp.float32))).reshape(shape.shape).astype(shape.dtype)
        return jnp.ones(shape.shape, shape.dtype) if shape.dtype == bool else jnp.zeros(shape.shape, shape.dtype)

    leaves, tree = jax.tree.flatten(shapes)
    return jax.tree.unflatten(tree, [jax.jit(lambda s=s: fill(s), out_shardings=s.sharding)() for s in leaves])


def loop(small):
    """Seconds of a step of the loop, and of the same compiled step alone, in turns."""
    import tempfile

    sys.path.append(str(HERE))
    import numpy as np
    from loop_overhead import NETWORKS, measure

    found = {}
    for name, network in list(NETWORKS.items())[1 if small else 0 : 2]:
        with tempfile.TemporaryDirectory() as folder:
            seconds = measure(network, 4 if small else 16, 2 if small else 8, Path(folder))
        found[name] = {of: float(np.median(own[:, 0])) for of, own in seconds.items()}
    return found


def in_process(options, part, *words, limit, cpu=False):
    """Run a part in a process of its own; return what it found, or a line that says why it found nothing."""
    command = [sys.executable, __file__, "--part", json.dumps([part, *words]), *(["--small"] if options.small else [])]
    environment = os.environ | ({"JAX_PLATFORMS": "cpu"} if cpu else {})
    left, limit = IN_ALL - (time.monotonic() - STARTED), limit * (3 if options.small else 1)  # here others are at work
    if left < 10:
        return "not begun: no time was left"
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=min(limit, left))
    except subprocess.TimeoutExpired as ended:
        return f"did not end in {ended.timeout:.0f} s"
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        return f"failed: {last[:200]}"
    return json.loads(done.stdout.splitlines()[-1])


def show_rates(found):
    print("## Rates\n\n| of | a second |\n|---|---|")
    for name in ("bfloat16", "float32, as it comes", "float32, highest"):
        print(f"| matrix products, {name} | {found[name] / 1e12:.3g} TFLOP |")
    print(f"| memory, read and written | {found['memory'] / 1e9:.4g} GB |\n", flush=True)


def show_agreement(found):
    print("## Ten steps of small networks against those on the CPU, relative, products of highest precision\n")
    print("| network | losses | first gradient | weights |\n|---|---|---|---|")
    for name, told in found.items():
        print(f"| {name} | {told['losses']:.1e} | {told['gradient']:.1e} | {told['weights']:.1e} |")
    print(flush=True)


def show_steps(options, measured):
    print("## A training step, bfloat16\n")
    print("The rate is that of the bfloat16 products above; the plan is of the same kind of device.\n")
    print("| step | ms | plan, ms | TFLOP | of the rate | goal | GiB | plan, GiB | compiling, s |")
    print("|---|---|---|---|---|---|---|---|---|")
    kind = kind_of(measured["device"]) if isinstance(measured, dict) else None
    for name in cases(options.small):
        case = CASES[name]
        found = in_process(options, "step", name, limit=LIMITS["step"])
        if isinstance(found, str):
            print(f"| {name} | {found} | | | | | | | |", flush=True)
            continue
        plan = in_process(options, "plan", name, kind, limit=LIMITS["plan"], cpu=True) if kind else "no such device"
        told = ("-", "-")
        if isinstance(plan, dict):
            told = f"{1e3 * plan['seconds']:.1f}", f"{plan['memory'] / 2**30:.3g}"
        share = "-"
        if isinstance(measured, dict):
            share = f"{found['operations'] / found['seconds'] / measured['bfloat16']:.0%}"
        memory = "-" if found["memory"] is None else f"{found['memory'] / 2**30:.3g}"
        print(
            f"| {name} | {1e3 * found['seconds']:.1f} | {told[0]} | {found['operations'] / 1e12:.3g} | {share} |"
            f" {case.goal:.0%} | {memory} | {told[1]} | {found['compiling']:.0f} |",
            flush=True,
        )
    print()


def show(title, found, as_table):
    """Print what a part found, or why it found nothing."""
    if isinstance(found, str):
        print(f"## {title}\n\n{found}\n", flush=True)
    else:
        as_table(found)


def kind_of(device):
    """Return what a plan calls a device; this machine's processors are planned as they are."""
    from weatherml.parallel.hardware.accelerators import accelerators

    return next((kind for kind in accelerators() if kind in device.lower()), "cpu" if "cpu" in device.lower() else None)


def show_loop(found):
    print("## What the loop adds to its compiled step, in turns\n")
    print("| network | gradient, ms | compiled step, ms | loop, ms | loop over step |\n|---|---|---|---|---|")
    for name, told in found.items():
        gradient, update, whole = (told[of] for of in ("gradient", "update", "loop"))
        print(
            f"| {name} | {1e3 * gradient:.1f} | {1e3 * update:.1f} | {1e3 * whole:.1f} | {whole / update - 1:+.1%} |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="everything small, to try this script")
    parser.add_argument("--part", help="one part, in this process, as JSON")
    options = parser.parse_args()
    if options.part:
        part, *words = json.loads(options.part)
        parts = {"rates": rates, "agreement": agreement, "step": step, "loop": loop}
        found = planned(words[0], options.small, words[1]) if part == "plan" else parts[part](*words, options.small)
        print(json.dumps(found))
        return
    print("# One accelerator\n\n    python benchmarks/accelerator.py\n")
    measured = in_process(options, "rates", limit=LIMITS["rates"])
    if isinstance(measured, dict):
        small = ", everything small: figures say only that it runs" if options.small else ""
        print(f"{measured['device']}, jax {measured['jax']}, {platform.machine()} host{small}.\n")
    show("Rates", measured, show_rates)
    show_steps(options, measured)
    show("Agreement", in_process(options, "agreement", limit=LIMITS["agreement"]), show_agreement)
    show("Loop", in_process(options, "loop", limit=LIMITS["loop"]), show_loop)
    print(f"\nAll of it took {time.monotonic() - STARTED:.0f} s.")


STARTED = time.monotonic()

if __name__ == "__main__":
    main()
