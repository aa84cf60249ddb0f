"""`weatherml export`, and forecasts with a diagnostic, as a person types them."""

import zipfile
from dataclasses import replace

import pytest
import xarray as xr
from numpy_weights import drawn_checkpoint
from tiny_experiment import done, refused

from weatherml.checkpoint import Checkpoint
from weatherml.data.statistics.forcings import Forcings
from weatherml.models import FourCastNetConfig, PrecipitationConfig


@pytest.fixture
def rain(tiny_run, tmp_path):
    """Return the path of an untrained diagnostic of the states of the tiny model."""
    model = Checkpoint.load(tiny_run.checkpoint)
    config = PrecipitationConfig(backbone=FourCastNetConfig(patch=4, width=8, depth=1, n_blocks=2))
    forcings = Forcings((), model.spec.grid, model.time_step)
    normalizer = replace(model.normalizer, climatology=None)
    checkpoint = drawn_checkpoint(config, forcings, normalizer, model.provenance, 0, "diagnostic")
    checkpoint.save(tmp_path / "rain")
    return tmp_path / "rain"


def test_export_writes_a_file_and_says_how_exact_it_is(tiny_run, tmp_path):
    pytest.importorskip("flatbuffers", reason="needs weatherml[export]")
    printed = done("export", tiny_run.checkpoint, "--format", "stablehlo", "-o", tmp_path / "step.zip")
    assert "differs from weatherml by at most" in printed
    assert zipfile.is_zipfile(tmp_path / "step.zip")


def test_export_refuses_an_unknown_format_and_a_diagnostic(tiny_run, rain, tmp_path):
    words = ("-o", tmp_path / "step")
    assert "did you mean 'stablehlo'" in refused("export", tiny_run.checkpoint, "--format", "stablhlo", *words)
    assert "precipitation is a diagnostic" in refused("export", rain, "--format", "stablehlo", *words)
    assert not (tmp_path / "step").exists()


def test_a_forecast_holds_its_diagnostics(tiny_run, rain, tmp_path):
    words = ("--init", "2000-01-12", "--set", "lead_time=12h", "--diagnostic", rain, "-o", tmp_path / "f.zarr")
    done("forecast", tiny_run.checkpoint, "--analysis", tiny_run.store, *words)
    with xr.open_zarr(tmp_path / "f.zarr", consolidated=False) as forecast:
        assert forecast["total_precipitation_6hr"].notnull().all()


def test_info_says_what_a_diagnostic_gives(rain):
    assert "diagnostic of total_precipitation_6hr" in done("info", rain)
