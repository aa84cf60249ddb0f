"""Maps of events and their outlines."""

import numpy as np
import pytest
from matplotlib.contour import QuadContourSet

from weatherml import plot
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid

REGION = LatLonGrid((60.0, 50.0, 40.0, 30.0), tuple(np.arange(0.0, 61, 5)))


@pytest.fixture(scope="module")
def heat(make_field):
    """Nothing in the west, more and more in the east."""
    field = make_field(lambda lat, lon: np.maximum(lon - 30, 0) + 0 * lat, "heat", REGION)
    return field.assign_attrs(long_name="Heat", units="K day")


def lines_of(figure):
    return [own for own in figure.axes[0].get_children() if isinstance(own, QuadContourSet)]


def test_an_event_is_red_where_it_is_strong_and_nothing_is_white(heat, colour_at):
    figure = plot.event_objects(heat, title="Heat wave", coastlines=False)
    none, weak, strong = colour_at(figure, (47, 13), (47, 38), (47, 58))
    assert none.min() > 240 and weak[1] > strong[1] + 60 and strong[0] > strong[2] + 60
    assert "Heat (K day)" in [ax.get_xlabel() or ax.get_ylabel() for ax in figure.axes]


def test_an_object_has_a_line_between_its_cells_and_their_neighbours(heat):
    figure = plot.event_objects(heat, heat > 20, title="Heat wave", coastlines=False)
    (line,) = lines_of(figure)
    assert np.allclose(line.get_paths()[0].vertices[:, 0] + 30, 52.5, atol=0.2)  # the middle of the map is 30 east
    assert not lines_of(plot.event_objects(heat, title="Heat wave", coastlines=False))


def test_no_event_and_another_grid_are_one_line(heat):
    with pytest.raises(UserError, match="nowhere above 0"):
        plot.event_objects(heat - 90, title="Heat wave")
    with pytest.raises(UserError, match="outline lies on another grid"):
        plot.event_objects(heat, (heat > 20)[:2], title="Heat wave")
