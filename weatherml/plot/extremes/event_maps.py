"""Maps of an event's probability side by side: a row a system, a column an initial time, and what happened."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from weatherml.errors import UserError
from weatherml.plot import style
from weatherml.plot.maps.map_axes import Ground, add_bar, add_map, fill, ratio_of
from weatherml.plot.maps.map_layout import Bar, Box, Heading, Panel

_MARGIN, _GAP, _BAR, _BELOW_BAR, _ROW_HEAD = 0.14, 0.1, 0.15, 0.5, 0.3
_LEFT, _BELOW = 0.55, 0.24  # of the degrees around the map of what happened
_BAR_LENGTH = 3.0


@dataclass(frozen=True)
class _Size:
    """How large maps are, inches.

    Attributes:
        truth: Width and height of the map of what happened, at most.
        cell: Of a map of probabilities.
        is_beside: Whether these stand beside it, or below.
    """

    truth: tuple[float, float]
    cell: tuple[float, float]
    is_beside: bool


_WIDE = _Size((2.9, 3.4), (1.86, 1.9), is_beside=True)
_NARROW = _Size((3.6, 3.4), (1.38, 1.5), is_beside=False)


def event_maps(
    probabilities: Mapping[str, xr.DataArray],
    truth: xr.DataArray,
    *,
    title: str = "Forecast probability",
    onset: np.datetime64 | None = None,
    coastlines: bool = True,
    narrow: bool = False,
) -> Figure:
    """Draw the probability of an event at each place, of forecasts begun at several times, beside where it happened.

    What happened stands once, and is the largest; beside it a row a system, a column an initial time.

    Args:
        probabilities: By system, dims (init_time, latitude, longitude), 0 to 1; NaN is left grey.
        truth: Dims (latitude, longitude), 1 where it happened.
        title: Over all.
        onset: When it began; headings say how long before.
        coastlines: Whether to draw the Earth's.
        narrow: Whether the picture is for a narrow page: rows below what happened.

    Raises:
        UserError: There is no system or no initial time, or a field has other dimensions.
    """
    rows = {name: own.compute() for name, own in probabilities.items() if own.sizes.get("init_time")}
    if not rows:
        raise UserError("there are no probabilities to draw; give (init_time, latitude, longitude) by system")
    layout = _Layout(_NARROW if narrow else _WIDE, truth, rows, onset)
    with style.new_figure(*layout.size) as figure:
        figure.set_layout_engine("none")
        layout.write(figure, title, 0.0, 12)
        for cell, place in layout.placed():
            ax = add_map(figure, place, cell.field, has_degrees=cell.is_truth)
            filled = fill(ax, 100 * cell.field, style.PROBABILITY, smooth=not _is_yes_or_no(cell.field))
            Ground(coastlines).draw(ax)
            style.write_title(ax, cell.heading.title, cell.heading.note)
        for name, top in layout.names:
            layout.write(figure, name, top, 10.5, is_row=True)
        add_bar(figure, filled, style.PROBABILITY, layout.bar)
    return figure


@dataclass(frozen=True, eq=False)
class _Cell:
    """One map and its words."""

    field: xr.DataArray
    heading: Heading
    is_truth: bool = False


def _is_yes_or_no(field: xr.DataArray) -> bool:
    """Return whether a field is of what happened or of one forecast: its cells are drawn as they are."""
    values = field.values[np.isfinite(field.values)]
    return bool(np.isin(values, (0, 1)).all())


def _heading(init: np.datetime64, onset: np.datetime64 | None) -> Heading:
    told = style.write_time(init)
    if onset is None or np.isnat(onset) or init >= onset:
        return Heading(f"from {told}", "")
    return Heading(f"{write_ahead(onset - init)} ahead", f"from {told}")


def write_ahead(lead: np.timedelta64) -> str:
    """Write how long before an event a forecast began: to an hour, or to a tenth of a day."""
    hours = float(lead / np.timedelta64(1, "h"))
    return f"{hours / 24:.1f} d".replace(".0 ", " ") if hours > 48 else f"{hours:.0f} h"


class _Layout:
    """Where maps lie, inches from the lower left corner."""

    def __init__(
        self, size: _Size, truth: xr.DataArray, rows: Mapping[str, xr.DataArray], onset: np.datetime64 | None
    ) -> None:
        ratio = ratio_of(truth)
        self._is_beside = size.is_beside
        self._truth, self._cell = (Panel.of(ratio, False, most) for most in (size.truth, size.cell))
        self._own = _Cell(truth.astype(np.float64), Heading("What happened", "where it was in the period"), True)
        wide = self._wide = max(self._cell.width, size.cell[0])
        self._rows = {
            name: [
                _Cell(own.isel(init_time=n, drop=True), _heading(init, onset).wrapped(wide))
                for n, init in enumerate(own["init_time"].values)
            ]
            for name, own in rows.items()
        }
        heads = [own.heading for cells in self._rows.values() for own in cells]
        self._head = 0.1 + max(style.heading_height(own.title, own.note) for own in heads)
        self._truth_head = 0.1 + style.heading_height(self._own.heading.title, self._own.heading.note)
        self._row = _ROW_HEAD + self._head + self._cell.height + _GAP
        across = max(map(len, self._rows.values())) * (wide + _GAP)
        truth_wide, truth_high = _LEFT + self._truth.width + 0.3, self._truth_head + self._truth.height + _BELOW
        bar, rows_high = _BAR + _BELOW_BAR + 0.15, len(self._rows) * self._row
        self._top = 0.45 + _MARGIN
        if self._is_beside:
            self.size = (2 * _MARGIN + truth_wide + across, self._top + max(truth_high + bar, rows_high) + _MARGIN)
        else:
            wide = 2 * _MARGIN + max(truth_wide, across, _BAR_LENGTH + 0.6)
            self.size = (wide, self._top + truth_high + bar + rows_high + _MARGIN)
        self._left = _MARGIN + (truth_wide if self._is_beside else 0.0)
        self._below_truth = self._top + truth_high
        self._begin = self._top if self._is_beside else self._below_truth + bar

    def placed(self) -> Iterator[tuple[_Cell, Box]]:
        """Yield each map and where it lies: what happened, and row by row."""
        width, height = self._truth.width, self._truth.height
        yield self._own, Box(_MARGIN + _LEFT, self.size[1] - self._below_truth + _BELOW, width, height)
        for n_above, cells in enumerate(self._rows.values()):
            bottom = self.size[1] - self._begin - (n_above + 1) * self._row + _GAP
            for place, cell in enumerate(cells):
                left = self._left + place * (self._wide + _GAP)
                yield cell, Box(left, bottom, self._cell.width, self._cell.height)

    @property
    def names(self) -> list[tuple[str, float]]:
        """The systems, and how far from the top their rows begin."""
        return [(name, self._begin + n_above * self._row) for n_above, name in enumerate(self._rows)]

    def write(self, figure: Figure, text: str, top: float, size: float, is_row: bool = False) -> None:
        """Write a line, so far from the top: over all, or over a row."""
        left = self._left if is_row else _MARGIN
        figure.text(left / self.size[0], 1 - (top + 0.22) / self.size[1], text, weight="bold", size=size)

    @property
    def bar(self) -> Bar:
        """The one colour bar, below what happened."""
        bottom = self.size[1] - self._below_truth - 0.1 - _BAR
        return Bar(Box(_MARGIN + _LEFT, bottom, min(_BAR_LENGTH, self._truth.width), _BAR), style.PROBABILITY.label)
