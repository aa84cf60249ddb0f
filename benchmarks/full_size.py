"""One forward step of the published sizes with random weights on the CPU: seconds and peak memory.

    python benchmarks/full_size.py fourcastnet pangu >> benchmarks/full_size.md

Each network runs in a process of its own, on the cores of this one (`taskset -c 0 python ...` for one thread). The
first call is timed without its compilation, which is given beside it.
"""

import argparse
import multiprocessing
import os
import resource
import time

GRIDS = {"fourcastnet": (720, 1440), "pangu": (721, 1440), "pangu_lite": (721, 1440)}
CHANNELS = {"fourcastnet": "fourcastnet", "pangu": "pangu", "pangu_lite": "pangu"}


def measure(name, dtype, queue):
    import jax
    import jax.numpy as jnp
    import numpy as np
    from flax import nnx

    from weatherml.grid import LatLonGrid
    from weatherml.models.presets import PRESETS
    from weatherml.state import StateSpec, parse_channels
    from weatherml.variables import PRESETS as CHANNEL_SETS

    rows, columns = GRIDS[name]
    whole = LatLonGrid.regular(721, columns)
    spec = StateSpec(parse_channels(CHANNEL_SETS[CHANNELS[name]]), LatLonGrid(whole.latitude[:rows], whole.longitude))
    config = PRESETS[name].model_copy(update={"dtype": dtype})
    graph, places = nnx.split(nnx.eval_shape(lambda: config.build(spec, 0, nnx.Rngs(0))))
    rng = np.random.default_rng(0)
    weights = jax.tree.map(lambda a: jnp.asarray(0.02 * rng.standard_normal(a.shape, np.float32)), places)
    x = jnp.asarray(rng.standard_normal((1, *spec.shape), np.float32))
    step = jax.jit(lambda weights, x: nnx.merge(graph, weights)(x))
    started = time.perf_counter()
    compiled = step.lower(weights, x).compile()
    compilation = time.perf_counter() - started
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        finite = bool(jnp.isfinite(compiled(weights, x)).all())
        seconds.append(time.perf_counter() - started)
    n_parameters = sum(a.size for a in jax.tree.leaves(weights))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    temporary = compiled.memory_analysis().temp_size_in_bytes / 2**30
    queue.put((n_parameters, compilation, min(seconds), peak, temporary, finite))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+", choices=GRIDS)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    options = parser.parse_args()
    print(
        "| network | cores | parameters | compilation, s | step, s | peak memory, GiB | of it temporary, GiB | finite |"
    )
    print("|---|---|---|---|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    for name in options.networks:
        queue = context.Queue()
        process = context.Process(target=measure, args=(name, options.dtype, queue))
        process.start()
        n, compilation, step, peak, temporary, finite = queue.get()
        process.join()
        cores = len(os.sched_getaffinity(0))
        print(f"| {name}, {options.dtype} | {cores} | {n:,} | {compilation:.1f} | {step:.1f}", end=" | ")
        print(f"{peak:.2f} | {temporary:.2f} | {finite} |", flush=True)


if __name__ == "__main__":
    main()
