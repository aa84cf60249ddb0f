"""What the guards cost: CPU time of a rollout with them, and with nothing but a look for what is not finite.

    python benchmarks/guards.py runs/demo/training/checkpoints/best

Ten members, chunks of eight steps, all variants in turn; the least of many is what counts where others compute, too.
With `climatology`, the normalisation refers to one of 15 terms, with random maps: its size is what costs.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from weatherml.data.statistics.climatology import Climatology
from weatherml.data.statistics.normalization import Normalizer
from weatherml.forecast import Forecaster, GuardsConfig
from weatherml.forecast.guards.step_modifiers import Bounds, Members, StepInputs, StepModifiers, guard_modifiers
from weatherml.forecast.guards.units import Units
from weatherml.forecast.rollout.step_loop import advance

N_MEMBERS, N_STEPS, REPEATS = 10, 8, 12
START = np.datetime64("2005-01-09T00", "ns")


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class OnlyFinite:
    """Members that are no longer finite stop, and nothing is said of them."""

    def begin(self, states: Array, terms: Array) -> Members:
        return Members.at(states, ())

    def __call__(self, members: Members, following: Array, step: StepInputs) -> Members:
        finite = jnp.isfinite(following).all(axis=(1, 2, 3), keepdims=True)
        return Members(jnp.where(finite, following, jnp.nan), members.failure, members.remembered)


def build(config: GuardsConfig, normalizer: Normalizer, unit: np.timedelta64) -> StepModifiers:
    units = Units.build(normalizer)
    bounds = Bounds.build(normalizer.spec.channels, units, config.bounds)
    return StepModifiers(tuple(guard_modifiers(config, normalizer, units, [1], unit)), bounds)


def with_climatology(normalizer: Normalizer) -> Normalizer:
    statistics, spec = normalizer.statistics, normalizer.spec
    noise = np.random.default_rng(3).normal(size=(15, *spec.shape))
    coefficients = (0.05 * noise * statistics.std[:, None, None]).astype(np.float32)
    coefficients[0] += statistics.mean[:, None, None]
    return Normalizer(statistics, Climatology(spec, coefficients, 2, 1, statistics.period))


def seconds_per_step(forecaster: Forecaster, normalizer: Normalizer, guards: StepModifiers | OnlyFinite) -> float:
    """CPU seconds of one step of all members."""
    (model,) = forecaster.suites[0].models
    starts = START + np.arange(N_STEPS) * model.time_step
    terms = normalizer.terms((starts + model.time_step)[:, None])
    ticks, one = np.arange(1, N_STEPS + 1, dtype=np.int32), np.array(1, np.int32)
    init = np.zeros(N_MEMBERS, np.int32)
    inputs = StepInputs(model.forcings.at(starts)[:, None], terms, ticks, ticks - 1, None, None, init, one)
    states = 0.3 * np.random.default_rng(0).normal(size=(N_MEMBERS, *normalizer.spec.shape)).astype(np.float32)
    members = jax.block_until_ready(guards.begin(jnp.array(states), terms[[0] * N_MEMBERS, 0]))
    graph, weights = nnx.split((model.step, ()))
    start = time.process_time()
    keep = tuple(range(normalizer.spec.n_channels))
    jax.block_until_ready(advance(graph, (weights, guards), members, inputs, np.int32(N_STEPS), N_STEPS, keep))
    return (time.process_time() - start) / N_STEPS


def main() -> None:
    forecaster = Forecaster.load(Path(sys.argv[1]))
    mean, seasonal = forecaster.suites[0].normalizer, with_climatology(forecaster.suites[0].normalizer)
    unit = forecaster.time_step
    conserving = GuardsConfig(conserve=(mean.spec.names[0],))
    variants = {
        "only finite": (mean, OnlyFinite()),
        "guards": (mean, build(GuardsConfig(), mean, unit)),
        "guards, climatology": (seasonal, build(GuardsConfig(), seasonal, unit)),
        "guards, climatology, a conserved mean": (seasonal, build(conserving, seasonal, unit)),
    }
    rounds = [[seconds_per_step(forecaster, *v) for v in variants.values()] for _ in range(REPEATS + 1)]
    least = np.min(rounds[1:], axis=0)  # the first round compiles
    print("| variant | CPU time of a step of 10 members, ms | over the first |\n|---|---|---|")
    for name, seconds in zip(variants, least, strict=True):
        print(f"| {name} | {1e3 * seconds:.1f} | {seconds / least[0] - 1:+.1%} |")


if __name__ == "__main__":
    main()
