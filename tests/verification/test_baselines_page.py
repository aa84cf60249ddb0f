"""What the page on baselines shows is what is found, and the names it has are those of the verb."""

import re

import numpy as np
import pytest
from docs_page import DOCS, python_of
from fake_data import analyses, as_forecast, forecasts

from weatherml.verification import baselines
from weatherml.verification.baselines.named import baselines as named

PAGE = "baselines.md"


def test_the_skill_of_the_page_is_that_of_an_ensemble_over_the_climate():
    names = {"__name__": PAGE}
    exec(python_of(PAGE), names)
    truth = analyses({"2m_temperature": ()}, times=130, step="12h")
    members = forecasts({"2m_temperature": ()}, n_init=3, n_members=4, step="12h", start="2001-02-25")
    close = as_forecast(truth, members) + np.float32(0.1) * members.drop_vars("valid_time")
    gained = names["crpss"](close, truth, period=("2001-01-01", "2001-02-20"), window_days=None)
    # Of normal distributions: 0.1 (sqrt 2 - 1) / sqrt pi with the truth in the middle, and 1 / sqrt pi of the climate.
    assert gained.sel(bound="estimate").values == pytest.approx(1 - 0.1 * (np.sqrt(2) - 1), abs=0.05)


def test_all_baselines_are_on_the_page():
    rows = re.findall(r"^\| `(\w+)`( \(Python\))? \|", (DOCS / PAGE).read_text(), re.MULTILINE)
    assert {name for name, in_python_alone in rows if not in_python_alone} == set(named)
    assert all(hasattr(baselines, name) for name, _ in rows)
