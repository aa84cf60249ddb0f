"""The page on tropical cyclones: its Python follows a storm of which it tells the errors, and its names are there."""

import re

import pytest
from docs_page import DOCS, run_python

from weatherml.extremes.tracks import judging

PAGE = "tropical_cyclones.md"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        return run_python(PAGE, None)


def test_every_member_is_followed_for_two_days(made):
    assert made["tracks"].sizes["record"] == 8 * 9
    assert set(made["tracks"]["name"].values) == {"IDA"}


def test_errors_grow_as_members_go_astray(made):
    at = made["scores"]["track_error"].sel(bound="estimate")
    assert at[0] < 60 < 200 < at[-1] < 600
    assert made["errors"]["mean_sea_level_pressure_error"].attrs["units"] == "Pa"
    assert (made["reliable"]["spread"].sel(bound="estimate")[1:] > 0).all()


def test_the_probability_is_one_where_the_storm_begins(made):
    field = made["probability"].isel(init_time=0)
    assert field.sel(latitude=15, longitude=310) == 1
    assert field.max() == 1
    assert made["verdict"]["brier"].sel(bound="estimate").max() < 0.2
    assert len(made["figure"].axes) == 2


def test_functions_that_the_page_names_are_there():
    named = set(re.findall(r"judging\.(\w+)", (DOCS / PAGE).read_text()))
    assert named and named <= set(judging.__all__)
