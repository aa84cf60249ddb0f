"""Maps of vapour transport: colours, arrows that point along it, outlines of rivers."""

import numpy as np
import pytest
import xarray as xr
from cartopy.crs import PlateCarree
from matplotlib.contour import QuadContourSet
from matplotlib.quiver import Quiver

from weatherml import plot
from weatherml.errors import UserError
from weatherml.extremes.hazards.rivers.transport import EASTWARD, NORTHWARD
from weatherml.grid import LatLonGrid
from weatherml.sphere.great_circles import bearing

REGION = LatLonGrid(tuple(np.arange(60.0, 29, -2)), tuple(np.arange(150.0, 211, 2)))
GLOBE = LatLonGrid.regular(19, 36)


def north_east(grid, make_field, inside):
    """800 kg m-1 s-1 to the north-east where it is inside, 50 elsewhere."""
    part = make_field(lambda lat, lon: np.where(inside(lat, lon), 800, 50) / np.sqrt(2), grid=grid)
    return xr.Dataset({EASTWARD: part, NORTHWARD: part}), part > 100


def drawn(figure, kind):
    return [own for own in figure.axes[0].get_children() if isinstance(own, kind)]


@pytest.mark.parametrize("grid", [REGION, GLOBE])
def test_arrows_point_along_transport_on_the_map_where_it_is_strong(grid, make_field):
    fields, _ = north_east(grid, make_field, lambda lat, lon: (abs(lat - 45) < 11) & (abs(lon - 180) < 25))
    figure = plot.rivers(fields, coastlines=False)
    (arrows,) = drawn(figure, Quiver)
    degrees = PlateCarree().transform_points(figure.axes[0].projection, arrows.X, arrows.Y)
    step = 1e-4 * np.ptp(figure.axes[0].get_xlim())
    strength = np.hypot(arrows.U, arrows.V)
    ends = (own + step * part / strength for own, part in ((arrows.X, arrows.U), (arrows.Y, arrows.V)))
    ahead = PlateCarree().transform_points(figure.axes[0].projection, *ends)
    turn = bearing(degrees[:, 1], degrees[:, 0], ahead[:, 1], ahead[:, 0])
    assert len(turn) > 5
    np.testing.assert_allclose(turn, 45, atol=1)
    assert (abs(degrees[:, 1] - 45) < 20).all() and strength.max() == pytest.approx(800, rel=0.02)


def test_outlines_are_drawn_round_rivers_alone(make_field):
    fields, inside = north_east(REGION, make_field, lambda lat, lon: (abs(lat - 45) < 8) & (abs(lon - 180) < 15))
    with_line = plot.rivers(fields, inside.astype(int), coastlines=False)
    assert len(drawn(with_line, QuadContourSet)) == 1
    assert "1 atmospheric river" in with_line.axes[0].get_title(loc="left")
    assert not drawn(plot.rivers(fields, 0 * inside.astype(int), coastlines=False), QuadContourSet)
    assert not drawn(plot.rivers(fields, coastlines=False), QuadContourSet)


def test_strong_transport_is_blue_and_weak_is_light(make_field, colour_at):
    fields, _ = north_east(REGION, make_field, lambda lat, lon: lon < 180)
    strong, weak = colour_at(plot.rivers(fields, coastlines=False), (45, 161), (45, 199))
    assert weak.min() > 170 and strong[2] > strong[0] + 50


def test_labels_of_another_grid_are_refused(make_field):
    fields, inside = north_east(REGION, make_field, lambda lat, lon: lon < 180)
    with pytest.raises(UserError, match=r"labels \(15, 31\) and fields \(16, 31\) lie on different grids"):
        plot.rivers(fields, inside[1:])
