"""Laws of the first page: what it shows works as it stands."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from fake_data import analyses

from weatherml.config import load_yaml
from weatherml.experiment import Experiment, ExperimentConfig
from weatherml.grid import LatLonGrid

README = (Path(__file__).parents[1] / "README.md").read_text()
# Mean and spread of each field, and the level at which it is.
SCALES = {"geopotential": (5.5e4, 1e3, 500), "temperature": (280, 9, 850), "2m_temperature": (285, 9, None)}


@pytest.fixture(scope="module")
def configuration():
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return block


def write_weather(path):
    """Write ten years of noise, five days apart, where and in the fields that the first page names."""
    times = np.arange("2010-01-01", "2020-01-01", 5, dtype="datetime64[D]")
    levels = {name: () if level is None else (level,) for name, (_, _, level) in SCALES.items()}
    noise = analyses(levels, times, grid=LatLonGrid.regular(8, 16, poles=False))
    poleward = np.sin(np.radians(noise["latitude"])) ** 2
    scaled = {name: mean + spread * (noise[name] - 4 * poleward) for name, (mean, spread, _) in SCALES.items()}
    kept = {name: field.where(field["level"] == levels[name]) for name, field in scaled.items() if levels[name]}
    weather = {
        name: field.astype(np.float32).assign_attrs(noise[name].attrs) for name, field in (scaled | kept).items()
    }
    path.parent.mkdir()
    noise.assign(weather).to_netcdf(path)


def test_no_line_of_where_to_read_on_names_a_page_twice():
    onward = README.partition("## Where to read on")[2].partition("\n## ")[0]
    for item in onward.split("\n- ")[1:]:
        pages = re.findall(r"\]\(([^)#]+)\)", item)
        assert pages and len(pages) == len(set(pages)), item


def test_the_page_on_clusters_is_installed_as_the_first_page_says():
    page = (Path(__file__).parents[1] / "docs" / "training_on_clusters.md").read_text()
    installs = re.findall(r"pip install \S*cuda13\S*", page)
    assert installs and set(installs) <= set(re.findall(r"pip install \S*cuda13\S*", README))


def test_a_configuration_for_new_data_is_at_most_twelve_lines(configuration):
    assert len(configuration.splitlines()) <= 12
    assert set(yaml.safe_load(configuration)) == {"source", "channels", "periods", "model", "training"}


def test_each_command_of_the_first_page_keeps_what_the_one_before_has_made(configuration, tmp_path):
    (tmp_path / "my.yaml").write_text(configuration)
    lines = re.findall(r"^weatherml demo my\.yaml(.*?) -o runs/mine", README, re.MULTILINE)
    alone, ensemble, verdict = (load_yaml(ExperimentConfig, tmp_path / "my.yaml", line.split()) for line in lines)
    assert alone.forecast.members == 1 and ensemble.forecast.members > 1
    assert verdict.forecast == ensemble.forecast and verdict.extremes.channel == "t2m"


def test_the_configuration_of_the_first_page_runs_to_its_report(configuration, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_weather(tmp_path / "data" / "era5_2010.nc")
    (tmp_path / "my.yaml").write_text(configuration)
    shorter = [
        "training.stages=[{n_steps: 2, learning_rate: 1.0e-3}]",
        "model.width=16",
        "model.depth=1",
        "init_every=60d",
    ]
    experiment = Experiment(load_yaml(ExperimentConfig, "my.yaml", shorter), "runs/mine")
    page = experiment.run().read_text()
    assert "the configuration names no event" in page
    assert experiment.scores["channel"].values.tolist() == ["geopotential_500", "temperature_850", "2m_temperature"]
    assert dict(experiment.forecast.sizes)["number"] == 1
