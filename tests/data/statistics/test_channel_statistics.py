import numpy as np
import pytest
from fake_data import analyses

from weatherml.data.statistics.channel_statistics import (
    Statistics,
    compute_statistics,
    require_current,
    require_disjoint,
)
from weatherml.data.statistics.climatology import Climatology
from weatherml.data.statistics.engine import streaming
from weatherml.errors import UserError
from weatherml.state import spec_of, to_array

PERIOD = ("2001", "2001")


def gappy():
    """Two stretches of 6-hourly times with days between, a mask, and unlike channels."""
    dataset = analyses(times=41).isel(time=np.r_[0:17, 23:41])
    dataset["geopotential"] = dataset["geopotential"] * 1e3 + 5e5
    dataset["2m_temperature"][:, :2, 5:] = np.nan
    return dataset


def brute_force(array, areas):
    """Mean and standard deviation of `array` [time, lat, lon] over the cells that are not NaN."""
    weights = np.broadcast_to(areas[:, None], array.shape) * np.isfinite(array)
    mean = np.nansum(weights * array) / weights.sum()
    return mean, np.sqrt(np.nansum(weights * (array - mean) ** 2) / weights.sum())


@pytest.fixture(params=[1, 4, 100], ids="{}-times-a-block".format)
def times_a_block(request, monkeypatch):
    monkeypatch.setattr(streaming, "_BLOCK_TIMES", request.param)
    monkeypatch.setattr(streaming, "_BLOCK_BYTES", 1)


@pytest.mark.usefixtures("times_a_block")
@pytest.mark.parametrize("of_anomalies", [False, True])
def test_statistics_are_area_weighted_over_valid_cells(of_anomalies):
    dataset = gappy()
    spec, times = spec_of(dataset), dataset["time"].values
    climatology = Climatology.fit(dataset, spec, PERIOD, 0, 1) if of_anomalies else None
    statistics = compute_statistics(dataset, spec, PERIOD, climatology)
    array = to_array(dataset, spec).astype(float)
    if climatology is not None:
        array -= np.einsum("tk,kcyx->tcyx", climatology.harmonics.at(times), climatology.coefficients.astype(float))
    differences = np.delete(np.diff(array, axis=0), 16, axis=0)  # not across the gap
    areas = spec.grid.cell_areas()
    for channel in range(3):
        mean, std = brute_force(array[:, channel], areas)
        assert statistics.mean[channel] == pytest.approx(mean, rel=1e-5, abs=1e-6)
        assert statistics.std[channel] == pytest.approx(std, rel=1e-5)
        assert statistics.difference_std[channel] == pytest.approx(
            brute_force(differences[:, channel], areas)[1], rel=1e-5
        )


@pytest.mark.usefixtures("times_a_block")
def test_changes_over_a_longer_step_are_taken_from_every_time():
    dataset = gappy().isel(time=slice(0, 17))
    spec = spec_of(dataset, ["z850", "t2m"])
    statistics = compute_statistics(dataset, spec, PERIOD, time_step=np.timedelta64(18, "h"))
    array = to_array(dataset, spec).astype(float)
    assert statistics.time_step == np.timedelta64(18, "h")
    np.testing.assert_allclose(statistics.std, compute_statistics(dataset, spec, PERIOD).std)
    for channel, found in enumerate(statistics.difference_std):
        expected = brute_force((array[3:] - array[:-3])[:, channel], spec.grid.cell_areas())[1]
        assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("of_anomalies", [False, True])
def test_a_step_that_no_two_times_are_apart_is_named(of_anomalies):
    dataset = analyses(times=3).isel(time=[0, 1])
    spec, step = spec_of(dataset), np.timedelta64(12, "h")
    climatology = Climatology.fit(dataset, spec, PERIOD, 1, 0) if of_anomalies else None
    with pytest.raises(UserError, match="no two of the 2 times of the period lie a time_step of 12 h apart"):
        compute_statistics(dataset, spec, PERIOD, climatology, step)


@pytest.mark.parametrize("hours", [3, 9, 15])
def test_a_step_that_is_no_multiple_of_the_datas_is_refused(hours):
    with pytest.raises(UserError, match=f"time_step of {hours} h is no multiple of the data's 6 h"):
        compute_statistics(gappy(), spec_of(gappy()), PERIOD, time_step=np.timedelta64(hours, "h"))


def test_valid_cells_are_those_with_data():
    statistics = compute_statistics(gappy(), spec_of(gappy()), PERIOD)
    assert statistics.valid[:2].all()
    assert not statistics.valid[2, :2, 5:].any()
    assert statistics.valid[2].sum() == 7 * 12 - 2 * 7


def test_statistics_record_their_period_step_and_number_of_times():
    statistics = compute_statistics(gappy(), spec_of(gappy()), ("2001-01-01", "2001-01-04"))
    assert statistics.period == ("2001-01-01", "2001-01-04")
    assert (statistics.time_step, statistics.n_times) == (np.timedelta64(6, "h"), 16)


def test_only_the_period_is_looked_at():
    later = gappy()
    later["geopotential"][17:] *= 2
    both = [compute_statistics(d, spec_of(d), ("2001-01-01", "2001-01-05T00:00")) for d in (gappy(), later)]
    np.testing.assert_array_equal(both[0].std, both[1].std)


def test_a_test_period_may_not_touch_the_training_period():
    statistics = compute_statistics(gappy(), spec_of(gappy()), ("2001-01", "2001-06"))
    require_disjoint(statistics, ("2001-07-01", "2001-12"))
    with pytest.raises(UserError, match=r"test period 2001-06-30 \.\. 2002 overlaps the training period"):
        require_disjoint(statistics, ("2001-06-30", "2002"))


@pytest.mark.usefixtures("times_a_block")
def test_a_mask_that_changes_is_refused_by_channel_and_time():
    dataset = gappy()
    dataset["geopotential"][19, 1, 4, 4] = np.nan
    with pytest.raises(UserError, match="geopotential_850 has other missing cells at 2001-01-07T06:00"):
        compute_statistics(dataset, spec_of(dataset), PERIOD)


def test_a_channel_without_data_is_refused():
    dataset = gappy()
    dataset["2m_temperature"][:] = np.nan
    with pytest.raises(UserError, match="2m_temperature holds no data"):
        compute_statistics(dataset, spec_of(dataset), PERIOD)


def test_a_channel_that_does_not_vary_is_refused():
    dataset = gappy()
    dataset["2m_temperature"][:] = 280
    with pytest.raises(UserError, match="2m_temperature does not vary"):
        compute_statistics(dataset, spec_of(dataset), PERIOD)


def test_what_is_saved_is_loaded(tmp_path):
    statistics = compute_statistics(gappy(), spec_of(gappy(), ["t2m", "z500"]), ("2001", "2001-03"))
    statistics.save(tmp_path / "statistics.nc")
    loaded = Statistics.load(tmp_path / "statistics.nc")
    for name in ("spec", "time_step", "period", "n_times"):
        assert getattr(loaded, name) == getattr(statistics, name)
    for name in ("mean", "std", "difference_std", "valid"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(statistics, name), strict=True)


def test_a_file_of_something_else_is_refused(tmp_path):
    gappy().to_netcdf(tmp_path / "analyses.nc")
    with pytest.raises(UserError, match=r"analyses\.nc holds no statistics"):
        Statistics.load(tmp_path / "analyses.nc")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spec": spec_of(gappy(), ["t2m"])}, "is of the channels .*, not 2m_temperature; delete it"),
        ({"spec": spec_of(gappy().isel(latitude=slice(3)))}, "is of another grid, 7 x 12, than the data's 3 x 12"),
        ({"time_step": np.timedelta64(12, "h")}, "is of steps of 6 h, not 12 h"),
        ({"period": ("2001", "2002")}, r"is of the period 2001 \.\. 2001, not 2001 \.\. 2002"),
        (
            {"dataset": gappy().isel(time=slice(9))},
            "is of 35 times of the training period, of which the store now has 9",
        ),
    ],
    ids=["channels", "grid", "step", "period", "times"],
)
def test_statistics_of_something_else_are_refused(changes, message):
    dataset = gappy()
    statistics = compute_statistics(dataset, spec_of(dataset), PERIOD)
    told = {"dataset": dataset, "spec": spec_of(dataset), "time_step": np.timedelta64(6, "h"), "period": PERIOD}
    require_current(statistics, **told)
    with pytest.raises(UserError, match=message):
        require_current(statistics, **{**told, **changes})
