"""Where maps, their words and their colour bars lie in a picture: in inches, reckoned before anything is drawn.

A map keeps its shape whatever room it gets, so engines that share out room either shrink it or push words off the
picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from weatherml.plot import style

_MARGIN = 0.12
_DEGREES_LEFT, _DEGREES_BELOW, _DEGREES_RIGHT = 0.62, 0.24, 0.3
_BAR, _BAR_GAP, _BAR_TICKS = 0.16, 0.13, 0.27
_BESIDE = 0.62  # what numbers and words of an upright bar take
_SHORTEST_BAR = 1.7
_LINE_OF_LABEL = 0.17
_LEAST_WORDS = 4.9
"""Width of a picture of one map, which its heading needs."""
_LEAST_WORDS_OF_THREE = 2.5
_TALL = 0.85
"""Width over height below which a colour bar stands beside a map, and three maps side by side."""


@dataclass(frozen=True)
class Panel:
    """One map with the degrees around it, inches.

    Attributes:
        width: Of the map itself.
        height: Of the map itself.
        left: For degrees.
        below: For degrees.
        right: For the half of the last number that stands out.
    """

    width: float
    height: float
    left: float = 0.0
    below: float = 0.0
    right: float = 0.0

    @classmethod
    def of(cls, ratio: float, has_degrees: bool, most: tuple[float, float]) -> Self:
        """Return the panel of a map of a ratio of width to height that is at most so wide and high."""
        width = min(most[0], most[1] * ratio)
        degrees = (_DEGREES_LEFT, _DEGREES_BELOW, _DEGREES_RIGHT) if has_degrees else ()
        return cls(width, width / ratio, *degrees)

    @property
    def is_tall(self) -> bool:
        """Whether it is much higher than wide."""
        return self.width < _TALL * self.height


@dataclass(frozen=True)
class Box:
    """A rectangle, inches from the lower left corner of the picture."""

    left: float
    bottom: float
    width: float
    height: float

    def within(self, size: tuple[float, float]) -> tuple[float, float, float, float]:
        """Return it as parts of a picture's width and height."""
        return self.left / size[0], self.bottom / size[1], self.width / size[0], self.height / size[1]


@dataclass(frozen=True)
class Heading:
    """What stands over a map.

    Attributes:
        title: In bold.
        note: Under it, quiet; may be empty.
    """

    title: str
    note: str = ""

    def wrapped(self, inches: float) -> Self:
        """Return it in lines of at most so many inches."""
        return type(self)(style.wrap(self.title, inches, *style.TITLE), style.wrap(self.note, inches, *style.NOTE))


@dataclass(frozen=True)
class Bar:
    """A colour bar and its label, which is wrapped; upright or lying."""

    box: Box
    label: str

    @property
    def is_upright(self) -> bool:
        """Whether it stands beside its map."""
        return self.box.height > self.box.width


@dataclass(frozen=True)
class Layout:
    """Where all is.

    Attributes:
        size: Of the picture, width and height.
        maps: In reading order.
        headings: Of each map, wrapped.
        bars: In reading order.
    """

    size: tuple[float, float]
    maps: tuple[Box, ...]
    headings: tuple[Heading, ...]
    bars: tuple[Bar, ...]


def one_map(panel: Panel, heading: Heading, label: str) -> Layout:
    """Lay out one map, with its colour bar below, or beside a tall one."""
    beside = _BAR_GAP + _BAR + _BESIDE if panel.is_tall else 0.0
    width = max(panel.left + panel.width + panel.right + beside, _LEAST_WORDS)
    row = _Row(panel, (heading,), width, (((0, 0), label),))
    height = row.height - (row.bars_height if panel.is_tall else 0.0) + 2 * _MARGIN
    top = height - _MARGIN
    (box,) = row.maps(_MARGIN, top)
    bars = (_beside(box, label, height),) if panel.is_tall else row.bars(_MARGIN, top)
    return Layout((width + 2 * _MARGIN, height), (box,), row.headings, bars)


def three_maps(panel: Panel, headings: Sequence[Heading], labels: tuple[str, str]) -> Layout:
    """Lay out two maps that share a colour bar, and a third: under them, or beside tall ones."""
    width = max(panel.left + panel.width + panel.right + _MARGIN, _LEAST_WORDS_OF_THREE)
    if panel.is_tall:
        rows = [_Row(panel, tuple(headings), width, (((0, 1), labels[0]), ((2, 2), labels[1])))]
    else:
        rows = [
            _Row(panel, tuple(headings[:2]), width, (((0, 1), labels[0]),)),
            _Row(panel, tuple(headings[2:]), width, (((0, 0), labels[1]),)),
        ]
    n_across = max(len(row.headings) for row in rows)
    size = (n_across * width + 2 * _MARGIN, sum(row.height for row in rows) + (len(rows) + 1) * _MARGIN)
    maps: list[Box] = []
    bars: list[Bar] = []
    top = size[1] - _MARGIN
    for row in rows:
        left = _MARGIN + (n_across - len(row.headings)) * width / 2
        maps += row.maps(left, top)
        bars += row.bars(left, top)
        top -= row.height + _MARGIN
    return Layout(size, tuple(maps), tuple(heading for row in rows for heading in row.headings), tuple(bars))


class _Row:
    """Maps side by side, each in a cell, headings over them and lying colour bars below.

    Args:
        panel: Of each.
        headings: Of each.
        width: Of a cell.
        bars: Which maps, from the first to the last, a bar is of, and its label.
    """

    def __init__(
        self,
        panel: Panel,
        headings: tuple[Heading, ...],
        width: float,
        bars: Sequence[tuple[tuple[int, int], str]],
    ) -> None:
        self._panel, self._width = panel, width
        self.headings = _level([heading.wrapped(width - panel.left - _MARGIN) for heading in headings])
        self._head = max(style.heading_height(heading.title, heading.note) for heading in self.headings)
        self._bars = [(span, self._wrapped(span, label)) for span, label in bars]
        n_lines = max(label.count("\n") + 1 for _, label in self._bars)
        self.bars_height = _BAR_GAP + _BAR + _BAR_TICKS + n_lines * _LINE_OF_LABEL
        self.height = self._head + panel.height + panel.below + self.bars_height

    def maps(self, left: float, top: float) -> list[Box]:
        """Return where the maps are in a row that begins there."""
        panel, bottom = self._panel, top - self._head - self._panel.height
        lefts = [left + cell * self._width + panel.left for cell in range(len(self.headings))]
        return [Box(own, bottom, panel.width, panel.height) for own in lefts]

    def bars(self, left: float, top: float) -> tuple[Bar, ...]:
        """Return the colour bars of a row that begins there."""
        bottom = top - self._head - self._panel.height - self._panel.below - _BAR_GAP - _BAR
        return tuple(
            Bar(Box(left + start, bottom, length, _BAR), label)
            for (start, length), label in ((self._extent(span), label) for span, label in self._bars)
        )

    def _extent(self, span: tuple[int, int]) -> tuple[float, float]:
        """Return where a bar begins in the row, and its length."""
        across = (span[1] - span[0]) * self._width + self._panel.width
        length = max((0.7 if span[0] == span[1] else 0.5) * across, _SHORTEST_BAR)
        return span[0] * self._width + self._panel.left + max((across - length) / 2, 0.0), length

    def _wrapped(self, span: tuple[int, int], label: str) -> str:
        start, length = self._extent(span)
        middle = start + length / 2
        room = min(middle - span[0] * self._width, (span[1] + 1) * self._width - middle)
        return style.wrap(label, 2 * room, *style.LABEL)


def _level(headings: Sequence[Heading]) -> tuple[Heading, ...]:
    """Return headings of as many lines, so that titles stand level."""
    n_breaks = max(heading.note.count("\n") for heading in headings)
    return tuple(
        replace(heading, note=heading.note + "\n" * (n_breaks - heading.note.count("\n"))) for heading in headings
    )


def _beside(box: Box, label: str, height: float) -> Bar:
    """Return an upright bar beside a map."""
    length = 0.9 * box.height
    place = Box(box.left + box.width + _BAR_GAP, box.bottom + (box.height - length) / 2, _BAR, length)
    middle = place.bottom + length / 2
    return Bar(place, style.wrap(label, 2 * min(middle, height - middle) - 2 * _MARGIN, *style.LABEL))
