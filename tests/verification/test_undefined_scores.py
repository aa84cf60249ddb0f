"""Scores that are NaN throughout say so, and why they may be."""

import pytest
from fake_data import analyses, forecasts

from weatherml.verification import evaluate
from weatherml.verification.pairing.notes import sentences

SURFACE = {"2m_temperature": ()}


def told(metric):
    return " ".join(sentences(evaluate(forecasts(SURFACE, n_members=3), analyses(SURFACE), metric)))


@pytest.mark.parametrize("name", ["roc_area", "pod", "csi", "fss"])
def test_an_event_that_never_happens_is_said(name):
    more = "radius=500, " if name == "fss" else ""
    assert f"{name}({more}threshold=1e9) is NaN throughout, as it is where the event" in told(
        f"{name}({more}threshold=1e9)"
    )


def test_parts_that_are_undefined_are_named_with_the_bounds_that_are_too_narrow():
    said = told("crps_decomposition(lowest=1e6, highest=1e7)")
    assert "is NaN throughout for resolution, uncertainty" in said
    assert "outside 1e+06 .. 1e+07" in said


def test_scores_that_are_defined_say_nothing_of_it():
    assert "NaN" not in told(["rmse", "crps_decomposition(lowest=-1e6, highest=1e6)", "rank_histogram"])
