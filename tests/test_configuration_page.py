"""What the page on configuration shows is what is read."""

import re

import numpy as np
import pytest
from docs_page import DOCS

from weatherml.config import apply_overrides
from weatherml.durations import format_duration, parse_duration
from weatherml.times import parse_time

PAGE = (DOCS / "configuration.md").read_text()


def rows(heading):
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(.+)` \| (.+) \|$", section, re.MULTILINE)


@pytest.mark.parametrize(("written", "read"), rows("Times"))
def test_a_time_is_read_as_the_page_says(written, read):
    (bare,) = apply_overrides({}, [f"init={written}"]).values()
    assert np.datetime_as_string(parse_time(written), "m") == np.datetime_as_string(parse_time(bare), "m") == read


@pytest.mark.parametrize(("written", "read"), rows("Durations"))
def test_a_duration_is_read_as_the_page_says(written, read):
    assert format_duration(parse_duration(written)) == read


def test_tables_are_found():
    assert len(rows("Times")) == 10
    assert len(rows("Durations")) == 9
