"""Laws of how a plan is summed up."""

from itertools import groupby, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weatherml.cli.printing.ways import Run, Ways, ways_of
from weatherml.forecast.plan.lead_plan import fewest_steps, plan

HOUR = np.timedelta64(3600 * 10**9, "ns")


@st.composite
def plans(draw):
    steps = sorted(draw(st.sets(st.integers(1, 9), min_size=1, max_size=3)))
    reachable = [lead for lead, depth in enumerate(fewest_steps(steps, 60)) if depth]
    return plan(steps, draw(st.sets(st.sampled_from(reachable), min_size=1, max_size=40)))


def paths(ways):
    """Write out every path of some ways."""
    choices = [range(run.least, run.most + 1, run.every) for run in ways.runs]
    for counts in product(*choices):
        yield tuple(run.step for run, count in zip(ways.runs, counts, strict=True) for _ in range(count))


@given(plans())
def test_every_lead_is_told_once_by_the_calls_that_lead_there(made):
    told = [path for ways in ways_of(made) for path in paths(ways)]
    assert sorted(told) == sorted(made.path(lead) for lead in made.leads)
    for ways in ways_of(made):
        assert sorted(map(sum, paths(ways))) == list(ways.leads)
        assert all(len(list(same)) == 1 for _, same in groupby(run.step for run in ways.runs))


@pytest.mark.parametrize(
    ("steps", "leads", "expected"),
    [
        ((6,), range(6, 2401, 6), [((6, 2400), [Run(6, 1, 400)])]),
        ((6, 24), [126], [((126, 126), [Run(24, 5, 5), Run(6, 1, 1)])]),
        (
            (6, 24),
            range(6, 169, 6),
            [
                ((6, 18), [Run(6, 1, 3)]),
                ((24, 168), [Run(24, 1, 7)]),
                ((30, 162), [Run(24, 1, 6), Run(6, 1, 3)]),
            ],
        ),
        ((6,), range(24, 241, 24), [((24, 240), [Run(6, 4, 40, 4)])]),
    ],
)
def test_long_plans_are_few_lines(steps, leads, expected):
    found = ways_of(plan(steps, leads, HOUR))
    assert [((own.leads[0], own.leads[-1]), list(own.runs)) for own in found] == expected
    assert all(isinstance(own, Ways) for own in found)
