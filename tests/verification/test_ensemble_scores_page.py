"""The page on scores of ensembles: its Python runs, its metrics are those that there are."""

import re

import numpy as np
from docs_page import DOCS, run_python

from weatherml.verification.metrics.registry import find, registry

PAGE = "ensemble_scores.md"


def test_the_scores_of_the_page_are_those_of_noise():
    names = run_python(PAGE, None)
    scores, skill = (names[name].sel(bound="estimate").squeeze() for name in ("scores", "skill"))
    np.testing.assert_allclose(scores["crps_fair"], 5 / np.sqrt(np.pi), rtol=0.15)
    np.testing.assert_allclose(scores["rank_histogram"], 1 / 9, atol=0.05)
    assert abs(scores["roc_area(threshold=285)"] - 0.5) < 0.1
    assert skill["brier_skill"] < 0
    assert (skill.attrs["n_members"], skill.attrs["control"]) == (7, "out")


def test_the_metrics_of_the_page_are_made_as_it_says():
    table = [line.split("|")[1] for line in (DOCS / PAGE).read_text().splitlines() if line.startswith("| `")]
    told = re.findall(r"`([^`]+)`", " ".join(table))
    for name in told:
        assert registry[name.partition("(")[0]]
        if "..." not in name:
            assert find(name).statistics
    assert len(told) > 20
