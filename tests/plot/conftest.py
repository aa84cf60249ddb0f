"""Cheap fields, and eyes: what colour the picture has at a place."""

import numpy as np
import pytest
import xarray as xr
from cartopy.crs import PlateCarree
from matplotlib.backends.backend_agg import FigureCanvasAgg

from weatherml.grid import LatLonGrid


@pytest.fixture(scope="session")
def make_field():
    """Return a builder of fields from a function of (latitude, longitude); on a coarse Gaussian globe by default."""

    def build(value, name="temperature", grid=None, **coords):
        grid = grid or LatLonGrid.gaussian(14, 24)
        latitude, longitude = np.array(grid.latitude), np.array(grid.longitude)
        values = np.broadcast_to(value(latitude[:, None], longitude[None, :]), grid.shape).astype(np.float32)
        places = {"latitude": latitude, "longitude": longitude}
        return xr.DataArray(values, coords={**places, **coords}, dims=("latitude", "longitude"), name=name)

    return build


@pytest.fixture(scope="session")
def paint():
    """Return a function that draws a figure to pixels, RGB in 0 .. 255 `[row, column, 3]`."""

    def draw(figure):
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].astype(int)

    return draw


@pytest.fixture(scope="session")
def colour_at(paint):
    """Return a function that reads the colours, RGB in 0 .. 255, of a figure's first map at places in degrees."""

    def look(figure, *places):
        picture = paint(figure)
        ax = figure.axes[0]
        found = []
        for latitude, longitude in places:
            x, y = ax.transData.transform(ax.projection.transform_point(longitude, latitude, PlateCarree()))
            found.append(picture[picture.shape[0] - 1 - int(y), int(x)])
        return found

    return look
