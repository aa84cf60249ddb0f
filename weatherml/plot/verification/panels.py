"""Curves as SVG: small panels that stand side by side as the page is wide, sharp at any size, and dark where it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Self

import numpy as np
from matplotlib.ticker import MaxNLocator

from weatherml.plot.style import typeset

WIDTH, HEIGHT = 300, 186
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 8, 30, 24
_MOST_DECADES = 6


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
        name: Of the system.
        x: `[point]`.
        y: `[point]`, NaN where there is none.
        lower: Of the interval, NaN where it is not known.
        upper: The other bound.
        colour: As CSS has it.
        dash: Of SVG's `stroke-dasharray`; empty for a whole line.
        is_published: Whether it is laid beneath, as points: a curve of others, without an interval.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    colour: str
    dash: str = ""
    is_published: bool = False

    @classmethod
    def of(cls, name: str, x: np.ndarray, values: np.ndarray, look: tuple[str, str]) -> Self:
        """Build from `[bound, point]` (estimate, lower, upper), colour and dash."""
        estimate, lower, upper = values
        return cls(name, x, estimate, lower, upper, *look)


@dataclass(frozen=True)
class Panel:
    """What one panel shows.

    Attributes:
        title: What the curves are of.
        units: Of the values; empty for a pure number.
        lines: Those beneath first.
        x_label: What is along, with its units: `Lead time (days)`.
        reference: A level to measure the eye against.
        from_zero: Whether the axis begins at zero.
        is_logarithmic: Both axes.
    """

    title: str
    units: str
    lines: Sequence[Line]
    x_label: str
    reference: float | None = None
    from_zero: bool = True
    is_logarithmic: bool = False


@dataclass(frozen=True)
class _Scale:
    """From values to places in the picture."""

    ticks: np.ndarray
    low: float
    high: float
    start: float
    end: float
    is_logarithmic: bool

    def __call__(self, values: np.ndarray) -> np.ndarray:
        low, high, own = self.low, self.high, np.asarray(values, float)
        if self.is_logarithmic:
            low, high, own = np.log10(low), np.log10(high), np.log10(np.maximum(own, self.low))
        places: np.ndarray = np.round(self.start + (own - low) / (high - low) * (self.end - self.start), 1)
        return places


def draw(panel: Panel) -> str:
    """Return a panel as SVG."""
    along, of_days = [line.x for line in panel.lines], "days" in panel.x_label
    x = _scale(panel, along, _LEFT, WIDTH - _RIGHT, False, of_days)
    bounds = [own for line in panel.lines for own in (line.y, line.lower, line.upper)]
    level = [] if panel.reference is None else [np.array([panel.reference])]
    y = _scale(panel, [*bounds, *level], HEIGHT - _BOTTOM, _TOP, panel.from_zero)
    parts = [
        f'<text class="t" x="2" y="13">{escape(panel.title)}</text>',
        f'<text class="u" x="{WIDTH - _RIGHT}" y="13">{escape(panel.units)}</text>' if panel.units else "",
        *_axes(x, y),
        *(f'<path class="r" d="M{_LEFT} {y(own)[0]}H{WIDTH - _RIGHT}"/>' for own in level),
        *(_band(line, x, y) for line in panel.lines),
        *(_curve(line, x, y) for line in panel.lines),
        *_hints(panel, x),
    ]
    label = escape(f"{panel.title}, {panel.x_label.lower()} along")
    return f'<svg class="panel" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def legend(lines: Sequence[Line]) -> str:
    """Return what each colour is, as a list."""
    entries = [f"<li>{_swatch(line)}{escape(line.name)}</li>" for line in lines]
    return f'<ul class="legend">{"".join(entries)}</ul>'


def _swatch(line: Line) -> str:
    mark = '<circle cx="12" cy="5" r="2.6"' if line.is_published else '<path d="M1 5H23"'
    style = f'fill="{line.colour}"' if line.is_published else f'stroke="{line.colour}" stroke-dasharray="{line.dash}"'
    return f'<svg class="swatch" viewBox="0 0 24 10" aria-hidden="true">{mark} {style}/></svg>'


def _scale(
    panel: Panel, values: Sequence[np.ndarray], start: float, end: float, from_zero: bool, of_days: bool = False
) -> _Scale:
    flat = np.concatenate([np.ravel(own) for own in values]) if values else np.zeros(1)
    known = flat[np.isfinite(flat) & ((flat > 0) | (not panel.is_logarithmic))]
    known = known if known.size else np.array([1.0])
    low, high = float(known.min()), float(known.max())
    if panel.is_logarithmic:
        decades = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
        within = [10.0**own for own in decades[:: -(-len(decades) // _MOST_DECADES)] if low <= 10.0**own <= high]
        return _Scale(np.array(within), low, max(high, low * 1.01), start, end, True)
    low = min(low, 0.0) if from_zero else low
    if high - low <= 1e-9 * max(abs(high), abs(low)):  # a line that is level
        low, high = low - (0.5 * abs(low) or 0.5), high + (0.5 * abs(high) or 0.5)
    is_whole = of_days and high - low >= 2  # nobody counts days by quarters
    steps = [1, 2, 5, 10] if is_whole else [1, 2, 2.5, 5, 10]
    ticks = np.asarray(MaxNLocator(nbins=5, steps=steps, integer=is_whole).tick_values(low, high))
    room = 0.04 * (high - low)
    low, high = (low if from_zero and low == 0 else low - room), high + room
    return _Scale(ticks[(ticks >= low) & (ticks <= high)], low, high, start, end, False)


def _axes(x: _Scale, y: _Scale) -> Iterator[str]:
    for tick, place in zip(y.ticks, y(y.ticks), strict=True):
        yield f'<path class="g" d="M{_LEFT} {place}H{WIDTH - _RIGHT}"/>'
        yield f'<text class="y" x="{_LEFT - 5}" y="{place + 3.5:.1f}">{_number(tick)}</text>'
    for tick, place in zip(x.ticks, x(x.ticks), strict=True):
        yield f'<text class="x" x="{place}" y="{HEIGHT - _BOTTOM + 14}">{_number(tick)}</text>'


def _number(value: float) -> str:
    return typeset(f"{value:g}")


def _band(line: Line, x: _Scale, y: _Scale) -> str:
    if line.is_published:
        return ""
    shapes = []
    for run in _runs(np.isfinite(line.lower) & np.isfinite(line.upper)):
        there = [*zip(x(line.x[run]), y(line.upper[run]), strict=True)]
        back = [*zip(x(line.x[run]), y(line.lower[run]), strict=True)][::-1]
        shapes.append(f"M{_points(there + back)}Z")
    return f'<path class="b" fill="{line.colour}" d="{"".join(shapes)}"/>' if shapes else ""


def _curve(line: Line, x: _Scale, y: _Scale) -> str:
    runs = _runs(np.isfinite(line.y))
    places = [[*zip(x(line.x[run]), y(line.y[run]), strict=True)] for run in runs]
    if line.is_published or any(len(own) == 1 for own in places):  # a point alone is no line
        dots = "".join(f'<circle cx="{a}" cy="{b}" r="2.6" fill="{line.colour}"/>' for own in places for a, b in own)
    else:
        dots = ""
    if line.is_published or not places:
        return dots
    dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
    path = "".join(f"M{_points(own)}" for own in places)
    return f'<path class="c" stroke="{line.colour}"{dash} d="{path}"/>{dots}'


def _points(places: Sequence[tuple[float, float]]) -> str:
    return "L".join(f"{a:g} {b:g}" for a, b in places)


def _runs(there: np.ndarray) -> list[np.ndarray]:
    """Return the positions that are there, in runs of neighbours."""
    places = np.flatnonzero(there)
    return np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if places.size else []


def _hints(panel: Panel, x: _Scale) -> Iterator[str]:
    """Yield what is said of each place along the axis when a pointer is over it: the values of all curves."""
    along = np.unique(np.concatenate([line.x for line in panel.lines])) if panel.lines else np.zeros(0)
    along = along[np.isfinite(along)]
    places = x(along)
    edges = np.concatenate([[_LEFT], (places[1:] + places[:-1]) / 2, [WIDTH - _RIGHT]])
    for value, left, right in zip(along, edges[:-1], edges[1:], strict=True):
        told = [words for line in panel.lines for words in _told(line, value)]
        if told:
            title = escape("\n".join([f"{panel.x_label}: {value:g}", *told]), quote=False)
            yield (
                f'<rect class="h" x="{left:.1f}" y="{_TOP}" width="{max(right - left, 1):.1f}"'
                f' height="{HEIGHT - _TOP - _BOTTOM}"><title>{title}</title></rect>'
            )


def _told(line: Line, value: float) -> Iterator[str]:
    for place in np.flatnonzero((line.x == value) & np.isfinite(line.y)):
        lower, upper = line.lower[place], line.upper[place]
        interval = f" ({lower:.4g} .. {upper:.4g})" if np.isfinite(lower) and np.isfinite(upper) else ""
        yield f"{line.name}: {line.y[place]:.4g}{interval}"
