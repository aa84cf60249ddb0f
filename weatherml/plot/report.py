"""The report: one HTML file with everything inside, which a person opens with a double click and no network."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from io import BytesIO
from numbers import Real
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from weatherml.errors import UserError
from weatherml.plot import style
from weatherml.storage.files import write_bytes
from weatherml.storage.locations import local_path

Rows: TypeAlias = pd.DataFrame | Sequence[Sequence[object]]
"""A table: a frame, or rows of which the first is the header."""


@dataclass(frozen=True)
class Drawing:
    """What is drawn as HTML or SVG by this room itself; nothing in it comes from elsewhere as it stands.

    Attributes:
        markup: The elements.
    """

    markup: str


@dataclass(frozen=True)
class Fitting:
    """One picture drawn twice, of which the page shows the one that fits its width.

    Attributes:
        wide: For screens.
        narrow: For telephones: no wider than 4.9 inches.
    """

    wide: Figure
    narrow: Figure


_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
_DPI = 160  # sharp on a screen of twice the usual density, at the report's width


@dataclass(frozen=True)
class Section:
    """One chapter of a report.

    Attributes:
        title: Its heading.
        text: Paragraphs, with an empty line between them; `words` between backticks are set as code.
        figures: Caption -> figure or drawing; the caption is also what a screen reader says.
        tables: Caption -> a frame, or rows of which the first is the header.
    """

    title: str
    text: str = ""
    figures: Mapping[str, Figure | Drawing | Fitting] = field(default_factory=dict)
    tables: Mapping[str, Rows] = field(default_factory=dict)


def write_report(path: str | Path, title: str, sections: Sequence[Section], summary: str = "", css: str = "") -> Path:
    """Write a self-contained HTML page: pictures inside, no scripts, nothing from the network.

    The page appears whole or not at all; the same content gives the same bytes.

    Args:
        path: Where to, ending in `.html`; folders are made.
        title: Of the page.
        sections: In the order of reading.
        summary: What the reader should know first, set large under the title.
        css: Rules for drawings, beside those of all reports.

    Returns:
        The path written.

    Raises:
        UserError: The path does not end in .html, or cannot be written.
    """
    path = local_path(path)
    if path.suffix.lower() != ".html":
        raise UserError(f"a report is written as HTML, got {str(path)!r}; give a path ending in .html")
    write_bytes(path, _page(title, sections, summary, css).encode())
    return path


def _page(title: str, sections: Sequence[Section], summary: str, css: str) -> str:
    css = files("weatherml.plot").joinpath("report.css").read_text(encoding="utf-8") + css
    anchors = [f"s{number}" for number, _ in enumerate(sections, start=1)]
    links = "".join(f'<li><a href="#{a}">{escape(s.title)}</a></li>' for a, s in zip(anchors, sections, strict=True))
    chapters = "\n".join(_chapter(a, s) for a, s in zip(anchors, sections, strict=True))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>
{css}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
{_paragraphs(summary)}
</header>
<nav aria-label="Contents"><ol>{links}</ol></nav>
<main>
{chapters}
</main>
<footer>Written by weatherml. Everything on this page is inside this file.</footer>
</body>
</html>
"""


def _chapter(anchor: str, section: Section) -> str:
    figures = "\n".join(_picture(caption, figure) for caption, figure in section.figures.items())
    tables = "\n".join(_table(caption, rows) for caption, rows in section.tables.items())
    heading = f'<h2 id="{anchor}-title">{escape(section.title)}</h2>'
    body = "\n".join(part for part in (heading, _paragraphs(section.text), figures, tables) if part)
    return f'<section id="{anchor}" aria-labelledby="{anchor}-title">\n{body}\n</section>'


def _paragraphs(text: str) -> str:
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text.strip(), quote=False))
    return "\n".join(f"<p>{block}</p>" for block in re.split(r"\n\s*\n", marked) if block)


def _picture(caption: str, figure: Figure | Drawing | Fitting) -> str:
    words = f"<figcaption>{escape(caption, quote=False)}</figcaption>"
    shown = figure.markup if isinstance(figure, Drawing) else _image(caption, figure)
    return f'<figure><div class="wide" tabindex="0">{shown}</div>{words}</figure>'


def _image(caption: str, figure: Figure | Fitting) -> str:
    own = figure.wide if isinstance(figure, Fitting) else figure
    image = f'<img src="{_encoded(own)}" alt="{escape(caption)}" {_size(own)}>'
    if not isinstance(figure, Fitting):
        return image
    narrow = f'<source media="(max-width: 40rem)" srcset="{_encoded(figure.narrow)}" {_size(figure.narrow)}>'
    return f"<picture>{narrow}{image}</picture>"


def _encoded(figure: Figure) -> str:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _size(figure: Figure) -> str:
    width, height = (round(inches * 96) for inches in figure.get_size_inches())
    return f'width="{width}" height="{height}"'


def _table(caption: str, rows: Rows) -> str:
    names, body = _names_and_body(rows)
    columns = [_column(name, [row[i] for row in body]) for i, name in enumerate(names)]
    head, *lines = (f"<tr>{''.join(line)}</tr>" for line in zip(*columns, strict=True))
    words = f"<caption>{escape(caption, quote=False)}</caption>"
    content = "\n".join([words, f"<thead>{head}</thead>", "<tbody>", *lines, "</tbody>"])
    return f'<div class="wide" tabindex="0"><table>{content}</table></div>'


def _names_and_body(rows: Rows) -> tuple[list[str], list[Sequence[object]]]:
    if not isinstance(rows, pd.DataFrame):
        return [str(name) for name in rows[0]], list(rows[1:])
    frame = rows if isinstance(rows.index, pd.RangeIndex) else rows.reset_index()
    return [str(name).replace("_", " ") for name in frame.columns], list(frame.itertuples(index=False, name=None))


def _column(name: str, values: Sequence[object]) -> list[str]:
    """Write the header and the cells of a column; its decimals are those that give its largest number four figures."""
    sizes = [abs(float(v)) for v in values if isinstance(v, float | np.floating) and np.isfinite(v)]
    figures = int(np.floor(np.log10(max(sizes)))) if sizes and max(sizes) > 0 else 0
    words = [escape(_words(value, min(max(3 - figures, 0), 8)), quote=False) for value in values]
    look = ' class="number"' if all(map(_is_number, values)) else ""
    return [f'<th scope="col"{look}>{escape(name, quote=False)}</th>', *(f"<td{look}>{word}</td>" for word in words)]


def _is_number(value: object) -> bool:
    """Return whether a value is a number, or the text of one."""
    return isinstance(value, Real) or (isinstance(value, str) and bool(_NUMBER.fullmatch(value)))


def _words(value: object, decimals: int) -> str:
    """Write a number, a lead time or a time as on the maps, and what is not there as `n/a`."""
    if isinstance(value, pd.Timedelta | np.timedelta64):
        return style.write_lead(pd.Timedelta(value).to_timedelta64())
    if isinstance(value, pd.Timestamp | np.datetime64):
        return style.write_time(pd.Timestamp(value).to_datetime64())
    if isinstance(value, float | np.floating):
        return f"{value:.{decimals}f}" if np.isfinite(value) else "n/a"
    return str(value)
