"""Several systems are judged on what all have, and what is kept of them is not read again."""

import numpy as np
import pytest
from fake_data import analyses, forecasts

from weatherml.errors import UserError
from weatherml.verification import evaluate, evaluate_systems
from weatherml.verification.systems import accumulate_systems, load_systems, save_systems, summarize_systems

SURFACE = {"2m_temperature": ()}


@pytest.fixture(scope="module")
def truth():
    return analyses(times=60)


@pytest.fixture(scope="module")
def systems():
    """Return two systems; the second has members, fewer leads, one channel, and starts two days later."""
    return {
        "one": forecasts(n_init=6, seed=1),
        "many": forecasts(SURFACE, n_init=6, n_lead=2, n_members=5, start="2001-01-03", seed=2),
    }


def test_systems_are_judged_on_the_init_times_that_all_have(truth, systems):
    scores = evaluate_systems(systems, truth, ["rmse", "spread"])
    assert scores["system"].values.tolist() == ["one", "many"] and scores["n_members"].values.tolist() == [1, 5]
    assert scores.attrs["n_init_times"] == 4
    alone = evaluate(systems["one"].isel(init_time=slice(2, 6)), truth, "rmse")["rmse"]
    np.testing.assert_array_equal(scores["rmse"].sel(system="one").transpose(*alone.dims), alone)
    assert scores["channel"].values.tolist() == alone["channel"].values.tolist()


def test_what_a_system_lacks_is_nan(truth, systems):
    scores = evaluate_systems(systems, truth, ["rmse", "spread"]).sel(bound="estimate")
    assert scores["spread"].sel(system="one").isnull().all()
    many = scores["rmse"].sel(system="many").notnull()
    assert many.any("lead_time").values.tolist() == [False, False, True]
    assert many.any("channel").values.tolist() == [True, True, False]


def test_systems_without_common_init_times_are_refused(truth, systems):
    late = systems | {"late": forecasts(start="2001-01-09")}
    with pytest.raises(
        UserError, match=r"no init time in common: one has 2001-01-01T00:00 \.\. 2001-01-06T00:00, many"
    ):
        evaluate_systems(late, truth)


def test_a_metric_of_members_that_no_system_can_have_is_refused(truth, systems):
    with pytest.raises(UserError, match="'spread' needs an ensemble"):
        evaluate_systems({"one": systems["one"]}, truth, "spread")


def test_sums_that_were_kept_are_extended_and_not_taken_again(truth, systems, tmp_path):
    first = {"one": systems["one"].isel(init_time=slice(0, 4))}
    request = {"truth": "t.zarr"}
    save_systems(tmp_path / "sums.nc", accumulate_systems(first, truth, "rmse"), request)
    kept = load_systems(tmp_path / "sums.nc", request)
    judged = []
    whole = {"one": systems["one"]}
    sums = accumulate_systems(
        whole, truth, "rmse", progress=lambda done, all_, _: judged.append((done, all_)), earlier=kept
    )
    assert judged == [(1, 2), (2, 2)]
    expected = evaluate_systems(whole, truth, "rmse")
    np.testing.assert_allclose(summarize_systems(sums, "rmse")["rmse"], expected["rmse"], rtol=1e-12)


def test_another_metric_is_taken_of_all(truth, systems):
    one = {"one": systems["one"]}
    kept = accumulate_systems(one, truth, "rmse")
    sums = accumulate_systems(one, truth, "mae", earlier=kept)
    expected = evaluate_systems(one, truth, "mae")["mae"]
    np.testing.assert_array_equal(summarize_systems(sums, "mae")["mae"], expected)


def test_sums_of_something_else_are_refused(truth, systems, tmp_path):
    path = tmp_path / "sums.nc"
    save_systems(path, accumulate_systems({"one": systems["one"]}, truth, "rmse"), {"truth": "a.zarr"})
    with pytest.raises(UserError, match="made with truth 'a.zarr', not 'b.zarr'; choose a new file"):
        load_systems(path, {"truth": "b.zarr"})
    (tmp_path / "text.nc").write_text("none")
    with pytest.raises(UserError, match=r"text\.nc holds no sums"):
        load_systems(tmp_path / "text.nc", {})
