"""Maps of vapour transport, with arrows along it and the outlines of atmospheric rivers."""

import cartopy.crs as ccrs
import numpy as np
import numpy.typing as npt
import xarray as xr
from cartopy.mpl.geoaxes import GeoAxes
from matplotlib.figure import Figure
from scipy.interpolate import RegularGridInterpolator

from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.extremes.hazards.rivers.transport import EASTWARD, NORTHWARD, TRANSPORT, transport
from weatherml.grid import REGRID
from weatherml.plot import style
from weatherml.plot.maps.map_axes import Ground, add_bar, add_map, fill, grid_of, outline, ratio_of
from weatherml.plot.maps.map_layout import Heading, Panel, one_map
from weatherml.plot.style import Shading
from weatherml.sphere.great_circles import destination

_MOST = (8.6, 5.4)
_SCALE = Shading(
    np.array([0.0, 125, 250, 375, 500, 625, 750, 875, 1000, 1250]),
    "YlGnBu",
    "max",
    "Vapour transport (kg m⁻¹ s⁻¹)",
)
_OUTLINE, _ARROWS = "#b3121d", "#20303c"
_APART = 0.23  # inches between arrows
_LONGEST = 0.3  # inches of an arrow
_STRONGEST = 1250.0  # kg m-1 s-1, of the longest arrow
_LEAST = 125.0  # kg m-1 s-1 of an arrow
_STEP = 20.0  # km, over which the direction of an arrow on the map is taken
_DEGREES = ccrs.PlateCarree()
_Array = npt.NDArray[np.float64]


def rivers(
    fields: xr.Dataset, labels: xr.DataArray | None = None, *, title: str | None = None, coastlines: bool = True
) -> Figure:
    """Draw the transport of vapour in colours and arrows, and round atmospheric rivers a line.

    Args:
        fields: Of one time, as `extremes.hazards.rivers.transport` takes them.
        labels: Of the same time, `[latitude, longitude]`, above 0 inside rivers, as `rivers` returns them.
        title: In place of "Vapour transport" and how many rivers there are.
        coastlines: Whether to draw the Earth's.

    Raises:
        UserError: The fields are of several times, or labels lie on another grid.
    """
    carried = transport(fields).compute()
    strength = carried[TRANSPORT]
    if labels is not None and not grid_of(labels).is_same(grid_of(strength)):
        raise UserError(f"labels {labels.shape} and fields {strength.shape} lie on different grids; {REGRID}")
    heading = Heading(title or _title(labels), _note(strength, labels))
    has_degrees = not grid_of(strength).is_global
    layout = one_map(Panel.of(ratio_of(strength), has_degrees, _MOST), heading, _SCALE.label)
    with style.new_figure(*layout.size) as figure:
        figure.set_layout_engine("none")
        ax = add_map(figure, layout.maps[0], strength)
        filled = fill(ax, strength, _SCALE)
        Ground(coastlines).draw(ax)
        _draw_arrows(ax, carried)
        if labels is not None and bool((labels > 0).any()):
            outline(ax, labels > 0, _OUTLINE)
        style.write_title(ax, layout.headings[0].title, layout.headings[0].note)
        add_bar(figure, filled, _SCALE, layout.bars[0])
    return figure


def _title(labels: xr.DataArray | None) -> str:
    if labels is None:
        return "Vapour transport"
    n_rivers = len(np.unique(labels.values[labels.values > 0]))
    return f"Vapour transport, {counted(n_rivers, 'atmospheric river')}"


def _note(strength: xr.DataArray, labels: xr.DataArray | None) -> str:
    words = "arrows: transport" + ", red: outlines of rivers" * (labels is not None)
    return " · ".join(filter(None, (style.write_origin(strength), words)))


def _draw_arrows(ax: GeoAxes, carried: xr.Dataset) -> None:
    """Draw arrows at even distances on the map, as long as transport is strong."""
    latitude, longitude, x, y = _lattice(ax)
    eastward, northward = (_at(carried[name], latitude, longitude) for name in (EASTWARD, NORTHWARD))
    strength = np.hypot(eastward, northward)
    ahead = destination(latitude, longitude, np.degrees(np.arctan2(eastward, northward)), _STEP)
    onward = ax.projection.transform_points(_DEGREES, ahead[1], ahead[0])
    off = np.stack([onward[..., 0] - x, onward[..., 1] - y])
    length = np.hypot(*off)
    across = ax.get_xlim()[1] - ax.get_xlim()[0]
    # NaN outside the globe, and across its edge a step is as long as the map is wide.
    seen = (strength >= _LEAST) & (length < across / 10) & (length > 0)
    parts = off[:, seen] / length[seen] * strength[seen]
    ax.quiver(
        x[seen],
        y[seen],
        *parts,
        angles="xy",
        scale_units="inches",
        scale=_STRONGEST / _LONGEST,
        width=0.011,
        units="inches",
        headwidth=4,
        headlength=4.5,
        headaxislength=4,
        color=_ARROWS,
        zorder=3,
    )


def _lattice(ax: GeoAxes) -> tuple[_Array, _Array, _Array, _Array]:
    """Return latitudes and longitudes of points on the map, and where they lie on its plane, each `[point]`."""
    place = ax.get_position(original=True).size * ax.figure.get_size_inches()
    (west, east), (south, north) = ax.get_xlim(), ax.get_ylim()
    n_across, n_up = (max(2, round(length / _APART)) for length in place)
    x, y = (
        own.ravel()
        for own in np.meshgrid(
            west + (east - west) * (np.arange(n_across) + 0.5) / n_across,
            south + (north - south) * (np.arange(n_up) + 0.5) / n_up,
        )
    )
    degrees = _DEGREES.transform_points(ax.projection, x, y)
    back = ax.projection.transform_points(_DEGREES, degrees[:, 0], degrees[:, 1])
    on_globe = np.isfinite(degrees).all(axis=1) & (np.abs(back[:, 0] - x) < 1e-3 * (east - west))
    return degrees[on_globe, 1], degrees[on_globe, 0], x[on_globe], y[on_globe]


def _at(field: xr.DataArray, latitude: _Array, longitude: _Array) -> _Array:
    """Return values at places, linear between grid points, zero outside the field."""
    grid = grid_of(field)
    order, eastward = grid.eastward()
    values = field.transpose("latitude", "longitude").values[:, order]
    if grid.is_cyclic:
        eastward, values = np.append(eastward, eastward[0] + 360), np.concatenate([values, values[:, :1]], axis=1)
    rows = -np.asarray(grid.latitude)
    found = RegularGridInterpolator((rows, eastward), values.astype(np.float64), bounds_error=False, fill_value=0.0)
    places = np.stack([np.clip(-latitude, rows[0], rows[-1]), (longitude - eastward[0]) % 360 + eastward[0]], axis=-1)
    return np.asarray(found(places))
