"""Segments do what their plan says, one after the other."""

from hypothesis import given
from hypothesis import strategies as st
from test_lead_plan import problems

from weatherml.forecast.plan.lead_plan import Segment, plan

most_leads, most_calls = st.integers(1, 4), st.integers(1, 5)


def segments(made, most_leads, most_calls):
    return made.segments(most_leads, dict.fromkeys(made.n_calls, most_calls))


def leads_of(segment):
    return [end for end, is_wanted in zip(segment.ends.tolist(), segment.wanted, strict=True) if is_wanted]


@given(problems(), most_leads, most_calls)
def test_segments_make_the_calls_of_the_plan_in_order(problem, most_leads, most_calls):
    made = plan(*problem)
    own = [segment for chunk in segments(made, most_leads, most_calls) for segment in chunk]
    calls = [(end - segment.step, end) for segment in own for end in segment.ends.tolist()]
    assert calls == [(call.start, call.end) for call in made.calls]
    assert all(len(segment.wanted) <= most_calls for segment in own)


@given(problems(), most_leads, most_calls)
def test_chunks_hold_the_leads_in_order(problem, most_leads, most_calls):
    made = plan(*problem)
    chunks = segments(made, most_leads, most_calls)
    leads = [[lead for segment in chunk for lead in leads_of(segment)] for chunk in chunks]
    assert [lead for part in leads for lead in part] == list(made.leads)
    assert all(len(part) == most_leads for part in leads[:-1]) and 0 < len(leads[-1]) <= most_leads


@given(problems(), most_leads, most_calls)
def test_a_state_that_is_started_from_ends_a_segment(problem, most_leads, most_calls):
    own = [segment for chunk in segments(plan(*problem), most_leads, most_calls) for segment in chunk]
    assert {segment.start for segment in own} <= {0} | {segment.end for segment in own}


def test_one_model_with_even_leads_is_one_segment_a_chunk():
    wanted = (False, False, False, True) * 4
    assert segments(plan([6], range(24, 241, 24)), 4, 100) == [
        [Segment(6, 0, wanted)],
        [Segment(6, 96, wanted)],
        [Segment(6, 192, wanted[:8])],
    ]
