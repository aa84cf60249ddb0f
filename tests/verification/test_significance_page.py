"""The page on significance: its Python runs, and its methods are those that there are."""

import re

from docs_page import DOCS, run_python

from weatherml.verification.significance.methods import registry

PAGE = "significance.md"


def test_the_page_finds_the_system_that_adds_no_noise_the_better_one():
    names = run_python(PAGE, None)
    difference, card = names["difference"], names["card"]
    assert (difference["upper"] < 0).all()
    assert (difference["better"] == 1).all()
    assert card["better"].squeeze().values.tolist() == [1, 1, 0]
    spread = names["scores"]["rmse"].sel(bound="upper") - names["scores"]["rmse"].sel(bound="lower")
    assert (difference["upper"] - difference["lower"] < spread / 2).all()


def test_the_page_names_every_method():
    table = (DOCS / PAGE).read_text().split("## Methods")[1]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == set(registry)
