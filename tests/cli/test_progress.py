"""Laws of the bar: what remains is told as soon as it is known, and never cut."""

import os
import re
import subprocess
import sys
from io import StringIO

import pytest
from rich.console import Console

from weatherml.cli.printing import progress

NEWS = "stage 1 of 2, best validation loss 0.7662"


@pytest.fixture
def screen(monkeypatch):
    """Return a function from a width to a terminal of that width, to which bars are drawn."""

    def show(width):
        terminal = Console(file=StringIO(), force_terminal=True, width=width, height=20, color_system=None)
        monkeypatch.setattr(progress, "console", terminal)
        return terminal.file

    return show


def drawn(screen):
    """Return the lines of every picture of the bar."""
    return re.split(r"[\r\n]|\x1b\[[0-9;?]*[A-Za-z]", screen.getvalue())


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_time_that_is_left_is_whole_beside_long_news(screen, width):
    file = screen(width)
    with progress.bar("train") as update:
        for done in range(1, 4):
            update(done * 100, 51_200, NEWS)
    *_, last = [line for line in drawn(file) if " left" in line]
    assert re.search(r"\d+/51200\s+\d:\d\d:\d\d, \d+:\d\d:\d\d left", last), last
    assert all(len(line.rstrip()) <= width for line in drawn(file))
    shown = " ".join(file.getvalue().split())
    assert all(word in shown for word in NEWS.split())


def test_nothing_is_said_of_the_time_that_is_left_until_it_is_known(screen):
    file = screen(80)
    with progress.bar("ingest"):
        pass
    assert "left" not in file.getvalue() and "/?" not in file.getvalue()
    assert "ingest     done in 0 s" in file.getvalue()


def test_logs_in_colour_hold_one_line_of_a_bar():
    program = "from weatherml.cli.printing.progress import bar\nwith bar('ingest') as update: update(1, 2)"
    colours = {**os.environ, "FORCE_COLOR": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=colours, capture_output=True, text=True)
    assert re.sub(r"\x1b\[[\d;]*m", "", done.stderr) == "ingest     done in 0 s\n"


def test_logs_of_a_long_phase_say_how_far_it_is(monkeypatch):
    log = Console(file=StringIO(), force_terminal=False, width=80)
    monkeypatch.setattr(progress, "console", log)
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    with progress.bar("train") as update:
        update(101, 200, NEWS)
        update(102, 200, NEWS)
    first, second, last = log.file.getvalue().splitlines()
    assert first == f"train      101 of 200, 0:00:00  {NEWS}"
    assert re.fullmatch(rf"train      102 of 200, 0:00:00, 0:00:0\d left  {NEWS}", second)
    assert last.startswith("train      done in 0 s")
