"""The configuration of a real winter takes the whole road, and is judged against what it says it is."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from weatherml.config import load_yaml
from weatherml.experiment import Experiment, ExperimentConfig

CONFIG = Path(__file__).parents[2] / "configs" / "era5_winter.yaml"
STORES = {"msl": "era5_msl_2025-2026_djf_2.5x2.5.zarr", "vo": "era5_vo850_2025-2026_djf_2.5x2.5.zarr"}
SMALL = (
    "periods.training=[2025-12-01,2025-12-04]",
    "periods.validation=[2025-12-05,2025-12-06]",
    "periods.test=[2025-12-07,2025-12-09]",
    "model.scale_factor=6.0",
    "model.width=4",
    "model.depth=1",
    "training.stages=[{n_steps: 2, learning_rate: 1e-3}]",
    "training.batch_size=2",
    "forecast.lead_time=6h",
    "init_every=1d",
)


@pytest.fixture(scope="module")
def experiment(shared, tmp_path_factory):
    paths = [str(shared(f"reanalysis/{name}")) for name in STORES.values()]
    config = load_yaml(ExperimentConfig, CONFIG, (f"source.paths=[{','.join(paths)}]", *SMALL))
    experiment = Experiment(config, tmp_path_factory.mktemp("winter"))
    experiment.run("evaluate")
    return experiment


def test_nothing_is_judged_on_days_that_were_learned_from_or_chosen_by():
    periods = load_yaml(ExperimentConfig, CONFIG).periods
    assert periods.training[1] < periods.validation[0] <= periods.validation[1] < periods.test[0]


def test_a_winter_takes_the_whole_road(experiment):
    rmse = experiment.scores["rmse"]
    assert rmse["channel"].values.tolist() == ["mean_sea_level_pressure", "vorticity_850"]
    assert {"forecast", "persistence", "damped persistence", "climatology"} == set(rmse["system"].values)
    assert (rmse.sel(bound="estimate") > 0).all()


def test_persistence_of_a_winter_errs_by_what_the_stores_change(experiment, shared):
    with xr.open_zarr(shared(f"reanalysis/{STORES['msl']}")) as store:
        pressure = store["msl"].sel(valid_time=slice("2025-12-07", "2025-12-09")).values.astype(float)
    change = pressure[[1, 5, 9]] - pressure[[0, 4, 8]]
    edges = np.sin(np.radians(np.clip(np.arange(91.25, -92, -2.5), -90, 90)))
    expected = np.sqrt(((change**2).mean(axis=-1) @ -np.diff(edges)).mean() / 2)
    scores = experiment.scores["rmse"].sel(system="persistence", bound="estimate", channel="mean_sea_level_pressure")
    assert scores.values == pytest.approx([expected], rel=1e-5)
