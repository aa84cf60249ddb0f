"""Maps of the tracks of storms, and of how many pass where."""

import numpy as np
import numpy.typing as npt
import xarray as xr
from cartopy.mpl.geoaxes import GeoAxes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.extremes.tracks import table
from weatherml.plot import style
from weatherml.plot.extremes.track_lines import DEGREES, pieces_of
from weatherml.plot.maps import draw_three
from weatherml.plot.maps.map_axes import Ground, add_bar, add_map, grid_of, ratio_of
from weatherml.plot.maps.map_layout import Heading, Panel, one_map
from weatherml.plot.style import Quantity, Shading

_Array = npt.NDArray[np.float64]
Region = tuple[float, float, float, float]
AGE = "age"
"""Of a storm: days since its first record."""
_MOST = (8.6, 5.4)
_ANOMALY = "_anomaly"


def tracks(
    storms: xr.Dataset,
    *,
    color: str = AGE,
    region: Region | None = None,
    title: str | None = None,
    coastlines: bool = True,
) -> Figure:
    """Draw where storms went, as lines along great circles with a dot where each begins.

    Args:
        storms: A table of tracks.
        color: What the colour says: `age`, days since a storm began, or a column of the table, shown in the units
            people use, such as `mean_sea_level_pressure`.
        region: West, east, south and north of a map of a part of the Earth, degrees; over the date line where west is
            more than east. When None what the tracks take, or the globe where they take much of it.
        title: In place of the number of storms.
        coastlines: Whether to draw the Earth's; a simulated planet has others.

    Raises:
        UserError: `storms` is no table of tracks or has no record, `color` is no column of numbers, or the region is
            none.
    """
    table.check(storms)
    if not storms.sizes[table.RECORD]:
        raise UserError("there are no tracks to draw; detect with lower thresholds, or select another period")
    values, quantity = _values(storms, color)
    shading = _shade(values, quantity, color)
    region = region or _region_of(storms)
    canvas = _canvas(region)
    heading = Heading(title or counted(_n_seen(storms, region), "storm"), _period(storms))
    layout = one_map(Panel.of(ratio_of(canvas), region is not None, _MOST), heading, shading.label)
    with style.new_figure(*layout.size) as figure:
        figure.set_layout_engine("none")
        ax = add_map(figure, layout.maps[0], canvas)
        ax.set_facecolor(_SEA)
        Ground(coastlines, ink=style.QUIET).draw(ax)
        lines = _draw_lines(ax, storms, values, shading)
        style.write_title(ax, layout.headings[0].title, layout.headings[0].note)
        add_bar(figure, lines, shading, layout.bars[0])
    return figure


def track_density(
    density: xr.DataArray, reference: xr.DataArray, *, names: tuple[str, str], title: str = "", coastlines: bool = True
) -> Figure:
    """Draw two densities of storms in the same colours side by side, and under them their difference.

    Args:
        density: `[latitude, longitude]`, as `extremes.tracks.density.track_density` returns it.
        reference: The same of another set of storms, on the same grid.
        names: Of both sets.
        title: What stands before the names.
        coastlines: As `tracks`.

    Raises:
        UserError: The grids differ.
    """
    if density.shape != reference.shape:
        raise UserError(f"densities on grids of {density.shape} and {reference.shape} points; count both on one grid")
    label = "Storms per 10⁶ km² and month"
    pair = [density.compute(), reference.compute()]
    difference = pair[0].copy(data=pair[0].values - pair[1].values)
    shading = style.shade_score(np.stack([own.values for own in pair]), label, is_error=True, is_signed=False)
    apart = style.shade_score(difference.values, f"{label}, difference", is_error=True, is_signed=True)
    headings = [Heading(f"{title}{name}", f"mean {_mean(own):.2f}") for name, own in zip(names, pair, strict=True)]
    shown = [(pair[0], shading), (pair[1], shading), (difference, apart)]
    return draw_three(shown, (*headings, Heading(f"{names[0]} less {names[1]}")), Ground(coastlines))


_SEA = "#dfe5ea"
_WIDEST, _HIGHEST = 150.0, 100.0
"""Degrees of a region that tracks are zoomed to."""


def _mean(density: xr.DataArray) -> float:
    weights = np.broadcast_to(grid_of(density).area_weights(), density.shape)
    return float(np.average(density.values, weights=weights))


def _values(storms: xr.Dataset, color: str) -> tuple[_Array, Quantity]:
    """Return what is drawn of each record, in shown units, and how it is called."""
    if color == AGE and AGE not in storms:
        return _age(storms), Quantity("Time since a storm began", "days", "days", colormap="viridis")
    if color not in storms or storms[color].dtype.kind not in "fiu":
        numbers = [str(name) for name, own in storms.data_vars.items() if own.dtype.kind in "fiu"]
        raise UserError(
            f"color {color!r} is no column of numbers of the tracks; choose of {', '.join([AGE, *numbers])}"
        )
    units = str(storms[color].attrs.get("units", ""))
    if color.endswith(_ANOMALY):
        whole = style.quantity_of(color.removesuffix(_ANOMALY), units)
        quantity = Quantity(f"{whole.label}, anomaly", whole.difference_units, whole.difference_units, whole.factor)
    else:
        quantity = style.quantity_of(color, units)
    return np.asarray(quantity.shown(storms[color]).values, np.float64), quantity


def _age(storms: xr.Dataset) -> _Array:
    """Return the days of each record since the first of its storm."""
    _, storm = np.unique(storms["track_id"].values, return_inverse=True)
    time = storms["time"].values.astype("datetime64[ns]").astype(np.int64)
    first = np.full(storm.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, storm, time)
    return np.asarray((time - first[storm]) / 8.64e13)


def _shade(values: _Array, quantity: Quantity, color: str) -> Shading:
    label = style.with_units(quantity.label, quantity.units)
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise UserError(f"{color} of the tracks is nowhere known; choose another color, such as {AGE!r}")
    levels = style.round_levels(finite, 10)
    below, above = bool(finite.min() < levels[0]), bool(finite.max() > levels[-1])
    if below and above:
        return Shading(levels, "viridis", "both", label)
    return Shading(levels, "viridis", "min" if below else "max" if above else "neither", label)


def _draw_lines(ax: GeoAxes, storms: xr.Dataset, values: _Array, shading: Shading) -> LineCollection:
    """Draw all storms, and where they begin."""
    pieces, own = pieces_of(ax, storms, values)
    colors = {"array": own, "cmap": shading.colormap, "norm": shading.norm}
    lines: LineCollection = LineCollection(list(pieces), linewidths=1.1, capstyle="round", zorder=3, **colors)
    ax.add_collection(lines, autolim=False)
    ids = storms["track_id"].values
    first = np.append(True, ids[1:] != ids[:-1])
    starts = ax.projection.transform_points(
        DEGREES, storms["longitude"].values[first], storms["latitude"].values[first]
    )
    looks = {"cmap": shading.colormap, "norm": shading.norm, "edgecolors": "white", "linewidths": 0.3, "zorder": 4}
    limits = ax.get_xlim(), ax.get_ylim()
    ax.scatter(starts[:, 0], starts[:, 1], c=values[first], s=12, **looks)
    ax.set_xlim(limits[0])
    ax.set_ylim(limits[1])
    return lines


def _region_of(storms: xr.Dataset) -> Region | None:
    """Return a region that holds all tracks with room around them; None where it would be much of the globe."""
    east, north = np.unique(storms["longitude"].values), storms["latitude"].values
    gaps = np.diff(np.append(east, east[0] + 360))
    after = int(gaps.argmax())
    west, width = float(east[(after + 1) % len(east)]), float(360 - gaps[after])
    height = float(north.max() - north.min())
    margin = max(3.0, 0.08 * max(width, height))
    if width + 2 * margin > _WIDEST or height + 2 * margin > _HIGHEST:
        return None
    south, top = max(-90.0, float(north.min()) - margin), min(90.0, float(north.max()) + margin)
    return (west - margin) % 360, (west + width + margin) % 360, south, top


def _n_seen(storms: xr.Dataset, region: Region | None) -> int:
    """Return how many storms have a record in a region."""
    west, east, south, north = region or (0, 360, -90, 90)
    inside = (storms["latitude"] >= south) & (storms["latitude"] <= north)
    inside &= (storms["longitude"] - west) % 360 <= ((east - west) % 360 or 360)
    return len(np.unique(storms["track_id"].values[inside.values]))


def _period(storms: xr.Dataset) -> str:
    times = storms["time"].values
    return f"{style.write_time(times.min())} to {style.write_time(times.max())}"


def _canvas(region: Region | None) -> xr.DataArray:
    """Return a field without values whose map is the globe or a region."""
    if region is None:
        latitude, longitude = np.array([60.0, 0, -60]), np.arange(0.0, 360, 60)
    else:
        west, east, south, north = region
        if not (-90 <= south < north <= 90 and 0 < (east - west) % 360 < 359):
            raise UserError(f"region {region} is none; pass west, east, south and north, (100, 260, 20, 70)")
        # Columns are so close that none of their gaps is wider than what the map leaves out.
        width = (east - west) % 360
        latitude = np.array([north, south], np.float64)
        longitude = np.unique((west + np.append(np.arange(0, width, 0.5), width)) % 360)
    values = np.zeros((len(latitude), len(longitude)))
    return xr.DataArray(values, {"latitude": latitude, "longitude": longitude}, ("latitude", "longitude"))
