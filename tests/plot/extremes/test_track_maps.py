"""Maps of tracks: lines lie where storms went, in one piece, and none crosses the map."""

import cartopy.crs as ccrs
import numpy as np
import pytest
from matplotlib.collections import LineCollection

from weatherml import plot
from weatherml.errors import UserError
from weatherml.extremes.tracks import make
from weatherml.extremes.tracks.density import track_density
from weatherml.grid import LatLonGrid

HOURS = np.datetime64("2020-01-01", "ns") + 6 * np.arange(5) * np.timedelta64(3600 * 10**9, "ns")
PACIFIC = (150, 200, 20, 70)


def storms(longitude=(176, 178, 180, 182, 184), **more):
    """Two storms, the first over the date line."""
    columns = {
        "track_id": np.repeat([1, 2], 5),
        "time": np.tile(HOURS, 2),
        "latitude": [40, 42, 44, 46, 48, 10, 11, 12, 13, 14],
        "longitude": [*longitude, 50, 52, 54, 56, 58],
    }
    return make(columns | more)


def pieces_of(figure):
    """The pieces of the lines `[piece, end, (x, y)]`, and the first axes."""
    ax = figure.axes[0]
    lines = [own for own in ax.collections if isinstance(own, LineCollection) and own.get_array() is not None]
    return np.array(lines[0].get_segments()), lines[0], ax


@pytest.mark.parametrize("region", [None, PACIFIC])
def test_a_line_goes_through_every_record_and_nowhere_across_the_map(region):
    pieces, _, ax = pieces_of(plot.tracks(storms(), region=region, coastlines=False))
    table = storms()
    records = ax.projection.transform_points(ccrs.PlateCarree(), table["longitude"].values, table["latitude"].values)
    width = np.ptp(ax.projection.x_limits)
    apart = np.linalg.norm(records[:, None, :2] - pieces.reshape(-1, 2), axis=2).min(axis=1)
    assert apart.max() < 1e-3 * width
    assert np.linalg.norm(np.diff(pieces, axis=1), axis=2).max() < 0.01 * width


def test_a_map_of_a_region_has_it_over_the_date_line_and_counts_the_storms_there():
    ax = plot.tracks(storms(), region=PACIFIC, coastlines=False).axes[0]
    assert ax.get_extent(ccrs.PlateCarree(175)) == pytest.approx((-25, 25, 20, 70))
    assert ax.get_title(loc="left") == "1 storm"


def test_colour_is_age_in_days_or_a_column_in_the_units_people_use():
    _, lines, _ = pieces_of(plot.tracks(storms(), coastlines=False))
    assert (lines.get_array().min() < 0.1, 0.9 < lines.get_array().max() < 1) == (True, True)
    pressure = storms(mean_sea_level_pressure=np.linspace(101000, 96500, 10))
    figure = plot.tracks(pressure, color="mean_sea_level_pressure", coastlines=False)
    _, lines, _ = pieces_of(figure)
    assert 965 < lines.get_array().min() < 967
    assert figure.axes[1].get_xlabel() == "Mean sea level pressure (hPa)"


def test_densities_share_their_colours():
    grid = LatLonGrid.regular(19, 36)
    one, other = track_density(storms(), grid), track_density(storms().isel(record=slice(5)), grid)
    figure = plot.track_density(one, other, names=("both", "the first"), coastlines=False)
    first, second, difference = (ax.images[0] for ax in figure.axes[:3])
    assert first.norm is second.norm or (first.norm.boundaries == second.norm.boundaries).all()
    assert float(difference.get_array().max()) == pytest.approx(float((one - other).max()), rel=0.2)


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda: plot.tracks(storms().isel(record=slice(0))), "no tracks to draw"),
        (lambda: plot.tracks(storms(), color="wind"), "color 'wind' is no column of numbers .* age, track_id"),
        (lambda: plot.tracks(storms(depth=np.full(10, np.nan)), color="depth"), "depth of the tracks is nowhere known"),
        (lambda: plot.tracks(storms(), region=(0, 0, 20, 70)), r"region \(0, 0, 20, 70\) is none"),
    ],
)
def test_what_cannot_be_drawn_is_said(draw, said):
    with pytest.raises(UserError, match=said):
        draw()


def test_a_map_is_of_the_tracks_or_of_the_globe_where_they_are_all_over_it():
    over_the_date_line = storms().isel(record=slice(5))
    ax = plot.tracks(over_the_date_line, coastlines=False).axes[0]
    assert ax.get_extent(ccrs.PlateCarree(180)) == pytest.approx((-7, 7, 37, 51))
    whole = plot.tracks(storms(longitude=(176, 178, 180, 182, 10)), coastlines=False).axes[0]
    assert np.ptp(whole.get_xlim()) == pytest.approx(np.ptp(whole.projection.x_limits))
