"""FourCastNet against the same network in PyTorch, on the CPU, float32, all cores of this process.

    pip install -e '.[benchmark]' && python benchmarks/fourcastnet_vs_torch.py > benchmarks/fourcastnet_vs_torch.md

Each side runs in a process of its own; the two take turns, call by call, so that other work on the machine meets
both alike, and the least time of each counts. Compilation is not timed. Both have the same weights and must give the
same output. Where others use the machine, PyTorch's threads wait long for each other:
`taskset -c 0 python ... --clock process_time` then compares CPU time on one core.

Step memory is the peak of the calls above what the process holds between them (with a kept heap, that is most of it);
process memory is the whole peak, with libraries, weights and what the compiler leaves.
"""

import argparse
import ctypes
import multiprocessing
import os
import platform
import sys
import time
from dataclasses import dataclass

import numpy as np

OPERATIONS = ("forward", "gradient", "train")


@dataclass(frozen=True)
class Case:
    name: str
    shape: tuple[int, int]
    patch: int
    channels: int
    width: int
    depth: int
    batch: int
    n_blocks: int = 8

    @property
    def tokens(self):
        return self.shape[0] // self.patch, self.shape[1] // self.patch

    def weights(self):
        """Random weights by their published names."""
        rng = np.random.default_rng(0)
        width, patch, size = self.width, self.patch, self.width // self.n_blocks
        shapes = {
            "pos_embed": (1, self.tokens[0] * self.tokens[1], width),
            "patch_embed.proj.weight": (width, self.channels, patch, patch),
            "patch_embed.proj.bias": (width,),
            "head.weight": (patch * patch * self.channels, width),
        }
        for i in range(self.depth):
            block = {
                **{f"norm{n}.{kind}": (width,) for n in (1, 2) for kind in ("weight", "bias")},
                **{f"filter.w{n}": (2, self.n_blocks, size, size) for n in (1, 2)},
                **{f"filter.b{n}": (2, self.n_blocks, size) for n in (1, 2)},
                "mlp.fc1.weight": (4 * width, width),
                "mlp.fc1.bias": (4 * width,),
                "mlp.fc2.weight": (width, 4 * width),
                "mlp.fc2.bias": (width,),
            }
            shapes |= {f"blocks.{i}.{name}": shape for name, shape in block.items()}
        return {name: rng.normal(scale=0.05, size=shape).astype(np.float32) for name, shape in shapes.items()}

    def fields(self):
        rng = np.random.default_rng(1)
        shape = (self.batch, self.channels, *self.shape)
        return tuple(rng.normal(size=shape).astype(np.float32) for _ in range(2))


CASES = (
    Case("180 x 360, patch 4, width 256, batch 1", (180, 360), 4, 20, 256, 4, 1),
    Case("32 x 64, patch 4, width 128, batch 32", (32, 64), 4, 17, 128, 4, 32),
    Case("32 x 64, patch 2, width 128, batch 32", (32, 64), 2, 17, 128, 4, 32),
)


def weatherml_operations(case):
    import jax
    import jax.numpy as jnp
    import optax
    from flax import nnx

    from weatherml.models import FourCastNet, FourCastNetConfig, load_published

    def build():
        sizes = {"patch": case.patch, "width": case.width, "depth": case.depth, "n_blocks": case.n_blocks}
        return FourCastNet(FourCastNetConfig(**sizes), case.channels, case.channels, case.shape, rngs=nnx.Rngs(0))

    network = nnx.eval_shape(build)
    load_published(network, case.weights())
    graph, state = nnx.split(network)
    x, target = map(jnp.asarray, case.fields())
    optimizer = optax.adam(1e-4)

    def loss(state):
        return jnp.square(nnx.merge(graph, state)(x) - target).mean()

    def update(state, moments):
        updates, moments = optimizer.update(jax.grad(loss)(state), moments)
        return optax.apply_updates(state, updates), moments

    forward = jax.jit(lambda state, x: nnx.merge(graph, state)(x))
    gradient = jax.jit(jax.value_and_grad(loss))
    update = jax.jit(update, donate_argnums=(0, 1))
    trained = [jax.tree.map(jnp.copy, state), optimizer.init(state)]

    def train():
        trained[:] = jax.block_until_ready(update(*trained))

    return {
        "forward": lambda: np.asarray(forward(state, x)),
        "gradient": lambda: jax.block_until_ready(gradient(state)),
        "train": train,
    }


def torch_operations(case):
    import torch_fourcastnet

    return torch_fourcastnet.torch_operations(case)


@dataclass(frozen=True)
class Settings:
    clock: str
    repeats: int
    keep_heap: bool


SIDES = {"weatherml": weatherml_operations, "torch": torch_operations}


def resident_mib(field):
    """Resident memory of this process in MiB: `VmRSS` now, `VmHWM` at its peak."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(field))


def serve(side, case, settings, connection):
    """Do the operations that are asked for, and answer with what they gave and the seconds they took."""
    if settings.keep_heap:
        from weatherml.heap import keep_freed_memory

        keep_freed_memory()
    clock = getattr(time, settings.clock)
    operations = SIDES[side](case)
    output = operations["forward"]()
    for name in OPERATIONS:
        operations[name]()
    ctypes.CDLL(None).malloc_trim(0)
    resting = resident_mib("VmRSS")
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")  # forget the peak so far, which may be the compiler's
    connection.send(output)
    while name := connection.recv():
        start = clock()
        operations[name]()
        connection.send(clock() - start)
    peak_memory = resident_mib("VmHWM")
    connection.send((peak_memory - resting, peak_memory))


def compare(case, settings):
    """Least seconds by operation and side, and peak memory by side."""
    context = multiprocessing.get_context("spawn")
    workers = {}
    for side in SIDES:
        connection, other = context.Pipe()
        context.Process(target=serve, args=(side, case, settings, other), daemon=True).start()
        workers[side] = connection
    outputs = [worker.recv() for worker in workers.values()]
    error = np.abs(outputs[0] - outputs[1]).max() / np.abs(outputs[1]).max()
    if not error < 1e-5:
        sys.exit(f"{case.name}: the outputs differ by {error:.1e} of their largest value")
    seconds = {(name, side): [] for name in OPERATIONS for side in SIDES}
    for _ in range(settings.repeats):
        for name, side in seconds:
            workers[side].send(name)
            seconds[name, side].append(workers[side].recv())
    memory = {}
    for side, worker in workers.items():
        worker.send("")
        memory[side] = worker.recv()
    return {key: min(values) for key, values in seconds.items()}, memory


def row(case, settings):
    seconds, memory = compare(case, settings)
    cells = [case.name, "kept" if settings.keep_heap else "default"]
    for name in OPERATIONS:
        ours, theirs = 1e3 * seconds[name, "weatherml"], 1e3 * seconds[name, "torch"]
        cells.append(f"{ours:.0f} / {theirs:.0f} = {theirs / ours:.2f}x")
    cells += [f"{ours:.0f} / {theirs:.0f}" for ours, theirs in zip(memory["weatherml"], memory["torch"], strict=True)]
    return f"| {' | '.join(cells)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20, help="calls of each operation on each side")
    parser.add_argument("--clock", choices=["perf_counter", "process_time"], default="perf_counter")
    arguments = parser.parse_args()
    import jax
    import torch

    cores = len(os.sched_getaffinity(0))
    print("# FourCastNet against PyTorch\n")
    print(f"`python benchmarks/fourcastnet_vs_torch.py --repeats {arguments.repeats} --clock {arguments.clock}`,")
    print(
        f"cores: {cores} ({platform.machine()}), jax {jax.__version__}, torch {torch.__version__}, float32, depth 4.\n"
    )
    print("Milliseconds ours / PyTorch = how many times as fast; memory in MiB ours / PyTorch. Gradient is forward and")
    print("backward, train adds Adam. Heap `kept` is `weatherml.heap.keep_freed_memory()`, given to both sides.\n")
    print("| case | heap | forward | gradient | train | step memory | process memory |\n|---|---|---|---|---|---|---|")
    for case in CASES:
        for keep_heap in (False, True):
            print(row(case, Settings(arguments.clock, arguments.repeats, keep_heap)), flush=True)


if __name__ == "__main__":
    main()
