"""Arguments of verification that cannot be are refused in one line, before anything is read."""

import numpy as np
import pytest
from fake_data import analyses, forecasts

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.verification import accumulate, evaluate, evaluate_maps, scorecards, skill
from weatherml.verification.aggregation.sums import StatisticSums

SURFACE = {"2m_temperature": ()}


@pytest.fixture(scope="module")
def given():
    return forecasts(SURFACE), analyses(SURFACE)


@pytest.fixture(scope="module")
def sums(given):
    return accumulate(*given, "rmse")


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"regions": []}, "regions are empty"),
        ({"regions": {}}, "regions are empty"),
        ({"regions": "tropic"}, "unknown region 'tropic'"),
        ({"regions": ["global=10,0,-10,90"]}, "region 'global' is known, and has other bounds"),
        ({"regions": ["a=10,0,-10,90", "a=20,0,-10,90"]}, "two regions are called 'a'"),
        ({"regions": ["a=95,0,-10,90"]}, "no latitude of a region is 95 degrees north"),
        ({"regions": ["a=10,400,-10,500"]}, "no longitude of a region is 400 degrees east"),
        ({"by": "week"}, "by must be one of season, month, init_hour, valid_hour, got 'week'"),
        ({"missing": "x"}, "missing must be 'refuse' or 'count', got 'x'"),
    ],
)
def test_what_cannot_be_is_named_with_what_can(given, how, told):
    with pytest.raises(UserError) as caught:
        evaluate(*given, "rmse", **how)
    assert told in str(caught.value)


def test_maps_refuse_groups_that_there_are_not(given):
    with pytest.raises(UserError, match="by must be one of"):
        evaluate_maps(*given, "rmse", by="week")


def test_one_name_is_one_region(given):
    assert evaluate(*given, "rmse", regions="tropics").equals(evaluate(*given, "rmse", regions=["tropics"]))


def test_scorecards_of_nothing_are_refused(sums):
    for systems in ({}, {"x": sums}):
        with pytest.raises(UserError, match="there is nothing to compare"):
            scorecards(systems, {"x": sums}, "rmse")


def test_sums_of_no_initial_time_share_none_with_others(sums):
    empty = StatisticSums(sums.dataset.isel(init_time=[]))
    with pytest.raises(UserError, match=r"share no init time: the first has .*, the second none"):
        skill(sums, empty, "rmse")


def test_a_grid_of_missing_latitudes_is_to_be_corrected_not_reordered():
    with pytest.raises(UserError, match="latitude is missing or not finite at 1 of its 3 places; correct the file"):
        LatLonGrid((60.0, np.nan, -60.0), (0.0, 180.0))
