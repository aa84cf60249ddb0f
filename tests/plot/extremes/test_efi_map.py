"""Maps of the extreme forecast index."""

import numpy as np
import pytest
from matplotlib.contour import QuadContourSet

from weatherml import plot
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid

REGION = LatLonGrid((60.0, 50.0, 40.0, 30.0), tuple(np.arange(0.0, 61, 5)))


def levels_of(figure):
    """Return the levels of all lines that are seen."""
    lines = [own for own in figure.axes[0].get_children() if isinstance(own, QuadContourSet)]
    return sorted({level for own in lines for level in own.levels})


@pytest.fixture(scope="module")
def index(make_field):
    """From -1 in the west to 1 in the east."""
    field = make_field(lambda lat, lon: lon / 30 - 1 + 0 * lat, "2m_temperature", REGION)
    return field.assign_attrs(long_name="extreme forecast index of 2m temperature", climate="analyses of 2012")


def test_what_is_usual_is_white_and_what_is_not_is_blue_or_red(index, colour_at):
    cold, usual, warm = colour_at(plot.efi(index, coastlines=False), (47, 3), (47, 33), (47, 57))
    assert usual.min() > 240
    assert cold[2] > cold[0] + 40 and warm[0] > warm[2] + 40


def test_shift_of_tails_is_drawn_as_lines_where_there_is_one(index, make_field):
    tails = make_field(lambda lat, lon: lon / 10 - 3 + 0 * lat, "2m_temperature", REGION)
    figure = plot.efi(index, tails, coastlines=False)
    assert levels_of(figure) == [0, 1, 2]
    drawn = [own for own in figure.axes[0].get_children() if isinstance(own, QuadContourSet)]
    points = [np.concatenate([path.vertices, np.zeros((0, 2))]) for own in drawn for path in own.get_paths()]
    assert {len(own) > 0 for own in points} == {True, False}  # those at 0 and 1 are where the index is usual
    words = [" ".join(text.get_text().split()) for text in figure.axes[0].texts]
    told = "lines: shift of tails at 0, 1, 2 where coloured"
    assert any(told in own and "against analyses of 2012" in own for own in words)
    assert levels_of(plot.efi(index, tails - 9, coastlines=False)) == []


def test_what_is_no_index_is_refused_in_one_line(index, make_field):
    with pytest.raises(UserError, match=r"within -1 .. 1, this reaches 50; pass what efi returns"):
        plot.efi(50 * index)
    with pytest.raises(UserError, match=r"every value of the index is NaN"):
        plot.efi(index.where(index > 2))
    with pytest.raises(UserError, match=r"on another grid than the index"):
        plot.efi(index, make_field(lambda lat, lon: 0 * lat + 0 * lon))
