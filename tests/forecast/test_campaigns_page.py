"""The page on judging campaigns: its Python runs, and its script asks for what there is."""

import re

import numpy as np
import pytest
import xarray as xr
from docs_page import DOCS, run_python
from fake_data import analyses, forecasts
from tiny_forecast import TIMES
from typer.main import get_command

from weatherml.cli.app import app
from weatherml.config import from_mapping
from weatherml.forecast import ForecastConfig
from weatherml.verification import evaluate


@pytest.fixture(scope="module")
def page():
    return run_python("judging_campaigns.md", None)


def test_shares_of_the_page_are_the_whole(page, tmp_path):
    forecast, truth = forecasts({"2m_temperature": ()}, 3, n_members=5), analyses({"2m_temperature": ()})
    whole = evaluate(forecast, truth, page["METRICS"])
    xr.testing.assert_equal(page["in_shares"](forecast, truth, tmp_path, 2), whole)
    assert page["kept"](tmp_path).dataset.sizes["init_time"] == 3


def test_the_forecast_that_the_page_judges_as_it_is_made_is_scored(page, forecaster, analysis, tmp_path):
    asked = {"lead_time": "24h", "members": 5, "perturbation": "spherical", "batch": 2}
    config = from_mapping(ForecastConfig, asked, "")
    scores = page["as_it_is_made"](forecaster, analysis, TIMES[:2], config, tmp_path)
    stored = evaluate(forecaster.run(analysis, TIMES[:2], config), analysis, page["METRICS"])
    np.testing.assert_allclose(scores["crps_fair"], stored["crps_fair"], rtol=1e-9)


def test_commands_of_the_page_have_options_that_there_are():
    known = {own for option in get_command(app).commands["evaluate"].params for own in option.opts}
    text = (DOCS / "judging_campaigns.md").read_text() + (DOCS / "slurm/evaluate_array.sbatch").read_text()
    for line in re.findall(r"weatherml evaluate (.*)", text):
        assert set(re.findall(r"--[a-z-]+", line.partition("  #")[0])) <= known
