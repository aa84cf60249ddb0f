"""Which members are judged: with the control or without, the same at all times."""

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, forecasts

from weatherml.errors import UserError
from weatherml.verification import StatisticSums, accumulate, evaluate

T2M = {"2m_temperature": ()}


@pytest.fixture(scope="module")
def truth():
    return analyses(T2M)


@pytest.fixture(scope="module")
def ensemble():
    return forecasts(T2M, n_members=5, n_init=2)


def test_without_the_control_the_others_are_judged_alone(truth, ensemble):
    found = evaluate(ensemble, truth, ["rmse", "crps_fair"], control="out")
    expected = evaluate(ensemble.isel(number=slice(1, None)), truth, ["rmse", "crps_fair"])
    xr.testing.assert_equal(found, expected)
    assert (found.attrs["n_members"], found.attrs["control"]) == (4, "out")


def test_scores_say_whether_number_0_is_in(truth, ensemble):
    whole = evaluate(ensemble, truth, "rmse")
    assert (whole.attrs["n_members"], whole.attrs["control"]) == (5, "in")
    others = evaluate(ensemble.isel(number=slice(1, None)), truth, "rmse")
    assert others.attrs["n_members"] == 4
    assert "control" not in others.attrs


def test_what_scores_are_of_is_kept_in_the_file_of_sums(truth, ensemble, tmp_path):
    accumulate(ensemble, truth, "rmse", control="out").save(tmp_path / "sums.nc")
    assert StatisticSums.load(tmp_path / "sums.nc").dataset.attrs == {"n_members": 4, "control": "out"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.isel(number=slice(1, 3)), "has no number 0, which a control would be, only 1, 2; pass"),
        (lambda f: f.isel(number=1, drop=True), "has no number 0, which a control would be, only none; pass"),
        (lambda f: f.isel(number=[0]), "without its control the forecast has no member left; pass control='in'"),
    ],
)
def test_a_control_that_is_not_there_cannot_be_left_out(truth, ensemble, change, message):
    with pytest.raises(UserError, match=message):
        evaluate(change(ensemble), truth, "rmse", control="out")


def test_parts_are_of_the_same_members(truth, ensemble):
    parts = [accumulate(ensemble.isel(init_time=[i]), truth, "rmse", control=c) for i, c in ((0, "in"), (1, "out"))]
    with pytest.raises(UserError, match="parts of one sum were judged with control in and out; judge all init times"):
        StatisticSums.total(parts)
    few = accumulate(ensemble.isel(init_time=[1], number=slice(3)), truth, "rmse")
    with pytest.raises(UserError, match="parts of one sum were judged with n_members 5 and 3"):
        StatisticSums.total([parts[0], few])


def test_a_member_that_some_times_lack_is_named(truth, ensemble):
    fewer = ensemble.where((ensemble.number != 3) | (ensemble.init_time == ensemble.init_time[0]))
    with pytest.raises(UserError, match="number 3 of the forecast of 2m_temperature valid at 2001-01-02T06:00 is NaN"):
        evaluate(fewer, truth, "rmse")
    kept = fewer.sel(number=[0, 1, 2, 4])
    assert np.isfinite(evaluate(kept, truth, "mse")["mse"].sel(bound="estimate")).all()
