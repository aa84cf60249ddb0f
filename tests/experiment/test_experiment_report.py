"""Laws of the experiment's page."""

import re

import numpy as np
import pytest
import xarray as xr

from weatherml.data.quality.finding import Finding
from weatherml.experiment.report import skill_table


@pytest.fixture(scope="module")
def page(tiny_run):
    return (tiny_run.folder / "report.html").read_text()


def test_the_page_needs_nothing_from_outside(page):
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    assert "<script" not in page


@pytest.mark.parametrize(
    "words",
    ["A tiny planet", "12 x 24 points", "judged on 5 initial times with 3 members", "95th percentile", "persistence"],
)
def test_the_page_says_what_was_done(page, words):
    assert words in page


def test_the_page_accounts_for_every_phase_before_it(page):
    assert all(f">{phase}<" in page for phase in ("ingest", "statistics", "train", "forecast", "evaluate", "extremes"))


def test_findings_are_read_as_they_were_written(tmp_path):
    finding = Finding("note", "u_component_of_wind_850", "mask: 3 of 9: see below")
    assert Finding.parse(str(finding)) == finding


def test_the_table_holds_estimates_at_whole_days_and_only_systems_that_have_the_metric():
    days = np.array([1, 2, 3], "timedelta64[D]").astype("timedelta64[ns]")
    values = 1234.5 * np.arange(12.0).reshape(2, 2, 1, 3)
    values[1] = np.nan
    coords = {
        "system": ["ours", "theirs"],
        "bound": ["estimate", "lower"],
        "channel": ["geopotential_500"],
        "lead_time": days,
    }
    table = skill_table(xr.Dataset({"rmse": (tuple(coords), values)}, coords))
    assert table.columns.tolist() == ["channel", "system", "1 d", "3 d"]
    assert table.values.tolist() == [["500 hPa geopotential (m² s⁻²)", "ours", "0", "2470"]]
