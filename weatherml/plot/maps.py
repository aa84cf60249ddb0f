"""Maps of one field, of a forecast beside the truth, and of an ensemble.

A field is first sampled on the plane of the projection and then drawn there as a plain picture. Sampling is cyclic in
longitude, so there is no seam where the data begin, and the projection never has to cut polygons.
"""

import cartopy.crs as ccrs
import numpy as np
import numpy.typing as npt
import xarray as xr
from cartopy.mpl.geoaxes import GeoAxes
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.image import AxesImage
from matplotlib.patheffects import withStroke
from scipy.ndimage import map_coordinates
from shapely import contains_xy

from weatherml.errors import UserError
from weatherml.grid import REGRID, LatLonGrid
from weatherml.plot import style
from weatherml.plot.coastlines import coastlines as earth_coastlines
from weatherml.plot.style import Quantity, Shading

_Array = npt.NDArray[np.float64]
_DEGREES = ccrs.PlateCarree()
_N_ACROSS = 1100  # samples across a map: about one a pixel of the finished picture


def map(
    field: xr.DataArray,
    *,
    difference: bool = False,
    title: str | None = None,
    coastlines: bool = True,
    orography: xr.DataArray | None = None,
) -> Figure:
    """Draw one field: the whole globe in equal area, or the region that the field covers.

    Args:
        field: `[latitude, longitude]`, canonical, in SI units; shown in the units people use. NaN is left grey.
        difference: Whether it is an anomaly or an error: units without offset, colours symmetric about zero.
        title: In place of the field's name.
        coastlines: Whether to draw the Earth's; a simulated planet has others.
        orography: Surface geopotential `[latitude, longitude]` in m2 s-2 whose heights are drawn as contours.

    Raises:
        UserError: The field has other dimensions, or no finite value.
    """
    quantity = style.quantity_of_field(field)
    values = (quantity.shown_difference(field) if difference else quantity.shown(field)).compute()
    shading = style.shade_difference(values, quantity) if difference else style.shade(values, quantity)
    with style.new_figure(*_size(_grid_of(field))) as figure:
        ax = _add_map(figure, 111, field)
        filled = _fill(ax, values, shading)
        _draw_surface(ax, coastlines, orography)
        lines = "closed lines: mountains" * (orography is not None)
        style.write_title(ax, title or quantity.label, " · ".join(filter(None, (style.write_origin(field), lines))))
        _add_colorbar(figure, filled, shading, [ax])
    return figure


def forecast_vs_truth(
    forecast: xr.DataArray, truth: xr.DataArray, *, coastlines: bool = True, orography: xr.DataArray | None = None
) -> Figure:
    """Draw a forecast and the truth in the same colours side by side, and under them their difference.

    Args:
        forecast: `[latitude, longitude]`, SI units; one lead time.
        truth: The same field on the same grid, at the time at which the forecast is valid.
        coastlines: Whether to draw the Earth's.
        orography: Surface geopotential in m2 s-2 whose heights are drawn as contours.

    Raises:
        UserError: The grids or the valid times differ.
    """
    forecast, truth = forecast.compute(), truth.compute()
    _require_comparable(forecast, truth)
    quantity = style.quantity_of_field(forecast)
    pair = [quantity.shown(field) for field in (forecast, truth)]
    error = quantity.shown_difference(forecast.copy(data=forecast.values - truth.values))
    shading = style.shade(np.stack([field.values for field in pair]), quantity)
    error_shading = style.shade_difference(error, quantity)
    width, height = _size(_grid_of(forecast))
    with style.new_figure(1.25 * width, 1.42 * height) as figure:
        places = figure.add_gridspec(2, 4, hspace=0.05)
        axes = [_add_map(figure, place, forecast) for place in (places[0, :2], places[0, 2:], places[1, 1:3])]
        filled = [_fill(*drawn) for drawn in zip(axes, [*pair, error], [shading, shading, error_shading], strict=True)]
        _add_colorbar(figure, filled[0], shading, axes[:2])
        _add_colorbar(figure, filled[2], error_shading, axes[2:])
        style.write_title(axes[0], "Forecast", style.write_origin(forecast))
        style.write_title(axes[1], "Truth", style.write_origin(truth))
        style.write_title(axes[2], "Forecast minus truth", _rms(error, quantity))
        for ax in axes:
            _draw_surface(ax, coastlines, orography)
    return figure


def spread(ensemble: xr.DataArray, *, coastlines: bool = True, orography: xr.DataArray | None = None) -> Figure:
    """Draw the ensemble mean as contours over its spread, the standard deviation of the members, as colours.

    Args:
        ensemble: `[number, latitude, longitude]` in SI units, one lead time.
        coastlines: Whether to draw the Earth's.
        orography: Surface geopotential in m2 s-2 whose heights are drawn as contours.

    Raises:
        UserError: There are fewer than two members.
    """
    if ensemble.sizes.get("number", 1) < 2:
        raise UserError(f"a spread needs two members or more along 'number', got dimensions {dict(ensemble.sizes)}")
    ensemble = ensemble.compute()
    mean, deviation = ensemble.mean("number", skipna=False), ensemble.std("number", ddof=1, skipna=False)
    note = f"{ensemble.sizes['number']} members, "
    return _mean_over_spread(mean, deviation.assign_attrs(ensemble.attrs), note, coastlines, orography)


def mean_over_spread(
    mean: xr.DataArray, deviation: xr.DataArray, *, coastlines: bool = True, orography: xr.DataArray | None = None
) -> Figure:
    """Draw a mean as contours over a standard deviation as colours, of statistics that a forecast has kept.

    Args:
        mean: `[latitude, longitude]` in SI units, by the name of its variable.
        deviation: The same of the members' standard deviation.
        coastlines: Whether to draw the Earth's.
        orography: Surface geopotential in m2 s-2 whose heights are drawn as contours.
    """
    return _mean_over_spread(mean.compute(), deviation.compute(), "", coastlines, orography)


def _mean_over_spread(
    mean: xr.DataArray, deviation: xr.DataArray, note: str, coastlines: bool, orography: xr.DataArray | None
) -> Figure:
    quantity = style.quantity_of_field(mean)
    mean, deviation = quantity.shown(mean), quantity.shown_difference(deviation)
    shading = style.shade_spread(deviation, quantity)
    with style.new_figure(*_size(_grid_of(mean))) as figure:
        ax = _add_map(figure, 111, mean)
        filled = _fill(ax, deviation, shading)
        _draw_surface(ax, coastlines, orography)
        lines = _contour(ax, mean, style.round_levels(mean, 12), colors=style.INK, linewidths=0.8)
        ax.clabel(lines, fontsize=7.5, inline_spacing=3)
        told = f"{style.write_origin(mean)} · {note}contours: mean in {quantity.units}".lstrip(" ·")
        style.write_title(ax, f"{quantity.label}: ensemble spread and mean", told)
        _add_colorbar(figure, filled, shading, [ax])
    return figure


def _grid_of(field: xr.DataArray) -> LatLonGrid:
    if field.dims != ("latitude", "longitude"):
        raise UserError(
            f"a map needs dimensions (latitude, longitude), got {field.dims}; select one with .sel or .isel"
        )
    grid = LatLonGrid.from_dataset(field)
    if min(grid.shape) < 2:
        raise UserError(f"a map needs two rows and two columns or more, got {grid.n_lat} x {grid.n_lon}")
    return grid


def _require_comparable(forecast: xr.DataArray, truth: xr.DataArray) -> None:
    if not _grid_of(forecast).is_same(_grid_of(truth)):
        raise UserError(f"forecast {forecast.shape} and truth {truth.shape} lie on different grids; {REGRID}")
    valid, time = forecast.coords.get("valid_time"), truth.coords.get("time")
    if valid is not None and time is not None and valid.values != time.values:
        found = (
            f"the forecast is valid at {style.write_time(valid.values)}, the truth at {style.write_time(time.values)}"
        )
        raise UserError(f"{found}; select truth.sel(time=forecast.valid_time)")


def _unrolled(field: xr.DataArray) -> tuple[_Array, npt.NDArray[np.floating]]:
    """Return rising longitudes without a gap, and the values `[lat, lon]`; a closed circle overlaps at both ends."""
    grid = _grid_of(field)
    longitude = np.asarray(grid.longitude)
    if grid.is_global:
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


def _sampled(ax: GeoAxes, field: xr.DataArray) -> tuple[_Array, _Array, _Array]:
    """Return x and y of the samples on the plane of the axes, and the field there `[y, x]`."""
    (west, east), (south, north) = ax.get_xlim(), ax.get_ylim()
    n_up = round(_N_ACROSS * (north - south) / (east - west))
    x, y = np.linspace(west, east, _N_ACROSS), np.linspace(south, north, n_up)
    degrees = _DEGREES.transform_points(ax.projection, *np.meshgrid(x, y))
    return x, y, _sample(field, degrees[..., 1], degrees[..., 0])


def _region(field: xr.DataArray) -> tuple[float, float, float, float]:
    """Return west, east, south and north edges of the outermost cells of a regional field, degrees."""
    longitude, _ = _unrolled(field)
    half_lon, half_lat = np.diff(longitude[:2])[0] / 2, _grid_of(field).resolution / 2
    latitude = field["latitude"].values
    return (
        float(longitude[0] - half_lon),
        float(longitude[-1] + half_lon),
        float(max(latitude[-1] - half_lat, -90)),
        float(min(latitude[0] + half_lat, 90)),
    )


def _add_map(figure: Figure, place: SubplotSpec | int, field: xr.DataArray) -> GeoAxes:
    """Add axes for the field: Equal Earth for the globe, else a plate carrée true to scale in the region's middle."""
    if _grid_of(field).is_global:
        ax = figure.add_subplot(place, projection=ccrs.EqualEarth())
        ax.set_global()
        _draw_graticule(ax)
    else:
        west, east, south, north = _region(field)
        ax = figure.add_subplot(place, projection=ccrs.PlateCarree(central_longitude=(west + east) / 2))
        ax.set_xlim((west - east) / 2, (east - west) / 2)
        ax.set_ylim(south, north)
        ax.set_aspect(1 / np.cos(np.radians((south + north) / 2)))
        labels = {"bottom": "x", "left": "y"}
        ax.gridlines(
            draw_labels=labels, color="k", alpha=0.15, linewidth=0.5, xlabel_style={"size": 8}, ylabel_style={"size": 8}
        )
    ax.set_facecolor(style.MISSING)
    return ax


def _draw_graticule(ax: GeoAxes) -> None:
    """Draw meridians and parallels. `ax.gridlines` does, too, but projects every line point by point, at every draw."""
    along = np.linspace(0, 1, 91)
    meridians = [(np.full(91, east), 180 * along - 90) for east in range(-120, 180, 60)]
    parallels = [(359.98 * along - 179.99, np.full(91, north)) for north in range(-60, 90, 30)]
    for longitude, latitude in (*meridians, *parallels):
        points = ax.projection.transform_points(_DEGREES, longitude, latitude)
        ax.plot(points[:, 0], points[:, 1], color="k", alpha=0.12, linewidth=0.5, scalex=False, scaley=False)


def _fill(ax: GeoAxes, values: xr.DataArray, shading: Shading) -> AxesImage:
    _, _, samples = _sampled(ax, values)
    where = {"extent": (*ax.get_xlim(), *ax.get_ylim()), "origin": "lower", "aspect": ax.get_aspect()}
    # Colours are interpolated, not values: the steps stay crisp and their edges smooth at every size of the picture.
    smooth = {"interpolation": "bilinear", "interpolation_stage": "rgba"}
    image: AxesImage = ax.imshow(samples, cmap=shading.colormap, norm=shading.norm, **where, **smooth)
    return image


def _contour(ax: GeoAxes, values: xr.DataArray, levels: _Array, **looks: object) -> QuadContourSet:
    x, y, samples = _sampled(ax, values)
    # Outside the outline of the globe the samples go on round it, and lines and their labels would too.
    inside = contains_xy(ax.projection.domain, *np.meshgrid(x, y))
    lines: QuadContourSet = ax.contour(x, y, np.where(inside, samples, np.nan), levels=levels, **looks)
    return lines


def _draw_surface(ax: GeoAxes, coastlines: bool, orography: xr.DataArray | None) -> None:
    if coastlines:
        ax.add_geometries([earth_coastlines()], crs=_DEGREES, facecolor="none", edgecolor=style.INK, linewidth=0.6)
    if orography is not None:
        height = style.quantity_of("geopotential_at_surface").shown(orography)
        levels = style.round_levels(height, 5)
        lines = _contour(ax, height, levels[levels > 0], colors="#5b3413", linewidths=0.8)
        lines.set_path_effects([withStroke(linewidth=2, foreground="white", alpha=0.5)])  # read on dark colours too


def _add_colorbar(figure: Figure, filled: AxesImage, shading: Shading, axes: list[GeoAxes]) -> None:
    bar = figure.colorbar(filled, ax=axes, orientation="horizontal", shrink=0.7 / len(axes) ** 0.5, aspect=42, pad=0.04)
    bar.set_label(shading.label)
    bar.set_ticks(list(shading.ticks))
    bar.ax.tick_params(length=2, labelsize=8.5)


def _rms(error: xr.DataArray, quantity: Quantity) -> str:
    weighted = np.square(error.values) * _grid_of(error).area_weights()
    known = np.broadcast_to(_grid_of(error).area_weights(), weighted.shape)[np.isfinite(weighted)]
    return f"root mean square {np.sqrt(np.nansum(weighted) / known.sum()):.3g} {quantity.difference_units}"


def _size(grid: LatLonGrid) -> tuple[float, float]:
    """Return width and height in inches: a map of at most 8.6 x 5 in its own shape, words, and the colour bar."""
    ratio = 2.05
    if not grid.is_global:
        tall = grid.latitude[0] - grid.latitude[-1]
        wide = 360 - np.diff([*grid.longitude, grid.longitude[0] + 360]).max()
        ratio = wide / tall * np.cos(np.radians((grid.latitude[0] + grid.latitude[-1]) / 2))
    width = float(min(8.6, 5 * ratio))
    words_beside = 0.5 if grid.is_global else 1.0
    return max(width, 4.2) + words_beside, width / float(ratio) + 1.4
