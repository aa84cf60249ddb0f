"""Tables and paragraphs for a terminal of any width: no name and no number is ever cut."""

import textwrap
from collections.abc import Iterator, Sequence

_GAP = "  "


def blocks(rows: Sequence[Sequence[str]], width: int) -> Iterator[list[str]]:
    """Yield a table in pieces that fit the width, each with the first column; a column wider than that stands alone.

    Args:
        rows: Cells; the first row is the heading.
        width: Of the terminal, characters.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    columns = list(range(1, len(widths)))
    while columns:
        n_fitting = _n_fitting([widths[0], *(widths[c] for c in columns)], width)
        taken, columns = columns[:n_fitting], columns[n_fitting:]
        yield [_line(row, widths, taken) for row in rows]


def paragraph(name: str, text: str, indent: int, width: int) -> str:
    """Return a name and what is to be said of it, wrapped between words and indented."""
    lines = [
        line
        for part in text.split("\n")
        for line in textwrap.wrap(
            part, max(width - indent, 20), break_long_words=False, break_on_hyphens=False, subsequent_indent="  "
        )
        or [""]
    ]
    return "\n".join(f"{name if i == 0 else '':<{indent}}{line}" for i, line in enumerate(lines))


def _n_fitting(widths: Sequence[int], width: int) -> int:
    """Return how many columns after the first fit beside it; one at least."""
    left, count = width - widths[0], 0
    for own in widths[1:]:
        left -= own + len(_GAP)
        if left < 0:
            break
        count += 1
    return max(count, 1)


def _line(row: Sequence[str], widths: Sequence[int], columns: Sequence[int]) -> str:
    return _GAP.join([f"{row[0]:<{widths[0]}}", *(f"{row[c]:>{widths[c]}}" for c in columns)])
