"""Maps of an event's probability side by side: a row a system, a column an initial time, and what happened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from weatherml.errors import UserError
from weatherml.plot import style
from weatherml.plot.maps.map_axes import Ground, add_bar, add_map, fill, grid_of, ratio_of
from weatherml.plot.maps.map_layout import Bar, Box, Heading, Panel

_MOST = (3.1, 2.6)  # inches of one map
_LEAST = 2.05  # inches of a cell, which its heading needs
_MARGIN, _BAR, _BELOW_BAR = 0.14, 0.15, 0.5
_BAR_LENGTH = 4.2


def event_maps(
    probabilities: Mapping[str, xr.DataArray],
    truth: xr.DataArray,
    *,
    title: str = "Forecast probability",
    onset: np.datetime64 | None = None,
    coastlines: bool = True,
) -> Figure:
    """Draw the probability of an event at each place, of forecasts begun at several times, beside where it happened.

    Args:
        probabilities: By system, dims (init_time, latitude, longitude), 0 to 1; NaN is left grey.
        truth: Dims (latitude, longitude), 1 where it happened.
        title: Over all.
        onset: When it began; headings say how long before.
        coastlines: Whether to draw the Earth's.

    Raises:
        UserError: There is no system or no initial time, or a field has other dimensions.
    """
    rows = {name: own.compute() for name, own in probabilities.items() if own.sizes.get("init_time")}
    if not rows:
        raise UserError("there are no probabilities to draw; give (init_time, latitude, longitude) by system")
    cells = [_row(name, own, truth, onset) for name, own in rows.items()]
    ratio = ratio_of(truth)
    panel = Panel.of(ratio, not grid_of(truth).is_global, _MOST)
    layout = _Layout(panel, cells)
    with style.new_figure(*layout.size) as figure:
        figure.set_layout_engine("none")
        figure.text(_MARGIN / layout.size[0], 1 - 0.32 / layout.size[1], title, weight="bold", size=12)
        for cell, box in layout.placed():
            ax = add_map(figure, box, cell.field)
            filled = fill(ax, 100 * cell.field, style.PROBABILITY, smooth=not _is_yes_or_no(cell.field))
            Ground(coastlines).draw(ax)
            style.write_title(ax, cell.heading.title, cell.heading.note)
        add_bar(figure, filled, style.PROBABILITY, layout.bar)
    return figure


@dataclass(frozen=True, eq=False)
class _Cell:
    """One map and its words."""

    field: xr.DataArray
    heading: Heading


def _is_yes_or_no(field: xr.DataArray) -> bool:
    """Return whether a field is of what happened or of one forecast: its cells are drawn as they are."""
    values = field.values[np.isfinite(field.values)]
    return bool(np.isin(values, (0, 1)).all())


def _row(name: str, own: xr.DataArray, truth: xr.DataArray, onset: np.datetime64 | None) -> list[_Cell]:
    drawn = [
        _Cell(own.isel(init_time=place, drop=True), Heading(name, _when(init, onset)))
        for place, init in enumerate(own["init_time"].values)
    ]
    return [*drawn, _Cell(truth.astype(np.float64), Heading("Truth", "where it happened"))]


def _when(init: np.datetime64, onset: np.datetime64 | None) -> str:
    told = f"from {style.write_time(init)}"
    if onset is None or np.isnat(onset) or init >= onset:
        return told
    return f"{told} · {write_ahead(onset - init)} ahead"


def write_ahead(lead: np.timedelta64) -> str:
    """Write how long before an event a forecast began: to an hour, or to a tenth of a day."""
    hours = float(lead / np.timedelta64(1, "h"))
    return f"{hours / 24:.1f} d".replace(".0 ", " ") if hours > 48 else f"{hours:.0f} h"


class _Layout:
    """Where maps lie, inches from the lower left corner."""

    def __init__(self, panel: Panel, cells: Sequence[Sequence[_Cell]]) -> None:
        self._panel = panel
        self._width = max(panel.left + panel.width + panel.right + 0.08, _LEAST)
        room = self._width - panel.left - 0.08
        self._cells = [[_Cell(own.field, own.heading.wrapped(room)) for own in row] for row in cells]
        heads = [max(style.heading_height(own.heading.title, own.heading.note) for own in row) for row in self._cells]
        self._heads = [head + 0.12 for head in heads]
        self._row = panel.height + panel.below + 0.1
        height = 0.5 + sum(self._heads) + len(cells) * self._row + _BAR + _BELOW_BAR + 2 * _MARGIN
        n_across = max(map(len, cells))
        self.size = (max(n_across * self._width, _BAR_LENGTH + 0.6) + 2 * _MARGIN, height)

    def placed(self) -> list[tuple[_Cell, Box]]:
        """Return each map and where it lies, row by row."""
        panel, top, found = self._panel, self.size[1] - 0.5, []
        for row, head in zip(self._cells, self._heads, strict=True):
            bottom = top - head - panel.height
            for place, cell in enumerate(row):
                left = _MARGIN + place * self._width + panel.left
                found.append((cell, Box(left, bottom, panel.width, panel.height)))
            top -= head + self._row
        return found

    @property
    def bar(self) -> Bar:
        """The one colour bar."""
        left = _MARGIN + self._panel.left
        return Bar(Box(left, _BELOW_BAR + _MARGIN, _BAR_LENGTH, _BAR), style.PROBABILITY.label)
