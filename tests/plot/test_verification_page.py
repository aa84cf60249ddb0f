"""The page of a verification: what each cell and curve says, and that it opens without a network."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, as_forecast, forecasts
from PIL import Image

from weatherml.plot.verification import cards, panels, write_page
from weatherml.plot.verification.panels import Line, Panel
from weatherml.verification import accumulate, scorecards
from weatherml.verification.cards import with_cards
from weatherml.verification.systems import accumulate_systems, summarize_systems

METRICS = ["rmse", "acc", "rank_histogram", "forecast_probability(threshold=0)", "observed_frequency(threshold=0)"]
LEADS = np.array([24, 48, 72], "timedelta64[h]").astype("timedelta64[ns]")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")


def card_of(relative, significant, metric="rmse"):
    """Return a scorecard of two channels, three lead times, of a metric that is better the smaller it is."""
    relative, significant = np.asarray(relative, float), np.asarray(significant, bool)
    dims = ("metric", "channel", "region", "lead_time")
    coords = {"metric": [metric], "channel": ["2m_temperature", "temperature_850"], "region": ["global"]}
    fields = {
        "difference": relative,
        "lower": relative - 0.1,
        "upper": relative + 0.1,
        "relative": relative,
        "p_value": np.where(np.isnan(relative), np.nan, 0.02),
        "significant": significant,
        "better": np.where(significant, -np.sign(relative), 0).astype(np.int8),
    }
    placed = {name: (dims, values[None, :, None, :]) for name, values in fields.items()}
    return xr.Dataset(placed, coords | {"lead_time": LEADS})


def line(y, x=(1.0, 2.0, 3.0), **others):
    y = np.asarray(y, float)
    return Line("new", np.asarray(x), y, y - 1, y + 1, "#123456", **others)


class Page(HTMLParser):
    """What a browser would find; whether every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.words = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.attributes += attrs
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Return the page of two ensembles, of which the second errs twice as much, and a published score."""
    variables = {"temperature": (500, 850), "2m_temperature": ()}
    truth, like = analyses(variables, times=70), forecasts(variables, n_init=14)
    perfect = as_forecast(truth, like)
    systems = {}
    for name, error, n_members in (("new", 0.2, 5), ("old <1>", 0.4, 3)):
        errors = error * forecasts(variables, n_init=14, n_members=n_members, seed=n_members)
        systems[name] = (perfect + errors).transpose("init_time", "lead_time", "number", ...)
    sums = accumulate_systems(systems, truth, METRICS, truth.isel(time=0, drop=True) * 0, regions=["global", "tropics"])
    scores = summarize_systems(sums, METRICS)
    compared = scorecards({"new": sums["new"]}, {"old <1>": sums["old <1>"]}, METRICS)
    published = xr.Dataset({"rmse": scores["rmse"].sel(bound="estimate", region="global", drop=True).isel(system=[0])})
    path = tmp_path_factory.mktemp("page") / "page.html"
    return write_page(path, "new against old <1>", scores, compared, published.assign_coords(system=["IFS"]))


def test_a_cell_says_how_much_better_and_whether_that_is_sure():
    card = card_of([[-0.03, 0.3, np.nan], [-0.15, 0.0, 0.06]], [[1, 1, 0], [0, 0, 0]])
    (drawn,) = cards.cards_of(card, "rmse", "new against old")
    cells = re.findall(r'<td(?: class="([^"]*)")?[^>]*>([^<]*)</td>', cards.draw(drawn))
    assert cells == [("b2", "▲"), ("w5", "▼"), ("", ""), ("b4 q", ""), ("n q", ""), ("w3 q", "")]
    assert drawn.tally == cards.Tally(better=1, worse=1, undecided=3)


def test_a_perfect_rival_is_better_by_more_than_the_scale_has():
    truth, made = analyses({"2m_temperature": ()}, times=200), forecasts({"2m_temperature": ()}, 40)
    sums = {name: accumulate(own, truth, "rmse") for name, own in (("made", made), ("true", as_forecast(truth, made)))}
    for first, second, sign in (("made", "true", -1), ("true", "made", 1)):
        compared = scorecards({first: sums[first]}, {second: sums[second]}, "rmse")[first, second]
        assert (compared["better"] == sign).all()
        (drawn,) = cards.cards_of(compared, "rmse", "")
        assert drawn.tally == cards.Tally(better=3 * (sign > 0), worse=3 * (sign < 0), undecided=0)
        assert cards.draw(drawn).count("▲" if sign > 0 else "▼") == 3
        assert cards.draw(drawn).count('class="b5"' if sign > 0 else 'class="w5"') == 3
    (alike,) = cards.cards_of(scorecards({"b": sums["true"]}, {"a": sums["true"]}, "rmse")["b", "a"], "rmse", "")
    assert alike.tally == cards.Tally(better=0, worse=0, undecided=3)


def test_a_larger_correlation_is_better_whatever_the_sign_of_the_other():
    difference, relative = np.array([0.1, -0.1, 0.1]), np.array([0.2, -0.2, -0.5])  # the last against a negative one
    assert cards.gain_of(difference, relative, "higher").tolist() == [0.2, -0.2, 0.5]
    assert cards.gain_of(difference, relative, "lower").tolist() == [-0.2, 0.2, -0.5]


def test_a_hint_has_the_numbers_in_shown_units():
    card = card_of([[-0.03, 0, 0], [0, 0, 0]], np.zeros((2, 3)))
    words = cards.draw(cards.cards_of(card, "rmse", "")[0])
    assert (
        "2 m temperature, 1 d: \N{MINUS SIGN}3 %, \N{MINUS SIGN}0.03 (\N{MINUS SIGN}0.13 .. 0.07) K, p = 0.02" in words
    )


def test_nothing_to_compare_has_no_card():
    assert cards.cards_of(card_of(np.full((2, 3), np.nan), np.zeros((2, 3))), "rmse", "a") == []


def test_each_region_has_a_card_and_the_globe_alone_no_name():
    card = card_of(np.zeros((2, 3)), np.zeros((2, 3)))
    two = xr.concat([card, card], "region").assign_coords(region=["global", "north_atlantic"])
    assert [own.title for own in cards.cards_of(card, "rmse", "a against b")] == ["a against b"]
    assert [own.title for own in cards.cards_of(two, "rmse", "a")] == ["a · global", "a · north atlantic"]


def test_a_curve_rises_with_its_values_and_breaks_where_there_is_none():
    drawn = panels.draw(Panel("t", "K", [line([1, 2, np.nan, 3, 5], x=(1.0, 2, 3, 4, 5))], "Lead"))
    (path,) = re.findall(r'class="c"[^>]* d="([^"]*)"', drawn)
    runs = [[tuple(map(float, point.split())) for point in run.split("L")] for run in path.split("M")[1:]]
    assert [len(run) for run in runs] == [2, 2]
    points = [point for run in runs for point in run]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    heights = [-y for _, y in points]
    np.testing.assert_allclose(np.diff(heights) / np.diff([1, 2, 3, 5]), np.diff(heights)[0], atol=0.2)


def test_what_others_published_is_points_without_a_band():
    drawn = panels.draw(Panel("t", "", [line([1, 2, 3], is_published=True)], "Lead"))
    assert drawn.count("<circle") == 3 and 'class="c"' not in drawn and 'class="b"' not in drawn


def test_what_others_published_beyond_the_last_lead_is_left_out(tmp_path):
    dims = ("system", "bound", "channel", "lead_time")
    coords = {"bound": ["estimate", "lower", "upper"], "channel": ["2m_temperature"]}
    scores = xr.Dataset({"rmse": (dims, np.ones((1, 3, 1, 2)))}, coords | {"system": ["new"], "lead_time": LEADS[:2]})
    others = xr.Dataset({"rmse": scores["rmse"].isel(bound=0, drop=True).reindex(lead_time=LEADS, fill_value=2.0)})
    text = write_page(tmp_path / "p.html", "new", scores, published=others.assign_coords(system=["IFS"])).read_text()
    assert text.count('r="2.6"') == 2 + 1  # two points, and that of the legend
    assert "Lead time (days): 3" not in text


def test_decades_of_waves_are_evenly_apart():
    drawn = panels.draw(Panel("t", "", [line([1, 10, 100], x=(1.0, 10, 100))], "Waves", is_logarithmic=True))
    (path,) = re.findall(r'class="c"[^>]* d="M([^"]*)"', drawn)
    x, y = np.array([point.split() for point in path.split("L")], float).T
    np.testing.assert_allclose(np.diff(x), np.diff(x)[0], atol=0.2)
    assert (np.diff(y) < 0).all()


def test_a_page_holds_all_that_it_shows(page):
    text = page.read_text()
    found = Page(text)
    assert not found.open
    links = [value for name, value in found.attributes if name in ("src", "href", "xlink:href")]
    assert all(link.startswith(("#", "data:")) for link in links) and "url(" not in text and "<script" not in text
    for words in (
        "Which is better",
        "Root mean square error",
        "Rank histogram",
        "Reliability (threshold 0 K)",
        "IFS (published)",
    ):
        assert words in found.words
    assert "old <1>" in found.words and "tropics" in found.words


def test_a_page_says_what_was_judged(page):
    words = Page(page.read_text()).words
    for told in ("14 initial times", "95 %", "ar2", "5 %", "of the mean of 5 members", "Nothing was missing"):
        assert told in words


def test_scores_of_one_system_make_a_page(tmp_path):
    dims = ("system", "bound", "channel", "lead_time")
    coords = {
        "system": ["new"],
        "bound": ["estimate", "lower", "upper"],
        "channel": ["2m_temperature"],
        "lead_time": LEADS,
    }
    scores = xr.Dataset({"rmse": (dims, np.ones((1, 3, 1, 3)))}, coords)
    told = write_page(tmp_path / "page.html", "new", scores).read_text()
    assert "Root mean square error" in told
    beside = with_cards(scores, {("new", "old"): card_of(np.zeros((2, 3)), np.zeros((2, 3))).isel(channel=[0])})
    assert write_page(tmp_path / "again.html", "new", beside).read_text() == told


@pytest.mark.skipif(BROWSER is None, reason="no chromium is installed")
def test_a_browser_shows_the_page_at_the_width_of_a_telephone(page, tmp_path):
    picture = tmp_path / "page.png"
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    words = [BROWSER, *flags, "--window-size=500,2400", f"--screenshot={picture}", page.as_uri()]
    subprocess.run(words, check=True, timeout=110, capture_output=True)
    seen = np.asarray(Image.open(picture).convert("RGB")).reshape(-1, 3)
    blue = (np.abs(seen.astype(int) - (0x11, 0x4D, 0x82)).max(axis=1) <= 2).sum()
    assert blue > 1000  # cells where the first system is better by more than 20 %
