"""A forecast that is judged as it is made: a folder that keeps it is asked as one of a stored forecast is."""

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, forecasts

from weatherml.errors import UserError
from weatherml.verification import Campaign, OnlineForecast, accumulate
from weatherml.verification.systems import accumulate_systems

VARIABLES = {"2m_temperature": (), "geopotential": (500, 850)}


@pytest.fixture(scope="module")
def truth():
    return analyses(variables=VARIABLES)


@pytest.fixture(scope="module")
def forecast():
    return forecasts(variables=VARIABLES, n_init=3, n_members=2)


def pieces(forecast, init_times):
    for init_time in init_times:
        for lead_time in forecast["lead_time"].values:
            yield forecast.sel(init_time=[init_time], lead_time=[lead_time])


def online(forecast, make=None, **changed):
    asked = {"init_times": forecast["init_time"].values, "lead_times": forecast["lead_time"].values, "n_members": 2}
    return OnlineForecast(make or (lambda times: pieces(forecast, times)), **asked | {"name": "new"} | changed)


def refused(init_times):
    raise AssertionError("nothing is to be made")


MOVED = {"longitude": lambda own: own["longitude"] + 5}


@pytest.mark.parametrize("is_kept", [True, False], ids=["complete", "half of it there"])
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"metrics": ["rmse"]}, r"another campaign: statistics .* instead of \['squared_error'\]"),
        ({"regions": ["tropics"]}, "another campaign: regions "),
        ({"missing": "count"}, "another campaign: missing values refuse instead of count"),
        ({"truth": lambda own: own + 3}, "the truth at 2001-01-01T06:00 is another than the sums in .* were made with"),
        ({"climatology": lambda own: own + 1}, "the climatology at 2001-01-01T06:00 is another than the sums in"),
        ({"truth": lambda own: own.assign_coords(MOVED)}, "the truth lies on another grid than the forecast"),
        ({"truth": lambda own: own.isel(time=slice(0, 2))}, "the truth has no time 2001-01-0"),
        ({"truth": lambda own: own[["geopotential"]]}, "the truth lacks what the forecast has: .*2m_temperature"),
        ({"n_members": 3}, "another campaign: ensemble {'n_members': 2, .* instead of {'n_members': 3, "),
        ({"lead_times": np.array([6], "timedelta64[h]")}, "another campaign: lead times .* instead of"),
    ],
    ids=lambda own: ",".join(own) if isinstance(own, dict) else "",
)
def test_a_folder_of_an_online_forecast_is_asked_before_anything_is_made(
    forecast, truth, tmp_path, changed, message, is_kept
):
    """As silently it would return what was kept for another question."""
    how = {"metrics": ["acc"], "climatology": truth.mean("time"), "regions": None, "missing": "refuse"}

    def judged(made, truth=truth, **changed):
        return accumulate(made, truth, **how | changed, campaign=Campaign(tmp_path))

    judged(online(forecast if is_kept else forecast.isel(init_time=[0])))
    own = {name: changed[name] for name in ("n_members", "lead_times") if name in changed}
    asked = {name: value for name, value in changed.items() if name not in own}
    asked |= {name: value({"truth": truth, **how}[name]) for name, value in asked.items() if callable(value)}
    with pytest.raises(UserError, match=message):
        judged(online(forecast, refused, **own), **asked)


@pytest.mark.parametrize("change", [lambda own: own, lambda own: own.isel(latitude=slice(0, -1))], ids=["", "no pole"])
@pytest.mark.parametrize("control", ["in", "out"])
@pytest.mark.parametrize("numbers", [[0, 1, 2], [4, 5, 6], [0]])
def test_the_same_question_is_answered_by_what_is_kept(forecast, truth, tmp_path, change, control, numbers):
    """With a note of the forecast's own, fewer rows than the truth, and members of any numbers."""
    if control == "out" and numbers != [0, 1, 2]:
        return
    made = change(xr.concat([forecast.isel(number=0)] * 3, "number").isel(number=range(len(numbers))))
    made = made.assign_coords(number=numbers).assign_attrs(judged_as="means of a day")
    made = made if len(numbers) > 1 else made.isel(number=0, drop=True)
    asked = online(made, n_members=len(numbers))
    first = accumulate(asked, truth, ["rmse"], control=control, campaign=Campaign(tmp_path))
    again = accumulate(
        online(made, refused, n_members=len(numbers)), truth, ["rmse"], control=control, campaign=Campaign(tmp_path)
    )
    xr.testing.assert_identical(first.dataset, again.dataset)


def test_what_make_did_not_make_is_said(forecast, truth, tmp_path):
    ended = online(forecast, lambda times: pieces(forecast, times[:2]))
    for folder in (None, tmp_path):
        with pytest.raises(UserError, match="make ended after 2 of 3 initial times, without 2001-01-03T00:00; make"):
            accumulate(ended, truth, ["rmse"], campaign=Campaign(folder))
    wrong = online(forecast, lambda times: pieces(forecast, [times[0]] * 3))
    with pytest.raises(UserError, match="from 2001-01-01T00:00 came again when it was whole; make each initial time"):
        accumulate(wrong, truth, ["rmse"])


def test_initial_times_are_read_as_elsewhere(forecast, truth):
    times = [str(own) for own in forecast["init_time"].values]
    found = accumulate(online(forecast, init_times=times), truth, ["rmse"])
    np.testing.assert_array_equal(found.dataset["init_time"], forecast["init_time"])
    with pytest.raises(UserError, match="init_times name 2001-01-01T00:00 more than once; name each once"):
        online(forecast, init_times=[times[0], *times])
    with pytest.raises(UserError, match="there is no initial time to judge; give a forecast that has some"):
        accumulate(online(forecast, init_times=[]), truth, ["rmse"])


def test_it_is_a_system_among_others(forecast, truth, tmp_path):
    """At the initial times that all have, in a folder of its own."""
    few = forecast.isel(init_time=[0, 2], number=0, drop=True)
    stored = accumulate_systems({"new": forecast, "one": few}, truth, ["rmse"])
    for _ in range(2):
        made = {"new": online(forecast, name=""), "one": few}
        for name, own in accumulate_systems(made, truth, ["rmse"], campaign=Campaign(tmp_path)).items():
            xr.testing.assert_allclose(own.dataset, stored[name].dataset)
