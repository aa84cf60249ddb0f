"""The picture of the memory of a device."""

import pytest

from weatherml import plot
from weatherml.errors import UserError

PLANS = {"1": {"weights": 3 * 2**30, "activations": 2**30}, "2": {"weights": 2**30, "activations": 2**29}}


def test_bars_stand_on_each_other_and_reach_what_is_needed(paint):
    figure = plot.memory(PLANS, room=5 * 2**30)
    paint(figure)
    ax = figure.axes[0]
    assert [[(bar.get_y(), bar.get_height()) for bar in bars] for bars in ax.containers] == [
        [(0, 3), (0, 1)],
        [(3, 1), (1, 0.5)],
    ]
    assert "GiB" in ax.get_ylabel() and ax.lines[0].get_ydata()[0] == 5


def test_every_part_has_a_colour_of_its_own(paint):
    figure = plot.memory({"one": {f"part {number}": 1 for number in range(11)}})
    paint(figure)
    assert len({bars[0].get_facecolor() for bars in figure.axes[0].containers}) == 11


def test_without_plans_there_is_no_picture():
    with pytest.raises(UserError, match="no plan"):
        plot.memory({})
