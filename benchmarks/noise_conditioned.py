"""What is a model that was trained by CRPS worth? Its ensemble beside the demonstration's, at the same initial times.

weatherml demo configs/planet.yaml -o runs/planet
mkdir -p runs/planet_crps && ln -s ../demo/data.zarr runs/planet_crps/data.zarr
weatherml demo configs/planet_crps.yaml -o runs/planet_crps
python benchmarks/noise_conditioned.py runs/planet runs/planet_crps

A second way, which trains the best weights of the first further, on longer rollouts:

mkdir -p runs/planet_crps_longer && ln -s ../demo/data.zarr runs/planet_crps_longer/data.zarr
python benchmarks/noise_conditioned.py runs/planet runs/planet_crps_longer --start runs/planet_crps
"""

import argparse
from pathlib import Path

import numpy as np
import xarray as xr

from weatherml.checkpoint import Checkpoint
from weatherml.config import load_yaml
from weatherml.data.loading.samples import Samples
from weatherml.experiment import Experiment, ExperimentConfig
from weatherml.process.heap import keep_freed_memory
from weatherml.training import Run, train

LONGER = (
    "training.batch_size=6",
    "training.stages="
    "[{rollout: 4, n_steps: 200, learning_rate: 3.0e-4}, {rollout: 6, n_steps: 300, learning_rate: 2.0e-4}]",
)
DAYS = (1, 3, 5, 10)
COLUMNS = {
    "fair CRPS": ("crps_fair", "ensemble"),
    "spread over error": ("spread_skill", "ensemble"),
    "RMSE of the mean": ("rmse", "ensemble"),
    "RMSE of the control": ("rmse", "forecast"),
}


def read(folder: str) -> xr.Dataset:
    """Return the estimates of a run, `(system, channel, lead_time)` with leads in days."""
    scores = xr.load_dataset(Path(folder) / "scores.nc", engine="netcdf4", decode_timedelta=True)
    days = scores["lead_time"] / np.timedelta64(1, "D")
    return scores.sel(bound="estimate").assign_coords(lead_time=days).sel(lead_time=list(DAYS))


def go_on(start: Path, folder: str) -> None:
    """Train the best weights of a run on longer rollouts, and judge the forecasts of what comes of it."""
    keep_freed_memory()
    experiment = Experiment(load_yaml(ExperimentConfig, "configs/planet_crps.yaml", LONGER), folder)
    experiment.run("statistics")
    checkpoint = Checkpoint.load(Run(start / "training").best_checkpoint)
    periods = experiment.config.periods
    training, validation = (
        Samples(experiment.store, checkpoint.normalizer, checkpoint.forcings, 1, period)
        for period in (periods.training, periods.validation)
    )
    # In the ledger as the experiment's own training, so that the phases after it go on from these weights.
    with experiment.ledger.timing("train", experiment.inputs("train")):
        train(experiment.config.training, checkpoint, training, validation, experiment.training.directory)
    experiment.run("evaluate")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("perturbed")
    parser.add_argument("conditioned")
    parser.add_argument("--start", type=Path, help="train this run's weights further into the second folder, first")
    arguments = parser.parse_args()
    if arguments.start:
        go_on(arguments.start, arguments.conditioned)
    perturbed, conditioned = read(arguments.perturbed), read(arguments.conditioned)
    for title, (metric, system) in COLUMNS.items():
        ours, theirs = (scores[metric].sel(system=system) for scores in (conditioned, perturbed))
        print(f"\n{title}: noise-conditioned / perturbed" + ("" if metric == "spread_skill" else " (ratio)") + "\n")
        print("| channel | " + " | ".join(f"{day} d" for day in DAYS) + " |\n|---|" + "---|" * len(DAYS))
        for channel in ours["channel"].values:
            pairs = zip(ours.sel(channel=channel).values, theirs.sel(channel=channel).values, strict=True)
            cells = [f"{a:.3g} / {b:.3g}" + ("" if metric == "spread_skill" else f" ({a / b:.2f})") for a, b in pairs]
            print(f"| {channel} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
