"""Maps of the extreme forecast index, with the shift of tails as lines, as ECMWF draws them."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from weatherml.errors import UserError
from weatherml.plot import style
from weatherml.plot.maps.map_axes import Ground, add_bar, add_map, fill, grid_of, label_contours, ratio_of
from weatherml.plot.maps.map_layout import Heading, Panel, one_map
from weatherml.plot.style import Shading

_MOST = (8.6, 5.0)
_UNUSUAL = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
_LINES = "#4b0f7a"  # not that of coastlines
_TAILS = np.array([0.0, 1.0, 2.0, 5.0, 8.0])
INDEX = Shading(np.concatenate([-_UNUSUAL[::-1], _UNUSUAL]), "RdBu_r", "neither", "Extreme forecast index")
"""From 0.5 on, whichever sign, weather is unusual, and from 0.8 on very unusual; below it is white."""


def efi(
    index: xr.DataArray,
    tails: xr.DataArray | None = None,
    *,
    title: str | None = None,
    coastlines: bool = True,
    orography: xr.DataArray | None = None,
    most: tuple[float, float] = _MOST,
) -> Figure:
    """Draw the extreme forecast index in colours, and over it the shift of tails as lines at 0, 1, 2, 5 and 8.

    Lines are drawn where the index is unusual: a climate of few years has members beyond its tails nearly everywhere.

    Args:
        index: `[latitude, longitude]` of one init and lead time of what `extremes.efi` returns, -1 to 1.
        tails: The same of what `extremes.sot` returns, of the upper or of the lower tail; no lines when None.
        title: In place of the index and its variable.
        coastlines: Whether to draw the Earth's.
        orography: Surface geopotential in m2 s-2 whose heights are drawn as contours.
        most: Width and height that the map has at most, inches.

    Raises:
        UserError: A field has other dimensions, no value, values that are no index, or the grids differ.
    """
    index = index.compute()
    _require_index(index)
    tails = None if tails is None else _where_unusual(tails, index)
    lines = _lines_of(tails)
    told = f"lines: shift of tails at {_listed(lines)} where coloured" if len(lines) else ""
    note = " · ".join(filter(None, (style.write_origin(index), _climate(index), told)))
    has_degrees = not grid_of(index).is_global
    layout = one_map(Panel.of(ratio_of(index), has_degrees, most), Heading(title or _title(index), note), INDEX.label)
    with style.new_figure(*layout.size) as figure:
        figure.set_layout_engine("none")
        ax = add_map(figure, layout.maps[0], index)
        filled = fill(ax, index, INDEX)
        Ground(coastlines, orography).draw(ax)
        if tails is not None and len(lines):
            label_contours(ax, tails, lines, _LINES)
        style.write_title(ax, layout.headings[0].title, layout.headings[0].note)
        add_bar(figure, filled, INDEX, layout.bars[0])
    return figure


def _require_index(index: xr.DataArray) -> None:
    largest = float(np.abs(index).max())
    if np.isnan(largest):
        raise UserError("every value of the index is NaN, there is nothing to draw; select another time or variable")
    if largest > 1.0001:
        raise UserError(
            f"an extreme forecast index lies within -1 .. 1, this reaches {largest:g}; pass what efi returns"
        )


def _where_unusual(tails: xr.DataArray, index: xr.DataArray) -> xr.DataArray:
    """Return the shift of tails where the index has a colour, NaN elsewhere."""
    if not grid_of(tails).is_same(grid_of(index)):
        raise UserError("the shift of tails lies on another grid than the index; pass both of one forecast")
    return tails.compute().where(np.abs(index.values) >= _UNUSUAL[0])


def _lines_of(tails: xr.DataArray | None) -> np.ndarray:
    """Return the levels of the lines that there are."""
    if tails is None:
        return _TAILS[:0]
    values = tails.values[np.isfinite(tails.values)]
    low, high = (values.min(), values.max()) if values.size else (0.0, 0.0)
    return _TAILS[(_TAILS > low) & (_TAILS < high)]


def _title(index: xr.DataArray) -> str:
    words = style.spelled(str(index.attrs.get("long_name", "extreme forecast index")))
    level = f", {int(index['level'])} hPa" if "level" in index.coords and not index["level"].ndim else ""
    return words[:1].upper() + words[1:] + level


def _climate(index: xr.DataArray) -> str:
    return f"against {index.attrs['climate']}" if "climate" in index.attrs else ""


def _listed(levels: np.ndarray) -> str:
    return ", ".join(f"{level:g}" for level in levels)
