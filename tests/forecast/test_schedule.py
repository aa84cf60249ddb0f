"""Schedules do what their plan says, burst by burst."""

from hypothesis import given
from hypothesis import strategies as st
from test_aggregation import problems

from weatherml.forecast.plan.aggregation import plan
from weatherml.forecast.plan.segments import Burst, schedule


def calls_of(burst):
    ends = range(burst.start, burst.end, burst.step)
    return [(start, start + burst.step) for start in ends]


def outputs_of(burst):
    stride = burst.step * burst.n_calls
    return [burst.start + stride * (n + 1) for n in range(burst.n_outputs)] if burst.is_wanted else []


@given(problems(), st.integers(1, 4))
def test_bursts_make_the_calls_of_the_plan_in_order(problem, chunk):
    made = plan(*problem)
    bursts = [burst for bursts in schedule(made, chunk) for burst in bursts]
    calls = [call for burst in bursts for call in calls_of(burst)]
    assert calls == [(call.start, call.end) for call in made.calls]


@given(problems(), st.integers(1, 4))
def test_chunks_hold_the_leads_in_order(problem, chunk):
    made = plan(*problem)
    leads = [[lead for burst in bursts for lead in outputs_of(burst)] for bursts in schedule(made, chunk)]
    assert [lead for part in leads for lead in part] == list(made.leads)
    assert all(len(part) == chunk for part in leads[:-1]) and 0 < len(leads[-1]) <= chunk


@given(problems(), st.integers(1, 4))
def test_a_state_that_is_started_from_ends_a_burst(problem, chunk):
    bursts = [burst for bursts in schedule(plan(*problem), chunk) for burst in bursts]
    assert {burst.start for burst in bursts} <= {0} | {burst.end for burst in bursts}


def test_one_model_with_even_leads_is_one_burst_a_chunk():
    assert schedule(plan([6], range(24, 241, 24)), 4) == [
        [Burst(6, 0, 4, 4, True)],
        [Burst(6, 96, 4, 4, True)],
        [Burst(6, 192, 4, 2, True)],
    ]
