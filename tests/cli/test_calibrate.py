"""The verb that chooses amplitudes: what it writes, and what it refuses."""

import pytest
import yaml
from tiny_experiment import CONFIG, done, refused

from weatherml.config import from_mapping
from weatherml.experiment import ExperimentConfig
from weatherml.forecast import SphericalConfig


@pytest.fixture
def words(tiny_run, tmp_path):
    asked = ("--set", "members=3", "--lead", "12h", "--rounds", "2", "-o", tmp_path / "amplitudes.yaml")
    return (tiny_run.checkpoint, "--analysis", tiny_run.store, *asked)


INITS = ("--init", "2000-01-09", "--init", "2000-01-09T12", "--init", "2000-01-10")


def test_file_is_a_part_of_an_experiment(words, tmp_path):
    printed = done("calibrate", *words, *INITS, "--set", "perturbation.length=1500").splitlines()
    assert len(printed) - 1 <= 4
    part = yaml.safe_load((tmp_path / "amplitudes.yaml").read_text())
    fitted = from_mapping(ExperimentConfig, CONFIG | part).forecast.perturbation
    assert isinstance(fitted, SphericalConfig)
    assert fitted.length == 1500
    assert fitted.scale != SphericalConfig().scale
    assert any(f"scale {fitted.scale:<8.4g}" in line for line in printed)


def test_what_is_too_large_is_said_and_passed_over(words):
    printed = done("calibrate", *words, *INITS, "--set", "perturbation.scale=40").splitlines()
    assert printed[0] == "scale 40       far too large: 6 members stopped"
    assert "spread over error" in printed[-2]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--init", "2000-01-10", "--init", "2000-01-12"), "reach into the test period 2000-01-11 .. 2000-01-16"),
        (("--init", "2000-01-09", "--set", "members=1"), "at least 2 members"),
        (("--init", "2000-01-09", "--set", "perturbation.name=spheric"), "did you mean 'spherical'"),
        (("--init", "2000-01-09", "--set", "perturbation.scale=0.0"), "scale 0 is no amplitude to start from"),
        (("--init", "2000-01-09", "--init", "soon"), "no ISO 8601 time"),
        (
            ("--init", "20000109", "--init", "2000-01-12T02+02:00"),
            "reach into the test period 2000-01-11 .. 2000-01-16",
        ),
        (("--init", "2000-01-09", "--lead", "2"), "calibrate: lead_time: duration '2' must be a positive number of"),
        (("--init", "2000-01-09", "--lead", "100000d"), "from 2000-01-09T00:00 ends after the year 2261"),
    ],
)
def test_what_cannot_be_calibrated_is_one_line(words, tmp_path, options, reason):
    assert reason in refused("calibrate", *words, *options)
    assert not list(tmp_path.iterdir())


def test_existing_file_is_kept(words, tmp_path):
    (tmp_path / "amplitudes.yaml").write_text("mine")
    assert "exists; choose another path" in refused("calibrate", *words, *INITS)
    assert (tmp_path / "amplitudes.yaml").read_text() == "mine"
