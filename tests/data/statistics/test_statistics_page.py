"""The page on statistics: its Python does what it says, its options are those of the verb."""

import re

import numpy as np
from docs_page import DOCS, run_python
from tiny_experiment import weatherml

PAGE = "statistics.md"


def test_the_climatologies_of_the_page_know_its_temperature(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run_python(PAGE, None)
    angle = 2 * np.pi * (np.arange(365) + 0.5) / 365
    truth = 283 - 9 * np.cos(angle) - 2 * np.sin(2 * angle) - 3 * np.cos(2 * np.pi * 9 / 24)
    for name in ("harmonic", "windowed"):
        error = names[name].mean(("latitude", "longitude")).values - truth
        assert np.sqrt((error**2).mean()) < 0.7
    low, high = (names["quantiles"].sel(quantile=q) for q in (0.05, 0.95))
    width = (high - low).mean(("latitude", "longitude"))
    assert (width > 6).all()
    assert width[180:210].mean() > 1.5 * width[:20].mean()
    assert sorted(path.name for path in (tmp_path / "climate").iterdir()) == [
        "climatology.nc",
        "quantile_climatology.nc",
        "statistics.nc",
        "windowed_climatology.nc",
    ]


def test_the_options_of_the_page_are_those_of_the_verb():
    told = re.findall(r"`[^`]*?(--[a-z]+)", (DOCS / PAGE).read_text())
    known = set(re.findall(r"--[a-z]+", weatherml("statistics", "--help").output))
    assert {"--part", "--merge", "--extend", "--memory"} <= set(told) & known
    assert set(told) - known == {"--refresh"}  # of ingest
