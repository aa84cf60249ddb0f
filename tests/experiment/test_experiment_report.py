"""Laws of the experiment's page."""

import re

import numpy as np
import pytest
import xarray as xr

from weatherml.data.quality.finding import Finding
from weatherml.experiment.judging.report import how_far_beaten, skill_table
from weatherml.verification.cards import with_cards


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


COORDS = {
    "system": ["ours", "theirs"],
    "bound": ["estimate", "lower"],
    "channel": ["vorticity_850"],
    "lead_time": np.array([6, 18, 24, 48, 96], "timedelta64[h]").astype("timedelta64[ns]"),
}


def test_the_table_holds_estimates_in_the_units_of_the_pictures_and_only_systems_that_have_the_metric():
    values = 1.2345e-5 * np.arange(20.0).reshape(2, 2, 1, 5)
    values[1] = np.nan
    table = skill_table(xr.Dataset({"rmse": (tuple(COORDS), values)}, COORDS))
    assert table.columns.tolist() == ["channel", "system", "6 h", "1 d", "2 d"]
    assert table.values.tolist() == [["850 hPa vorticity (10⁻⁵ s⁻¹)", "ours", "0", "2.47", "3.70"]]


def test_the_page_begins_with_how_far_each_baseline_is_beaten(page):
    summary = re.search(r"</h1>\s*<p>(.*?)</p>", page, re.DOTALL)[1]
    assert re.search(r" beats persistence .+, climatology .+, and damped persistence (at|up to) .+\.", summary)


@pytest.mark.parametrize(
    ("errors", "better", "words"),
    [
        ([1, 1, 1, 1, 1], [1, 1, 1, 1, 1], "at every lead to 4 d (significantly)"),
        ([1, 1, 1, 1, 1], [1, 1, 0, 1, 0], "at every lead to 4 d (significantly up to 18 h)"),
        ([1, 1, 3, 1, 1], [1, 0, 0, 1, 0], "up to 18 h (significantly up to 6 h)"),
        ([1, 1, 3, 1, 1], [0, 1, -1, 1, 0], "up to 18 h (not significantly)"),
        ([3, 1, 1, 1, 1], [-1, 1, 1, 1, 1], "at no lead"),
    ],
)
def test_a_baseline_is_beaten_up_to_the_lead_before_the_first_where_it_is_not(errors, better, words):
    values = np.broadcast_to(np.array([errors, [2] * 5])[:, None, None], (2, 2, 1, 5))
    dims = ("metric", "channel", "region", "lead_time")
    coords = {"metric": ["rmse"], "region": ["global"]} | {name: COORDS[name] for name in ("channel", "lead_time")}
    told = {"better": np.array(better, np.int8), "difference": np.array(errors) - 2.0}
    card = xr.Dataset({name: (dims, own[None, None, None]) for name, own in told.items()}, coords)
    scores = with_cards(xr.Dataset({"rmse": (tuple(COORDS), values)}, COORDS), {("ours", "theirs"): card})
    assert how_far_beaten(scores, "vorticity_850", "ours", "theirs") == words


def test_the_page_says_who_is_better_in_pairs(page):
    assert "Which is better" in page
    assert "forecast against ensemble" in page
    assert "ensemble against damped persistence" in page
    assert 'class="card"' in page
