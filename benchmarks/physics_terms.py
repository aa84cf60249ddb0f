"""What terms of physics in a loss do to a model of the planet: what each compares, and the error of the fields.

    weatherml statistics weatherml/experiment/demonstration.yaml -o FOLDER
    python benchmarks/physics_terms.py FOLDER 300 model.width=64 model.depth=2 dry_mass=100 hydrostatic=1 energy=0.01

300 optimiser steps of one model step for each term, and once without any, from the same weights in the same order; then
forecasts from the validation period, with averaged weights.
"""

import sys
from pathlib import Path

import jax
import numpy as np

from weatherml.checkpoint import Checkpoint, Provenance
from weatherml.config import load_yaml
from weatherml.data.loading.samples import Samples
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.experiment import Experiment, ExperimentConfig
from weatherml.training import LossConfig, Stage, train
from weatherml.training.objective.physics import terms

LEADS = (4, 12, 40)
"""Model steps."""

TERMS = ("dry_mass", "hydrostatic", "energy")
"""The planet is dry."""


def trained(experiment: Experiment, n_steps: int, physics: dict[str, float]) -> Checkpoint:
    """Train the model of an experiment for some steps with terms in its loss."""
    config, statistics = experiment.config, experiment.statistics
    forcings = Forcings(config.forcings, statistics.spec.grid, statistics.time_step)
    normalizer, provenance = Normalizer(statistics), Provenance({}, "planet")
    start = Checkpoint.initialize(config.model, forcings, normalizer, provenance, config.seed)
    changes = {
        "stages": (Stage(n_steps=n_steps, learning_rate=2e-3),),
        "loss": LossConfig(physics=tuple(physics.items())),
        "validate_every": n_steps,
        "snapshot_every": n_steps,
        "n_validation_batches": 1,
    }
    periods = (config.periods.training, config.periods.validation)
    samples = [Samples(experiment.store, normalizer, forcings, 1, period) for period in periods]
    folder = experiment.folder / "physics" / f"{n_steps}_{'_'.join(f'{k}{v:g}' for k, v in physics.items()) or 'none'}"
    run = train(config.training.model_copy(update=changes), start, *samples, folder)
    return Checkpoint.load(run.last_checkpoint)


def judged(experiment: Experiment, checkpoint: Checkpoint) -> dict[str, list[float]]:
    """Return the loss and every term at some leads, means over forecasts from 16 initial times."""
    statistics, period = experiment.statistics, experiment.config.periods.validation
    windows = Samples(experiment.store, checkpoint.normalizer, checkpoint.forcings, LEADS[-1], period)
    batch = windows.gather(np.linspace(0, len(windows) - 1, 16).astype(int).tolist())
    measures = {"error": LossConfig().build(statistics)} | {name: terms[name](statistics) for name in TERMS}
    step, state, found = checkpoint.build_step(), batch.state[:, 0], {name: [] for name in measures}
    advance = jax.jit(lambda state, forcing: step(state, forcing))
    for k in range(1, LEADS[-1] + 1):
        state = advance(state, batch.forcing[:, k - 1])
        if k in LEADS:
            for name, measure in measures.items():
                found[name].append(float(measure(state, batch.state[:, k])))
    return found


def main() -> None:
    """Print a table."""
    folder, n_steps, *words = sys.argv[1:]
    overrides = [word for word in words if word.startswith("model.")]
    weights = [word for word in words if word not in overrides]
    experiment = Experiment(load_yaml(ExperimentConfig, Path(folder) / "config.json", overrides), folder)
    wanted = [{}, *({name: float(weight)} for name, weight in (word.split("=") for word in weights))]
    columns = [f"{name} {k * 6} h" for name in ("error", *TERMS) for k in LEADS]
    print(f"| term in the loss | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for physics in wanted:
        found = judged(experiment, trained(experiment, int(n_steps), physics))
        words = ", ".join(f"{name} {weight:g}" for name, weight in physics.items()) or "none"
        print(
            f"| {words} | {' | '.join(f'{value:.3g}' for values in found.values() for value in values)} |", flush=True
        )


if __name__ == "__main__":
    main()
