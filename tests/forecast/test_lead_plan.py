"""Plans against brute force, and Pangu-Weather's rule as a special case."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weatherml.errors import UserError
from weatherml.forecast.plan.lead_plan import fewest_steps, plan

STEPS = st.sets(st.integers(1, 11), min_size=1, max_size=3)
NESTED = st.sampled_from([(1, 3, 6, 24), (6, 24), (2, 4, 12), (5,)])


@st.composite
def problems(draw, steps=STEPS, longest=36):
    """Steps, and leads that they reach."""
    sizes = sorted(draw(steps))
    reachable = [lead for lead, depth in enumerate(fewest_steps(sizes, longest)) if depth]
    return sizes, draw(st.sets(st.sampled_from(reachable), min_size=1, max_size=4))


def brute_force_depth(steps, lead):
    """Breadth first from zero."""
    depth, reached = 0, {0}
    while lead not in reached:
        depth, reached = depth + 1, {r + s for r in reached for s in steps if r + s <= lead}
    return depth


@given(problems())
def test_every_lead_is_reached_exactly_and_by_the_fewest_steps(problem):
    steps, leads = problem
    made = plan(steps, leads)
    assert made.leads == tuple(sorted(leads))
    for lead in leads:
        assert sum(made.path(lead)) == lead and set(made.path(lead)) <= set(steps)
        assert made.depths[lead] == len(made.path(lead)) == brute_force_depth(steps, lead)


@given(problems())
def test_how_a_lead_is_reached_does_not_depend_on_the_others(problem):
    steps, leads = problem
    together = plan(steps, leads)
    assert all(together.path(lead) == plan(steps, [lead]).path(lead) for lead in leads)


@given(problems())
def test_what_ways_have_in_common_is_called_once(problem):
    steps, leads = problem
    made = plan(steps, leads)
    states = {sum(path[: n + 1]) for path in map(made.path, leads) for n in range(len(path))}
    assert [call.end for call in made.calls] == sorted(states)


@given(problems())
def test_states_in_memory_never_exceed_the_stated_peak(problem):
    made = plan(*problem)
    held, most = {0}, 0
    for call in made.calls:
        assert call.start in held
        held = {d for d in held if made.last_use.get(d, 0) >= call.end}
        most = max(most, len(held) + 1)
        held.add(call.end)
    assert most == made.peak_states


@pytest.mark.parametrize(
    ("lead", "path"), [(56, (24, 24, 6, 1, 1)), (24, (24,)), (23, (6, 6, 6, 3, 1, 1)), (360, (24,) * 15)]
)
def test_nested_steps_are_taken_longest_first_as_pangu_does(lead, path):
    assert plan((1, 3, 6, 24), [lead]).path(lead) == path


@pytest.mark.parametrize(("lead", "n_steps"), [(12, 2), (8, 2), (14, 3), (18, 2)])
def test_longest_first_is_not_followed_where_it_is_not_best(lead, n_steps):
    assert len(plan((4, 6, 9), [lead]).path(lead)) == n_steps  # longest first would take 9 for 12 and then fail


@given(NESTED)
def test_all_multiples_of_the_shortest_step_cost_one_call_each(steps):
    made = plan(steps, range(steps[0], 169, steps[0]))
    assert len(made.calls) == 168 // steps[0]
    assert made.peak_states <= len(steps) + 1


def test_an_hourly_week_calls_each_model_as_pangu_does():
    assert plan((1, 3, 6, 24), range(1, 169)).n_calls == {24: 7, 6: 21, 3: 28, 1: 112}


def test_a_plan_of_a_hundred_years_is_made_at_once():
    before = time.process_time()
    made = plan((1, 4), range(1, 4 * 36_525 + 1))
    assert (len(made.calls), made.peak_states, max(made.depths.values())) == (146_100, 3, 36_527)
    assert time.process_time() - before < 10


@pytest.mark.parametrize(
    ("steps", "leads", "message"),
    [
        ((6, 24), [12, 15], "lead 15 cannot be reached by steps of 6, 24; the nearest that can are 12 and 18"),
        ((24,), [5], "lead 5 cannot be reached by steps of 24; the nearest that can is 24"),
        ((), [6], "positive steps and leads"),
        ((6,), [], "positive steps and leads"),
        ((0, 6), [6], "positive steps and leads"),
    ],
)
def test_what_cannot_be_reached_is_refused(steps, leads, message):
    with pytest.raises(UserError, match=message):
        plan(steps, leads)
