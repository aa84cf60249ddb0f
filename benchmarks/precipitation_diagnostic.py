"""How good the precipitation of a trained diagnostic is, on days that nothing was learned from, and a picture of it.

    weatherml train configs/planet_precipitation.yaml -o RUN
    python benchmarks/precipitation_diagnostic.py RUN docs/images/precipitation_diagnostic.png

The picture is of the last time of the test period.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr

from weatherml.checkpoint import Checkpoint
from weatherml.config import from_mapping, read_mapping
from weatherml.data.period import select
from weatherml.experiment import Experiment, ExperimentConfig
from weatherml.forecast.diagnosed import diagnose
from weatherml.plot import forecast_vs_truth
from weatherml.verification import baselines, evaluate

METRICS = ("rmse", "bias", "ets(threshold=0.001)", "ets(threshold=0.005)")


def diagnosed(experiment: Experiment, period: tuple[str, str]) -> xr.Dataset:
    """Return what the diagnostic makes of the analyses of a period."""
    times = select(experiment.store, period)["time"].values
    checkpoint = Checkpoint.load(experiment.training.best_checkpoint)
    with tempfile.TemporaryDirectory() as folder:
        return diagnose(checkpoint, experiment.store, times, Path(folder) / "made.zarr").isel(number=0).load()


def scores_of(experiment: Experiment, made: xr.Dataset) -> dict[str, xr.Dataset]:
    """Score the diagnostic and the climatology of its training."""
    names = list(made.data_vars)
    climate = baselines.climatology(experiment.climatology, made["init_time"].values, made["lead_time"].values)
    judged = {"diagnostic": made, "climatology": climate[names]}
    return {name: evaluate(forecast, experiment.store[names], METRICS) for name, forecast in judged.items()}


def draw(experiment: Experiment, made: xr.Dataset, path: Path) -> None:
    """Draw what the diagnostic makes of the last analysis, and what fell, mm."""
    last = made.isel(init_time=-1, lead_time=0)
    name = next(iter(last.data_vars))
    truth = experiment.store[name].sel(time=last["valid_time"].values)
    forecast_vs_truth(last[name], truth.load(), coastlines=False).savefig(path, dpi=110)


def main() -> None:
    """Print a table by period, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("picture", type=Path, nargs="?")
    arguments = parser.parse_args()
    config = from_mapping(ExperimentConfig, read_mapping(arguments.run / "config.json"))
    experiment = Experiment(config, arguments.run)
    for period in (config.periods.validation, config.periods.test):
        made = diagnosed(experiment, period)
        for system, scores in scores_of(experiment, made).items():
            values = [np.squeeze(scores[metric].values) for metric in METRICS]
            told = ", ".join(
                f"{metric} {1e3 * value[0]:.3f} ({1e3 * value[1]:.3f} .. {1e3 * value[2]:.3f}) mm"
                if metric in ("rmse", "bias")
                else f"{metric} {value[0]:.3f} ({value[1]:.3f} .. {value[2]:.3f})"
                for metric, value in zip(METRICS, values, strict=True)
            )
            print(f"{' .. '.join(period)} {system}: {told}")
    if arguments.picture is not None:
        draw(experiment, made, arguments.picture)


if __name__ == "__main__":
    main()
