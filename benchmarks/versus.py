"""Two sides in processes of their own take turns, call by call; the least time of each counts."""

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
class Settings:
    clock: str
    repeats: int
    keep_heap: bool


def jax_operations(network, x, target):
    """Operations on a network of ours: forward, mean squared error and its gradient, a step of Adam."""
    import jax
    import jax.numpy as jnp
    import optax
    from flax import nnx

    graph, state = nnx.split(network)
    x, target = map(jnp.asarray, (x, target))
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


def torch_operations(network, x, target):
    """The same operations on a network in PyTorch."""
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    x, target = map(torch.from_numpy, (x, target))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)

    def forward():
        with torch.no_grad():
            return network(x).numpy()

    def gradient():
        optimizer.zero_grad()
        (network(x) - target).square().mean().backward()

    def train():
        gradient()
        optimizer.step()

    return {"forward": forward, "gradient": gradient, "train": train}


def resident_mib(field):
    """Resident memory of this process in MiB: `VmRSS` now, `VmHWM` at its peak."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(field))


def serve(side, case, settings, connection):
    """Do the operations that are asked for, and answer with what they gave and the seconds they took."""
    if settings.keep_heap:
        from weatherml.process.heap import keep_freed_memory

        keep_freed_memory()
    clock = getattr(time, settings.clock)
    operations = side(case)
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


def compare(case, sides, settings):
    """Least seconds by operation and side, and peak memory by side; `sides` are functions from a case to operations."""
    context = multiprocessing.get_context("spawn")
    workers = []
    for side in sides:
        connection, other = context.Pipe()
        context.Process(target=serve, args=(side, case, settings, other), daemon=True).start()
        workers.append(connection)
    ours, theirs = (worker.recv() for worker in workers)
    error = np.abs(ours - theirs).max() / np.abs(theirs).max()
    if not error < case.tolerance:
        sys.exit(f"{case.name}: the outputs differ by {error:.1e} of their largest value")
    seconds = {name: [[] for _ in sides] for name in OPERATIONS}
    for _ in range(settings.repeats):
        for name in OPERATIONS:
            for worker, times in zip(workers, seconds[name], strict=True):
                worker.send(name)
                times.append(worker.recv())
    for worker in workers:
        worker.send("")
    memory = [worker.recv() for worker in workers]
    return {name: [min(times) for times in both] for name, both in seconds.items()}, memory


def row(case, sides, settings):
    seconds, memory = compare(case, sides, settings)
    cells = [case.name, "kept" if settings.keep_heap else "default"]
    for ours, theirs in seconds.values():
        cells.append(f"{1e3 * ours:.0f} / {1e3 * theirs:.0f} = {theirs / ours:.2f}x")
    cells += [f"{ours:.0f} / {theirs:.0f}" for ours, theirs in zip(*memory, strict=True)]
    return f"| {' | '.join(cells)} |"


def print_table(description, title, cases, sides):
    """Read the options of the command line, and print a table of every case with both heaps."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20, help="calls of each operation on each side")
    parser.add_argument("--clock", choices=["perf_counter", "process_time"], default="perf_counter")
    arguments = parser.parse_args()
    import jax
    import torch

    print(f"# {title}\n")
    print(f"`python {sys.argv[0]} --repeats {arguments.repeats} --clock {arguments.clock}`,")
    cores = f"{len(os.sched_getaffinity(0))} ({platform.machine()})"
    print(f"cores: {cores}, jax {jax.__version__}, torch {torch.__version__}, float32.\n")
    print("Milliseconds ours / PyTorch = how many times as fast; memory in MiB ours / PyTorch. Gradient is forward and")
    print("backward, train adds Adam. Heap `kept` is `weatherml.process.heap.keep_freed_memory()`, given to", end="")
    print(" both sides.\n")
    print("| case | heap | forward | gradient | train | step memory | process memory |\n|---|---|---|---|---|---|---|")
    for case in cases:
        for keep_heap in (False, True):
            settings = Settings(arguments.clock, arguments.repeats, keep_heap)
            print(row(case, sides, settings), flush=True)
