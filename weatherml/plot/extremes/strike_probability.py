"""Maps of strike probabilities, with the tracks of members and the best track."""

import numpy as np
import numpy.typing as npt
import xarray as xr
from cartopy.mpl.geoaxes import GeoAxes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from weatherml.durations import parse_duration
from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.extremes.tracks import table
from weatherml.plot import style
from weatherml.plot.extremes.track_lines import DEGREES, pieces_of
from weatherml.plot.maps.map_axes import Ground, add_bar, add_map, fill, grid_of, ratio_of
from weatherml.plot.maps.map_layout import Heading, Panel, one_map

_MOST = (8.6, 5.4)
_MEMBER, _BEST = "#3f3f46", "#b3121d"


def strike_probability(
    probability: xr.DataArray,
    members: xr.Dataset | None = None,
    best: xr.Dataset | None = None,
    *,
    title: str | None = None,
    best_name: str = "best track",
    coastlines: bool = True,
    most: tuple[float, float] = _MOST,
) -> Figure:
    """Draw how likely a storm strikes where, and over it the members' tracks and the best track.

    Args:
        probability: `[latitude, longitude]`, 0 to 1, of one initial time of what
            `extremes.tracks.judging.strike_probability` returns.
        members: Tracks of the members, thin lines; none when None. Of forecasts of several initial times those of the
            probability's are drawn, until its window ends.
        best: Best tracks, a thick line with a dot each day at 00 UTC; none when None. Of many those are drawn that are
            on the map from the initial time until the window ends.
        best_name: What the best tracks are called.
        title: In place of "Strike probability" and its radius.
        coastlines: Whether to draw the Earth's.
        most: Width and height that the map has at most, inches.

    Raises:
        UserError: The field has other dimensions, or a table is none of tracks.
    """
    for own in (members, best):
        if own is not None:
            table.check(own)
    members, best = (None if own is None else _belonging(own, probability) for own in (members, best))
    percent = 100 * probability.compute()
    if float(percent.max()) > 100:
        raise UserError(f"a probability lies between 0 and 1, this one reaches {float(probability.max()):g}; divide it")
    heading = Heading(title or _title(probability), _note(probability))
    has_degrees = not grid_of(percent).is_global
    layout = one_map(Panel.of(ratio_of(percent), has_degrees, most), heading, style.PROBABILITY.label)
    with style.new_figure(*layout.size) as figure:
        figure.set_layout_engine("none")
        ax = add_map(figure, layout.maps[0], percent)
        filled = fill(ax, percent, style.PROBABILITY)
        Ground(coastlines).draw(ax)
        told = [_draw_members(ax, members)] if members is not None else []
        told += [_draw_best(ax, best, best_name)] if best is not None else []
        if told:
            legend = ax.legend(handles=told, loc="best", fontsize=8, frameon=True, framealpha=0.9, edgecolor="none")
            legend.set_zorder(7)
        style.write_title(ax, layout.headings[0].title, layout.headings[0].note)
        add_bar(figure, filled, style.PROBABILITY, layout.bars[0])
    return figure


def _title(probability: xr.DataArray) -> str:
    radius = probability.attrs.get("radius_km")
    return f"Strike probability, centre within {radius:g} km" if radius else "Strike probability"


def _note(probability: xr.DataArray) -> str:
    n_members = probability.attrs.get("n_members")
    parts = [style.write_origin(probability)]
    parts += [f"leads {probability.attrs['window']}"] if "window" in probability.attrs else []
    parts += [counted(int(n_members), "member")] if n_members else []
    return " · ".join(filter(None, parts))


def _belonging(storms: xr.Dataset, probability: xr.DataArray) -> xr.Dataset:
    """Return the records of tracks of its initial time, in its window and of tracks that are on its map, as it says."""
    north, east = (storms[name].values for name in ("latitude", "longitude"))
    wanted = np.ones(storms.sizes[table.RECORD], bool)
    if "init_time" in probability.coords:
        begin = probability["init_time"].values.astype("datetime64[ns]")
        wanted &= storms["init_time"].values == begin if "init_time" in storms else storms["time"].values >= begin
        if "window" in probability.attrs:
            wanted &= storms["time"].values <= begin + parse_duration(probability.attrs["window"].split(" to ")[1])
    (west, width), (low, high) = _extent(probability)
    is_seen = wanted & (north >= low) & (north <= high) & ((east - west) % 360 <= width)
    seen = np.unique(storms["track_id"].values[is_seen])
    return storms.isel({table.RECORD: np.flatnonzero(wanted & np.isin(storms["track_id"].values, seen))})


def _extent(field: xr.DataArray) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return where a map begins in the west and how many degrees wide it is, and its least and highest latitude."""
    grid = grid_of(field)
    west, east = grid.west_east
    latitudes = np.asarray(grid.latitude)
    width = 360.0 if grid.is_cyclic else float((east - west) % 360)
    return (float(west), width), (float(latitudes.min()), float(latitudes.max()))


def _draw_members(ax: GeoAxes, members: xr.Dataset) -> Line2D:
    _draw(ax, members, _MEMBER, 0.55, alpha=0.55)
    return Line2D([], [], color=_MEMBER, linewidth=0.8, label="members")


def _draw_best(ax: GeoAxes, best: xr.Dataset, name: str) -> Line2D:
    _draw(ax, best, "white", 3.6, alpha=0.8)
    _draw(ax, best, _BEST, 1.8)
    midnight = best["time"].values == best["time"].values.astype("datetime64[D]")
    longitude, latitude = (best[name].values[midnight] for name in ("longitude", "latitude"))
    x, y, _ = ax.projection.transform_points(DEGREES, longitude, latitude).T
    limits = ax.get_xlim(), ax.get_ylim()
    ax.scatter(x, y, s=16, color=_BEST, edgecolors="white", linewidths=0.6, zorder=5)
    ax.set_xlim(limits[0])
    ax.set_ylim(limits[1])
    _write_days(ax, x, y, best["time"].values[midnight])
    return Line2D([], [], color=_BEST, linewidth=1.8, marker="o", markersize=4, label=f"{name}, days at 00 UTC")


def _write_days(
    ax: GeoAxes, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], times: npt.NDArray[np.datetime64]
) -> None:
    """Write the day of the month beside dots that lie on the map."""
    (west, east), (south, north) = ax.get_xlim(), ax.get_ylim()
    for at in np.flatnonzero((x > west) & (x < east) & (y > south) & (y < north)):
        day = str(times[at].astype("datetime64[D]"))[-2:].lstrip("0")
        told = ax.annotate(day, (x[at], y[at]), (4, 3), textcoords="offset points", fontsize=7.5, color=_BEST, zorder=6)
        told.set_path_effects([withStroke(linewidth=2, foreground="white", alpha=0.85)])


def _draw(ax: GeoAxes, storms: xr.Dataset, color: str, width: float, alpha: float = 1.0) -> None:
    if not storms.sizes[table.RECORD]:
        return
    pieces, _ = pieces_of(ax, storms, np.zeros(storms.sizes["record"]))
    lines = LineCollection(
        list(pieces), colors=color, linewidths=width, alpha=alpha, capstyle="round", joinstyle="round", zorder=3
    )
    ax.add_collection(lines, autolim=False)
