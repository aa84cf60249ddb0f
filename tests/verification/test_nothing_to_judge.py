"""What holds nothing to judge is refused in one line that says what is lacking, and parts of it are NaN."""

import numpy as np
import pytest
from fake_data import analyses, forecasts

from weatherml.errors import UserError
from weatherml.products import read_forecast
from weatherml.verification import evaluate, evaluate_maps

SURFACE = {"2m_temperature": ()}


def pair(**kwargs):
    return forecasts(SURFACE, **kwargs), analyses(SURFACE)


def refused(forecast, truth, **kwargs):
    with pytest.raises(UserError) as caught:
        evaluate(forecast, truth, "rmse", **kwargs)
    return str(caught.value)


def test_a_forecast_that_is_nan_throughout_leaves_nothing_to_judge():
    forecast, truth = pair()
    assert "nothing is left to judge" in refused(forecast.where(False), truth, missing="count")


def test_a_member_that_is_nan_throughout_is_named_with_the_way_to_leave_it_out():
    forecast, truth = pair(n_members=3)
    told = refused(forecast.where(forecast["number"] != 1), truth, missing="count")
    assert "number 1 of the forecast is NaN throughout" in told
    assert "forecast.sel(number=[0, 2])" in told


def test_groups_in_which_nothing_is_left_are_nan():
    forecast, truth = pair(n_init=4, init_step="6h")
    holed = forecast.where(forecast["init_time"].dt.hour != 6)
    rmse = evaluate(holed, truth, "rmse", missing="count", by="init_hour")["rmse"].sel(bound="estimate")
    assert rmse.sel(init_hour="06").isnull().all()
    assert rmse.sel(init_hour="12").notnull().all()


def test_members_that_stopped_are_offered_of_ensembles_alone():
    (one, truth), (several, _) = pair(), pair(n_members=3)
    assert "without_stopped" not in refused(one.where(False), truth)
    assert "without_stopped" in refused(several.where(False), truth)


@pytest.mark.parametrize("dim", ["init_time", "lead_time", "number"])
def test_an_empty_forecast_is_refused_by_what_it_lacks(dim, tmp_path):
    forecast, truth = pair(n_members=2)
    empty = forecast.isel({dim: []})
    assert f"the forecast is empty: it has no {dim}" in refused(empty, truth)
    with pytest.raises(UserError, match=f"empty: it has no {dim}"):
        evaluate_maps(empty, truth, "rmse")
    empty.to_netcdf(tmp_path / "empty.nc")
    with pytest.raises(UserError, match=f"empty.nc is empty: it has no {dim}"):
        read_forecast(tmp_path / "empty.nc")


def test_a_lead_that_is_missing_is_refused_where_it_is_read_and_judged(tmp_path):
    forecast, truth = pair()
    leads = forecast["lead_time"].values.copy()
    leads[1] = np.timedelta64("NaT")
    holed = forecast.assign_coords(lead_time=leads)
    holed.to_netcdf(tmp_path / "holed.nc")
    assert "values of lead_time are missing (NaT), the first is number 2" in refused(holed, truth)
    with pytest.raises(UserError, match=r"holed.nc: 1 of \d values of lead_time are missing \(NaT\)"):
        read_forecast(tmp_path / "holed.nc")
