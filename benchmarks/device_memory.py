"""What savers of device memory save, and what they cost.

    python benchmarks/device_memory.py plan pangu pangu_lite   # memory of full-size gradients; compiled, not run
    python benchmarks/device_memory.py time                    # processor time of a smaller one, as ratios

`plan` is of the gradient of one step at batch 1 with the sizes of configs/era5_0p25deg_pangu_24h.yaml; each program is
compiled in a process of its own. `time` lets all ways take turns in one process, several rounds; the figure is the
median over rounds of the ratio to keeping everything in the same round.
"""

import argparse
import multiprocessing
import statistics
import time
from concurrent.futures import ProcessPoolExecutor

GIB, N_FORCINGS = 2**30, 2
WAYS = {
    "none": {},
    "products": {"remat": "products"},
    "attention": {"remat": "attention"},
    "blocks": {"remat": "blocks"},
    "blocks, between them bfloat16": {"remat": "blocks", "between_blocks": "bfloat16"},
}
GRIDS = {
    "fourcastnet": "0.25deg without south pole",
    "pangu": "0.25deg",
    "pangu_lite": "0.25deg",
    "pangu_1p5deg": "1.5deg",
    "pangu_5p6deg": "32x64",
}


def gradient_of(name, dtype, way):
    """Return the gradient as a function of weights, a batch and keys, and shapes of them all."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    from flax import nnx

    from weatherml.data.loading.samples import Batch
    from weatherml.grid import LatLonGrid
    from weatherml.models import Step
    from weatherml.models.layers.remat import keeping
    from weatherml.models.presets import PRESETS
    from weatherml.models.weights import split_weights, weights_of
    from weatherml.parallel import computes_once
    from weatherml.state import StateSpec, parse_channels
    from weatherml.training.objective.losses import Loss, mean_absolute_error
    from weatherml.training.objective.rollout import rollout_loss
    from weatherml.training.update.device_memory import DeviceMemoryConfig
    from weatherml.variables import PRESETS as CHANNEL_SETS

    spec = StateSpec(parse_channels(CHANNEL_SETS[name.split("_")[0]]), LatLonGrid.named(GRIDS[name]))
    config = PRESETS[name].model_copy(update={"dtype": dtype})
    kept = DeviceMemoryConfig(**way)
    step = nnx.eval_shape(lambda: Step(config.build(spec, N_FORCINGS, nnx.Rngs(0)), None, np.ones(spec.shape, bool)))
    rebuild, constants = split_weights(step)
    weights = dict(weights_of(step))

    def gradient(weights, constants, batch, keys):
        even = jnp.full(spec.shape, 1 / np.prod(spec.shape), jnp.float32)
        loss = Loss(even, jnp.ones((spec.n_channels, 1, 1)), mean_absolute_error)
        with keeping(kept.remat, kept.between_blocks, computes_once()):
            return jax.value_and_grad(lambda w: rollout_loss(rebuild(w, constants), loss, batch, keys))(weights)

    fields = [jax.ShapeDtypeStruct((1, 2, n, *spec.grid.shape), jnp.float32) for n in (spec.n_channels, N_FORCINGS)]
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 1))
    return jax.jit(gradient), (weights, constants, Batch(*fields), keys)


def compiled(name, dtype, way):
    gradient, shapes = gradient_of(name, dtype, way)
    return gradient.lower(*shapes).compile(), shapes


def plan(name, dtype, way):
    started = time.perf_counter()
    program, _ = compiled(name, dtype, way)
    memory = program.memory_analysis()
    total = memory.argument_size_in_bytes + memory.output_size_in_bytes + memory.temp_size_in_bytes
    return total / GIB, memory.temp_size_in_bytes / GIB, time.perf_counter() - started


def print_plans(names, dtypes, ways):
    print("| network | products | remat | gradient, GiB | of it temporary, GiB | compilation, s |")
    print("|---|---|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    for name in names:
        for dtype in dtypes:
            for way in ways:
                with ProcessPoolExecutor(1, context) as own:
                    total, temporary, seconds = own.submit(plan, name, dtype, WAYS[way]).result()
                print(f"| {name} | {dtype} | {way} | {total:.1f} | {temporary:.1f} | {seconds:.0f} |", flush=True)


def print_times(name, n_rounds):
    import jax
    import jax.numpy as jnp
    import numpy as np

    rng, ready = np.random.default_rng(0), {}
    for way, settings in WAYS.items():
        ready[way] = compiled(name, "float32", settings)

    def some(shape):
        if jnp.issubdtype(shape.dtype, jax.dtypes.prng_key):
            return jax.random.split(jax.random.key(0), shape.shape[0])
        return jnp.asarray(0.02 * rng.standard_normal(shape.shape), shape.dtype)

    arguments = jax.tree.map(some, ready["none"][1])
    seconds = {way: [] for way in ready}
    for _ in range(n_rounds + 1):  # of which the first is to warm up
        for way, (program, _) in ready.items():
            started = time.process_time()  # of all cores, which other work on the machine hardly changes
            jax.block_until_ready(program(*arguments))
            seconds[way].append(time.process_time() - started)
    print(f"{name}, float32, batch 1, {n_rounds} rounds")
    print("| remat | temporary, GiB | processor time over that of none (least and most of a round) | seconds |")
    print("|---|---|---|---|")
    for way, (program, _) in ready.items():
        ratios = sorted(own / none for own, none in zip(seconds[way][1:], seconds["none"][1:], strict=True))
        temporary = program.memory_analysis().temp_size_in_bytes / GIB
        span = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(f"| {way} | {temporary:.2f} | {span} | {statistics.median(seconds[way][1:]):.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    planned = verbs.add_parser("plan")
    planned.add_argument("networks", nargs="+", choices=GRIDS)
    planned.add_argument("--dtypes", nargs="+", choices=("float32", "bfloat16"), default=["float32"])
    planned.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    timed = verbs.add_parser("time")
    timed.add_argument("network", nargs="?", choices=GRIDS, default="pangu_5p6deg")
    timed.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.verb == "plan":
        print_plans(options.networks, options.dtypes, options.ways)
    else:
        print_times(options.network, options.rounds)


if __name__ == "__main__":
    main()
