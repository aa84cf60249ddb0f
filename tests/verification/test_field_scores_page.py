"""The page on scores of fields: its Python runs, its metrics are those that there are."""

import re

import numpy as np
from docs_page import DOCS, run_python

from weatherml.verification.metrics.registry import find, registry

PAGE = "field_scores.md"


def test_the_scores_of_the_page_are_those_of_noise():
    names = run_python(PAGE, None)
    scores, seeps = (names[name].sel(bound="estimate") for name in ("scores", "seeps"))
    variance = 2 * 0.003**2 * (0.5 - 1 / (2 * np.pi))  # of the difference of two such winds, of each component
    np.testing.assert_allclose(scores["wind_vector_rmse"].sel(channel="10m_wind"), np.sqrt(2 * variance), rtol=0.1)
    chance = 0.37**2 / (1 - 0.63**2)
    np.testing.assert_allclose(scores["csi(threshold=0.001)"].sel(channel="2m_temperature"), chance, rtol=0.2)
    np.testing.assert_allclose(seeps["seeps(lowest=0.3)"].sel(channel="total_precipitation_24hr"), 1, rtol=0.2)
    power = names["power"].sel(channel="2m_temperature")
    np.testing.assert_allclose(power["forecast"].sum(), power["truth"].sum(), rtol=0.2)
    assert names["picture"].axes[0].get_title("left") == "Root mean square error of 2 m temperature"


def test_the_metrics_of_the_page_are_made_as_it_says():
    table = [line.split("|")[1] for line in (DOCS / PAGE).read_text().splitlines() if line.startswith("| `")]
    told = re.findall(r"`([^`]+)`", " ".join(table))
    for name in told:
        assert registry[name.partition("(")[0]]
        if "..." not in name:
            assert find(name).statistics
    assert len(told) > 15
