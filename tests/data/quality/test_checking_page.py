"""The page on checking: its Python runs, and its lists are those of the program."""

import re
from contextlib import chdir
from dataclasses import fields

import pytest
from docs_page import DOCS, run_python

from weatherml.cli.verbs.checking import check
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.registry import described_rules

PAGE = "checking.md"
TEXT = (DOCS / PAGE).read_text()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Returns what the page's Python defines, and the folder in which it ran."""
    folder = tmp_path_factory.mktemp("page")
    with chdir(folder):
        return run_python(PAGE, None), folder


def test_the_example_finds_the_change_and_nothing_else(page):
    names, _ = page
    first, *others = names["findings"]
    assert first.rule == "version-change" and "1998-07-01" in first.message
    assert {finding.severity for finding in others} <= {"note"}


def test_the_picture_is_drawn(page):
    assert (page[1] / "version_change.png").read_bytes().startswith(b"\x89PNG")
    assert (DOCS / "images" / "version_change.png").exists()


def test_rules_are_those_of_the_program():
    (block,) = re.findall(r"^```text\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    shown = dict(line.split(maxsplit=1) for line in block.splitlines())
    assert shown == dict(described_rules()), "write there what `weatherml check --rules` prints"


def test_remedies_and_options_are_those_of_the_program():
    mended = re.search(r"## How to mend\n(.*?)\n## ", TEXT, re.DOTALL)[1]
    first_cells = (line.split("|")[1] for line in mended.splitlines() if line.startswith("| `"))
    rules = {word for cell in first_cells for word in re.findall("`(.+?)`", cell)}
    assert rules and rules <= set(described_rules())
    options = {name.replace("_", "-") for name in check.__annotations__}
    assert set(re.findall(r"`?--([a-z]+)", TEXT)) <= {*options, "json"}


def test_keys_of_json_are_those_of_findings():
    told = re.search(r"always have these keys: (.*?) \(", TEXT)[1]
    assert re.findall("`(.+?)`", told) == [field.name for field in fields(Finding)]
