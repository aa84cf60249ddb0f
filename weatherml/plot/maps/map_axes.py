"""The axes of a map, and what is drawn there.

A field is first sampled on the plane of the projection and then drawn there as a plain picture. Sampling is cyclic in
longitude, so there is no seam where the data begin, and the projection never has to cut polygons.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cartopy.crs as ccrs
import numpy as np
import numpy.typing as npt
import xarray as xr
from cartopy.mpl.geoaxes import GeoAxes
from cartopy.mpl.ticker import LatitudeLocator
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, MaxNLocator
from scipy.ndimage import map_coordinates
from shapely import contains_xy
from shapely.geometry import box

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.plot import style
from weatherml.plot.maps.coastlines import coastlines, coastlines_within
from weatherml.plot.maps.map_layout import Bar, Box
from weatherml.plot.style import Shading

_Array = npt.NDArray[np.float64]
_DEGREES = ccrs.PlateCarree()
_GLOBE = ccrs.EqualEarth()
_SAMPLES_AN_INCH = 128  # of a map: about one a pixel of the finished picture
_INCHES_A_DEGREE_LABEL = (0.62, 0.45)  # of longitude, of latitude
_ROOM_OF_A_LABEL = 0.24  # inches from the edge of a map to the middle of a contour's number


@dataclass(frozen=True)
class Ground:
    """What lines are drawn over a field.

    Attributes:
        coastlines: The Earth's.
        orography: Surface geopotential `[latitude, longitude]` in m2 s-2 whose heights are contours; None for none.
        ink: Colour of the coastlines.
    """

    coastlines: bool = True
    orography: xr.DataArray | None = None
    ink: str = style.INK

    def draw(self, ax: GeoAxes) -> None:
        """Draw it, to be seen on light colours and on dark ones."""
        if self.coastlines:
            for colour, width in (("#ffffff90", 1.6), (self.ink, 0.65)):
                _draw_coastlines(ax, colour, width)
        if self.orography is not None:
            height = style.quantity_of("geopotential_at_surface").shown(self.orography)
            levels = style.round_levels(height, 5)
            dots = [(0, (1, 1.3))]
            lines = _contour(ax, height, levels[levels > 0], colors="#4a2a0f", linewidths=1.1, linestyles=dots)
            lines.set_path_effects([_halo(2.2, 0.5)])


def grid_of(field: xr.DataArray) -> LatLonGrid:
    """Return the grid of a field that can be a map.

    Raises:
        UserError: It has other dimensions, or a single row or column.
    """
    if set(field.dims) > {"latitude", "longitude"}:
        others = [str(dim) for dim in field.dims if dim not in ("latitude", "longitude")]
        raise UserError(
            f"a map is of latitude and longitude, the field has {', '.join(others)} besides; select one of them,"
            f" field.isel({others[0]}=0){_OTHER_PICTURES.get(others[0], '')}"
        )
    if field.dims != ("latitude", "longitude"):
        raise UserError(f"a map needs dimensions (latitude, longitude), got {field.dims}; select or transpose them")
    grid = LatLonGrid.from_dataset(field)
    if min(grid.shape) < 2:
        raise UserError(
            f"a map needs two rows and two columns or more, got {grid.n_lat} x {grid.n_lon}; choose a larger region"
        )
    return grid


_OTHER_PICTURES = {"number": ", or see all members with plot.spread(field)"}


def ratio_of(field: xr.DataArray) -> float:
    """Return the width of a map over its height."""
    if grid_of(field).is_global:
        (west, east), (south, north) = _GLOBE.x_limits, _GLOBE.y_limits
        return float((east - west) / (north - south))
    west, east, south, north = _region(field)
    return (east - west) / (north - south) * _shrinkage(south, north)


def add_map(figure: Figure, place: Box, field: xr.DataArray, *, has_degrees: bool = True) -> GeoAxes:
    """Add axes for the field: Equal Earth for the globe, else a plate carrée true to scale in the region's middle.

    Args:
        figure: To which.
        place: Where.
        field: Of which.
        has_degrees: Whether a region's meridians and parallels are drawn, with their degrees.
    """
    where, size = place.within(tuple(figure.get_size_inches())), (place.width, place.height)
    if grid_of(field).is_global:
        ax: GeoAxes = figure.add_axes(where, projection=_GLOBE)
        ax.set_global()
        _draw_graticule(ax)
    else:
        west, east, south, north = _region(field)
        ax = figure.add_axes(where, projection=ccrs.PlateCarree(central_longitude=(west + east) / 2))
        ax.set_xlim((west - east) / 2, (east - west) / 2)
        ax.set_ylim(south, north)
        ax.set_aspect(1 / _shrinkage(south, north))
        if has_degrees:
            _draw_degrees(ax, size, (west, east))
    ax.set_facecolor(style.MISSING)
    return ax


def fill(ax: GeoAxes, values: xr.DataArray, shading: Shading, *, smooth: bool = True) -> AxesImage:
    """Draw shown values in colours: interpolated between cells, or each cell as it is."""
    _, _, samples = _sampled(ax, values, _sample if smooth else _nearest)
    where = {"extent": (*ax.get_xlim(), *ax.get_ylim()), "origin": "lower", "aspect": ax.get_aspect()}
    # Colours are interpolated, not values: the steps stay crisp and their edges smooth at every size of the picture.
    how = {"interpolation": "bilinear" if smooth else "nearest", "interpolation_stage": "rgba"}
    image: AxesImage = ax.imshow(samples, cmap=shading.colormap, norm=shading.norm, **where, **how)
    return image


def label_contours(ax: GeoAxes, values: xr.DataArray, levels: _Array, colour: str = style.INK) -> None:
    """Draw shown values as lines with their numbers, none of which crosses the edge of the map."""
    lines = _contour(ax, values, levels, colors=colour, linewidths=0.8, linestyles="solid")
    lines.set_path_effects([_halo(1.8, 0.45)])
    width = ax.get_position(original=True).width * ax.figure.get_figwidth()
    inch = (ax.get_xlim()[1] - ax.get_xlim()[0]) / width
    # Numbers are placed along lines of their own, which end before the edge and are not seen.
    inner = _contour(ax, values, levels, margin=_ROOM_OF_A_LABEL * inch, linewidths=0, colors=colour)
    for number in ax.clabel(inner, fontsize=7.5, inline=False):
        number.set_path_effects([_halo(2.6, 0.8)])


def outline(ax: GeoAxes, inside: xr.DataArray, colour: str) -> None:
    """Draw the borders of places, `[latitude, longitude]`, bool."""
    lines = _contour(ax, inside.astype(np.float64), np.array([0.5]), colors=colour, linewidths=1.5, linestyles="solid")
    lines.set_path_effects([_halo(2.8, 0.75)])


def add_bar(figure: Figure, filled: ScalarMappable, shading: Shading, bar: Bar) -> None:
    """Add the colour bar of a map."""
    axes = figure.add_axes(bar.box.within(tuple(figure.get_size_inches())))
    drawn = figure.colorbar(filled, cax=axes, orientation="vertical" if bar.is_upright else "horizontal")
    drawn.set_label(bar.label)
    drawn.set_ticks(list(shading.ticks(_most_ticks(bar, shading))))
    drawn.ax.tick_params(length=2, labelsize=8.5)


def _most_ticks(bar: Bar, shading: Shading) -> int:
    """Return how many numbers have room beside each other along a bar."""
    if bar.is_upright:
        return int(bar.box.height / 0.3)
    widest = max(style.text_inches(f"{level:g}", 8.5) for level in shading.levels)
    return max(2, int(bar.box.width / (widest + 0.16)))


def _halo(width: float, alpha: float) -> withStroke:
    return withStroke(linewidth=width, foreground="white", alpha=alpha)


def _shrinkage(south: float, north: float) -> float:
    """Return the length of a degree of longitude in the middle of a region, degrees of latitude."""
    return float(np.cos(np.radians((south + north) / 2)))


def _unrolled(field: xr.DataArray) -> tuple[_Array, npt.NDArray[np.floating]]:
    """Return rising longitudes without a gap, and the values `[lat, lon]`; a closed circle overlaps at both ends."""
    grid = grid_of(field)
    longitude = np.asarray(grid.longitude)
    if grid.is_cyclic:
        closed = np.pad(field.values, ((0, 0), (1, 1)), mode="wrap")
        return np.r_[longitude[-1] - 360, longitude, longitude[0] + 360], closed
    gaps = np.diff(longitude, append=longitude[0] + 360)
    first = (int(gaps.argmax()) + 1) % grid.n_lon
    return np.r_[longitude[first:] - 360 * (first > 0), longitude[:first]], np.roll(field.values, -first, axis=1)


def _sample(field: xr.DataArray, latitude: _Array, longitude: _Array) -> _Array:
    """Interpolate bilinearly to points of any shape in degrees; beyond the outermost rows and columns the nearest hold.

    A point whose weights lie mostly on NaN is NaN, so a mask keeps its outline to half a cell.
    """
    columns_at, values = _unrolled(field)
    centre = (columns_at[0] + columns_at[-1]) / 2
    row = np.interp(-latitude, -field["latitude"].values, np.arange(len(values)))
    column = np.interp((longitude - centre + 180) % 360 - 180, columns_at - centre, np.arange(len(columns_at)))
    valid = np.isfinite(values)
    weight = map_coordinates(valid.astype(np.float64), (row, column), order=1, mode="nearest")
    total = map_coordinates(np.where(valid, values, 0).astype(np.float64), (row, column), order=1, mode="nearest")
    return np.where(weight > 0.5, total / np.maximum(weight, 0.5), np.nan)


def _nearest(field: xr.DataArray, latitude: _Array, longitude: _Array) -> _Array:
    """Return the value of the cell that each place lies in, of the shape of degrees."""
    rows, columns = field["latitude"].values, field["longitude"].values
    east = (longitude - columns[0]) % 360
    offsets = (columns - columns[0]) % 360
    order = np.argsort(offsets)
    middles = np.append((offsets[order][1:] + offsets[order][:-1]) / 2, (offsets.max() + 360) / 2)
    column = np.append(order, order[0])[np.searchsorted(middles, east)]
    upward = np.argsort(rows)
    row = upward[np.searchsorted((rows[upward][1:] + rows[upward][:-1]) / 2, latitude)]
    found: _Array = field.values[row, column]
    return found


def _sampled(
    ax: GeoAxes, field: xr.DataArray, sample: Callable[..., _Array] | None = None
) -> tuple[_Array, _Array, _Array]:
    """Return x and y of the samples on the plane of the axes, and the field there `[y, x]`."""
    sides, place = ax.figure.get_size_inches(), ax.get_position(original=True)
    n_across, n_up = (max(2, round(_SAMPLES_AN_INCH * length)) for length in place.size * sides)
    (west, east), (south, north) = ax.get_xlim(), ax.get_ylim()
    x, y = np.linspace(west, east, n_across), np.linspace(south, north, n_up)
    degrees = _DEGREES.transform_points(ax.projection, *np.meshgrid(x, y))
    return x, y, (sample or _sample)(field, degrees[..., 1], degrees[..., 0])


def _region(field: xr.DataArray) -> tuple[float, float, float, float]:
    """Return west, east, south and north of a regional field, degrees: its outermost points, or all of a circle."""
    longitude, _ = _unrolled(field)
    west, east = (-180.0, 180.0) if grid_of(field).is_cyclic else (float(longitude[0]), float(longitude[-1]))
    return west, east, float(field["latitude"].values[-1]), float(field["latitude"].values[0])


def _draw_degrees(ax: GeoAxes, size: tuple[float, float], meridians: tuple[float, float]) -> None:
    """Draw meridians and parallels with their degrees, as many as have room, also across 180 degrees east."""
    n_meridians, n_parallels = (
        min(8, max(1, int(length / room))) for length, room in zip(size, _INCHES_A_DEGREE_LABEL, strict=True)
    )
    style_of_labels = {"xlabel_style": {"size": 8}, "ylabel_style": {"size": 8}}
    lines = ax.gridlines(draw_labels={"bottom": "x", "left": "y"}, color="k", alpha=0.15, lw=0.5, **style_of_labels)
    # Wide regions have parts of the circle, small ones parts of a degree.
    steps = [1, 1.5, 3, 4.5, 6, 9, 10] if meridians[1] - meridians[0] > 60 else [1, 2, 5, 10]
    eastward = np.asarray(MaxNLocator(n_meridians, steps=steps).tick_values(*meridians))
    inside = eastward[(meridians[0] <= eastward) & (eastward <= meridians[1])]
    lines.xlocator = FixedLocator(np.unique((inside + 180) % 360 - 180).tolist())
    lines.ylocator = LatitudeLocator(nbins=n_parallels)


def _draw_graticule(ax: GeoAxes) -> None:
    """Draw meridians and parallels. `ax.gridlines` does, too, but projects every line point by point, at every draw."""
    along = np.linspace(0, 1, 91)
    meridians = [(np.full(91, east), 180 * along - 90) for east in range(-120, 180, 60)]
    parallels = [(359.98 * along - 179.99, np.full(91, north)) for north in range(-60, 90, 30)]
    for longitude, latitude in (*meridians, *parallels):
        points = ax.projection.transform_points(_DEGREES, longitude, latitude)
        ax.plot(points[:, 0], points[:, 1], color="k", alpha=0.12, linewidth=0.5, scalex=False, scaley=False)


def _draw_coastlines(ax: GeoAxes, colour: str, width: float) -> None:
    if ax.projection == _GLOBE:
        ax.add_geometries([coastlines()], crs=_DEGREES, facecolor="none", edgecolor=colour, linewidth=width)
        return
    # On a plate carrée only the middle differs from degrees, so there is nothing to project.
    middle = _DEGREES.transform_point(0, 0, ax.projection)[0]
    (west, east), (south, north) = np.add(ax.get_xlim(), middle), ax.get_ylim()
    lines = [np.asarray(line.coords) - (middle, 0) for line in coastlines_within(west, east, south, north).geoms]
    ax.add_collection(LineCollection(lines, colors=colour, linewidths=width), autolim=False)


def _contour(ax: GeoAxes, values: xr.DataArray, levels: _Array, margin: float = 0.0, **looks: object) -> QuadContourSet:
    """Draw lines of shown values that end so far, in units of the plane, from the edge of the map."""
    x, y, samples = _sampled(ax, values)
    (west, east), (south, north) = ax.get_xlim(), ax.get_ylim()
    # Outside the outline of the globe the samples go on round it, and lines and their numbers would too.
    seen = box(west, south, east, north).intersection(ax.projection.domain).buffer(-margin)
    inside = contains_xy(seen, *np.meshgrid(x, y)) if margin or ax.projection == _GLOBE else True
    lines: QuadContourSet = ax.contour(x, y, np.where(inside, samples, np.nan), levels=levels, **looks)
    return lines
