import numpy as np
from fake_data import analyses
from hypothesis import given
from hypothesis import strategies as st

from weatherml.data.loading.windows import Windows
from weatherml.data.period import select
from weatherml.errors import UserError

HOUR = np.timedelta64(1, "h").astype("timedelta64[ns]")


def at(hours):
    return np.datetime64("2001-01-01", "ns") + np.asarray(sorted(hours)) * HOUR


@given(st.sets(st.integers(0, 60), min_size=2), st.integers(1, 3), st.integers(1, 4))
def test_every_window_comes_once_and_none_spans_a_gap(hours, n_steps, stride):
    times, spacing = at({*hours, 70, 71}), 1  # two that lie an hour apart, so that this is the usual step
    wanted = {
        tuple(start + k * stride * HOUR for k in range(n_steps + 1))
        for start in times
        if all(start + k * stride * HOUR in times for k in range(n_steps + 1))
    }
    try:
        windows = Windows(times, stride * spacing * HOUR, n_steps)
    except UserError as refused:
        assert not wanted or "do not fit the usual step" in str(refused) or "multiple" in str(refused)
        return
    found = [tuple(times[row]) for row in windows.positions(range(len(windows)))]
    assert len(found) == len(set(found))
    assert set(found) == wanted


def test_several_periods_leave_out_what_lies_between_them():
    dataset = analyses(times=40)
    chosen = select(dataset, [("2001-01-01", "2001-01-02"), ("2001-01-05", "2001-01-07T06")])
    windows = Windows(chosen["time"].values, 6 * HOUR, 2)
    days = {str(time)[:10] for row in windows.positions(range(len(windows))) for time in windows.times[row]}
    assert days == {"2001-01-01", "2001-01-02", "2001-01-05", "2001-01-06", "2001-01-07"}
    assert len(windows) == (8 - 2) + (10 - 2)


def test_periods_that_meet_or_overlap_count_each_time_once():
    dataset = analyses(times=40)
    for second in (("2001-01-03", "2001-01-04"), ("2001-01-02", "2001-01-04")):
        chosen = select(dataset, [("2001-01-01", "2001-01-02"), second])
        assert len(Windows(chosen["time"].values, 6 * HOUR, 3)) == 16 - 3
