import base64
import re
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from weatherml import plot
from weatherml.errors import UserError

VOID = {"meta", "img", "link", "br"}


class Page(HTMLParser):
    """What a browser would find: tags with their attributes, whether all are closed, and the words."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def picture(width=3, height=2):
    figure = Figure(figsize=(width, height))
    figure.subplots().plot([1, 2], [3, 5])
    return figure


@pytest.fixture
def sections():
    """Return two chapters with two figures, two tables, and characters that HTML must not take as its own."""
    frame = pd.DataFrame(
        {"fourcastnet": [2.1754, np.nan], "persistence": [6.5351, 10.268]},
        index=pd.Index(["1 d", "5 d"], name="lead_time"),
    )
    return [
        plot.Section(
            "One <forecast> & more", "First `a < b`.\n\nSecond.", {'A "wide" map': picture(6, 2), "A map": picture()}
        ),
        plot.Section("Scores", tables={"RMSE": frame, "Files": [["what", "bytes"], ["store", 12]]}),
    ]


@pytest.fixture
def page(sections, tmp_path):
    path = plot.write_report(tmp_path / "new" / "report.html", "A & B", sections, summary="What to know.")
    return path.read_text(encoding="utf-8")


def test_the_page_is_well_formed(page):
    assert Page(page).open == []


def test_the_page_holds_every_figure_with_its_caption(page, sections):
    images = Page(page).all("img")
    assert [image["alt"] for image in images] == ['A "wide" map', "A map"]
    for image, figure in zip(images, sections[0].figures.values(), strict=True):
        png = Image.open(BytesIO(base64.b64decode(image["src"].removeprefix("data:image/png;base64,"), validate=True)))
        assert png.format == "PNG"
        assert png.width / png.height == pytest.approx(figure.get_figwidth() / figure.get_figheight(), rel=0.01)
        assert png.width > 1.5 * int(image["width"])  # sharp on a dense screen


def test_pictures_have_the_size_that_they_were_drawn_in(page):
    """Their type then has one size, too: a small one is not blown up to the width of the page."""
    rule = re.search(r"^img \{(.*?)\}", page, re.MULTILINE)[1]
    assert "max-width: 100%" in rule and not re.search(r"(?<!-)width:", rule)


def test_the_page_asks_for_nothing_outside_itself(page):
    found = Page(page)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in found.tags}
    references = [value for _, attrs in found.tags for key, value in attrs.items() if key in ("src", "href")]
    assert references and all(value.startswith(("#", "data:image/png")) for value in references)
    assert not re.search(r"https?:|url\(|@import", page)


def test_every_link_of_the_contents_has_its_chapter(page):
    found = Page(page)
    chapters = {attrs["id"] for attrs in found.all("section")}
    assert [attrs["href"].removeprefix("#") in chapters for attrs in found.all("a")] == [True, True]


def test_words_are_shown_as_they_were_written(page):
    words = Page(page).words
    assert "One <forecast> & more" in words and "First a < b." in words and "What to know." in words
    assert "<code>a &lt; b</code>" in page


def test_the_numbers_of_a_column_share_their_decimals(page):
    assert re.findall(r'<td class="number">([^<]*)</td>', page) == ["2.175", "6.54", "n/a", "10.27", "12"]


def test_leads_and_times_are_written_as_on_the_maps(tmp_path):
    rows = [["lead", "time"], [pd.Timedelta("60h"), pd.Timestamp("2021-09-01T06")]]
    path = plot.write_report(tmp_path / "report.html", "t", [plot.Section("s", tables={"c": rows})])
    assert "<td>2.5 d</td><td>2021-09-01 06 UTC</td>" in path.read_text(encoding="utf-8")


def test_the_same_content_gives_the_same_bytes(tmp_path):
    first, second = (
        plot.write_report(tmp_path / f"{n}.html", "t", [plot.Section("s", figures={"c": picture()})]).read_bytes()
        for n in "ab"
    )
    assert first == second


def test_a_report_that_cannot_be_made_leaves_the_old_one_and_nothing_half_written(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")

    def fill_the_disk(_source, _target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fill_the_disk)
    with pytest.raises(UserError, match=r"cannot write .*report\.html: No space left on device; make room"):
        plot.write_report(path, "t", [plot.Section("s")])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_that_is_not_html_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"ending in \.html"):
        plot.write_report(tmp_path / "report.pdf", "t", [])
    assert list(tmp_path.iterdir()) == []
