"""What a user is told of hazards: every key, everywhere the same."""

import re

import pytest
from docs_page import DOCS

from weatherml.cli.printing.hazards import written
from weatherml.cli.verbs.extremes import HAZARDS
from weatherml.extremes.hazards.keys import UNITS, describe
from weatherml.extremes.hazards.registry import OF_OBJECTS, find, known

OWN = [name for name in known() if not name.endswith("of_tests")]


def table_of(name):
    """The rows of the page for one hazard, as they are to stand there."""
    told = describe(name)
    asked = f"{100 * told.least_share:g} % of the region" if told.least_share else "any cell"
    needs = "needs" if told.climatology else "needs no"
    head = [
        f"## {name}",
        told.about,
        "",
        f"Made of {', '.join(f'`{own}`' for own in told.variables)}; {needs} `climatology`; a region's number is its"
        f" {told.region_by}; it happens where {asked} is in it. Defaults: {told.source}.",
        "",
        "| key | default | unit | what it is |",
        "|---|---|---|---|",
    ]
    return head + [f"| `{own.name}` | {written(own.default)} | {own.units} | {own.meaning} |" for own in told.keys]


def test_the_page_has_every_key_of_every_hazard():
    page = (DOCS / "hazard_definitions.md").read_text()
    expected = "\n\n".join("\n".join(table_of(name)) for name in OWN)
    assert page.split("<!-- table -->\n")[1].strip() == expected.strip()


def test_the_help_names_the_hazards_that_there_are():
    assert list(HAZARDS) == OWN


@pytest.mark.parametrize("name", OWN)
def test_every_key_has_a_unit_and_a_meaning(name):
    definition = find(name).definition()
    told = describe(name)
    assert {own.name for own in told.keys} | OF_OBJECTS >= set(vars(definition))
    for own in told.keys:
        assert own.meaning and own.name in UNITS
        assert bool(own.units) == (not isinstance(own.default, str))
        assert own.default == getattr(definition, own.name)
    assert told.source and re.search(r"[a-z]", told.about) and "Attributes" not in told.about
