"""Maps of events: how strong they are in colours, and around each object a line."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from weatherml.errors import UserError
from weatherml.plot import style
from weatherml.plot.maps.map_axes import Ground, add_bar, add_map, fill, grid_of, outline, ratio_of
from weatherml.plot.maps.map_layout import Heading, Panel, one_map
from weatherml.plot.style import Shading

_MOST = (8.6, 5.0)
_N_STEPS = 8


def event_objects(
    strength: xr.DataArray,
    inside: xr.DataArray | None = None,
    *,
    title: str,
    note: str = "",
    coastlines: bool = True,
    orography: xr.DataArray | None = None,
) -> Figure:
    """Draw how strong an event was at each place, and the outline of objects.

    Args:
        strength: `[latitude, longitude]`, 0 or NaN where there was none: its `long_name` and `units` are shown, such as
            a cumulated exceedance in K day.
        inside: bool `[latitude, longitude]`, what to draw a line around; no line when None.
        title: What it is.
        note: When, and by what definition.
        coastlines: Whether to draw the Earth's.
        orography: Surface geopotential in m2 s-2 whose heights are drawn as contours.

    Raises:
        UserError: A field has other dimensions, the grids differ, or there is nothing above 0 to draw.
    """
    strength = strength.compute()
    if not (strength > 0).any():
        raise UserError("the event is nowhere above 0, so there is nothing to draw; choose another time or definition")
    if inside is not None and not grid_of(inside).is_same(grid_of(strength)):
        raise UserError("the outline lies on another grid than the event; pass both of the same fields")
    shown = strength.where(strength > 0)
    words = style.spelled(str(strength.attrs.get("long_name", strength.name)))
    words = style.with_units(words, str(strength.attrs.get("units", "")))
    shading = Shading(_levels(shown.values), "YlOrRd", "max", words)
    panel = Panel.of(ratio_of(shown), not grid_of(shown).is_global, _MOST)
    layout = one_map(panel, Heading(title, note), shading.label)
    with style.new_figure(*layout.size) as figure:
        figure.set_layout_engine("none")
        ax = add_map(figure, layout.maps[0], shown)
        ax.set_facecolor("white")  # where nothing was, nothing is missing
        filled = fill(ax, shown, shading)
        Ground(coastlines, orography).draw(ax)
        if inside is not None:
            outline(ax, inside, style.INK)
        style.write_title(ax, layout.headings[0].title, layout.headings[0].note)
        add_bar(figure, filled, shading, layout.bars[0])
    return figure


def _levels(values: np.ndarray) -> np.ndarray:
    """Return round steps from 0 on, which a hundredth of the places exceed."""
    highest = float(np.nanquantile(values, 0.99))
    return style.round_levels(np.array([0.0, highest]), _N_STEPS)
