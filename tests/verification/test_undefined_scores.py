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


@pytest.mark.parametrize("name", ["brier", "csi", "fss", "economic_value"])
@pytest.mark.parametrize(("threshold", "how"), [(1e9, "never"), (-40.0, "everywhere and always")])
def test_a_threshold_that_the_truth_never_or_always_exceeds_is_told_with_its_units(name, threshold, how):
    """As one in other units is, of which a Brier score of 0 would not tell."""
    metric = f"{name}({'radius=500, ' if name == 'fss' else ''}threshold={threshold})"
    assert f"the truth exceeds the threshold of {metric} {how} (it is in K)" in told(metric)


def test_a_threshold_is_for_the_channels_that_exceed_it_now_and_then():
    assert "exceeds" not in told("brier(threshold=0.5)")
    both = {"2m_temperature": (), "geopotential": (500,)}
    truth, forecast = analyses(both), forecasts(both)
    shifted = [own.assign(geopotential=own["geopotential"] + 1e5) for own in (forecast, truth)]
    assert not sentences(evaluate(*shifted, "brier(threshold=0.5)"))
    assert "never, or always (it is in K, m2 s-2)" in sentences(evaluate(*shifted, "brier(threshold=50)"))[0]


def test_parts_that_are_undefined_are_named_with_the_bounds_that_are_too_narrow():
    said = told("crps_decomposition(lowest=1e6, highest=1e7)")
    assert "is NaN throughout for resolution, uncertainty" in said
    assert "outside 1e+06 .. 1e+07" in said


def test_scores_that_are_defined_say_nothing_of_it():
    assert "NaN" not in told(["rmse", "crps_decomposition(lowest=-1e6, highest=1e6)", "rank_histogram"])
