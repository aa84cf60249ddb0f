"""How good the precipitation of a trained diagnostic is, on days that nothing was learned from, and a picture of it.

    weatherml demo configs/planet_precipitation.yaml -o RUN
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


def scores_of(experiment: Experiment, period: tuple[str, str]) -> dict[str, xr.Dataset]:
    """Score the diagnostic and the climatology of its training on the analyses of a period."""
    times = select(experiment.store, period)["time"].values
    checkpoint = Checkpoint.load(experiment.training.best_checkpoint)
    with tempfile.TemporaryDirectory() as folder:
        diagnosed = diagnose(checkpoint, experiment.store, times, Path(folder) / "made.zarr").isel(number=0).load()
    climate = baselines.climatology(experiment.climatology, times, diagnosed["lead_time"].values)
    judged = {"diagnostic": diagnosed, "climatology": climate[list(diagnosed.data_vars)]}
    truth = experiment.store[list(diagnosed.data_vars)]
    return {name: evaluate(forecast, truth, METRICS) for name, forecast in judged.items()}


def draw(experiment: Experiment, path: Path) -> None:
    """Draw what the diagnostic makes of the last analysis that it is judged on, and what fell, mm."""
    forecast = experiment.forecast.isel(init_time=-1, lead_time=0, number=0)
    name = next(iter(forecast.data_vars))
    truth = experiment.store[name].sel(time=forecast["valid_time"].values)
    figure = forecast_vs_truth(forecast[name].load(), truth.load(), coastlines=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print a table by period, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("picture", type=Path, nargs="?")
    arguments = parser.parse_args()
    config = from_mapping(ExperimentConfig, read_mapping(arguments.run / "config.json"))
    experiment = Experiment(config, arguments.run)
    for period in (config.periods.validation, config.periods.test):
        for system, scores in scores_of(experiment, period).items():
            values = [np.squeeze(scores[metric].values) for metric in METRICS]
            told = ", ".join(
                f"{metric} {1e3 * value[0]:.3f} ({1e3 * value[1]:.3f} .. {1e3 * value[2]:.3f}) mm"
                if metric in ("rmse", "bias")
                else f"{metric} {value[0]:.3f} ({value[1]:.3f} .. {value[2]:.3f})"
                for metric, value in zip(METRICS, values, strict=True)
            )
            print(f"{' .. '.join(period)} {system}: {told}")
    if arguments.picture is not None:
        draw(experiment, arguments.picture)


if __name__ == "__main__":
    main()
