"""Ensembles of analyses of other times: which ones, and that they are read where they are read."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fake_data import analyses

from weatherml.errors import UserError
from weatherml.verification import evaluate
from weatherml.verification.baselines import climatological_ensemble, persistence_ensemble

FIELDS = {"geopotential": (500, 850), "2m_temperature": ()}
LEADS = np.array([12, 36], "timedelta64[h]").astype("timedelta64[ns]")
INITS = np.array(["2004-12-30T12", "2004-02-28T00"], "datetime64[ns]")
YEARS = [2001, 2002, 2003, 2005]  # without those that are judged


def _twelve_hourly(first, last):
    times = np.arange(np.datetime64(first), np.datetime64(last), np.timedelta64(12, "h"))
    made = analyses({"2m_temperature": ()}, times=times.astype("datetime64[ns]"))
    return made.isel(latitude=slice(0, 3), longitude=slice(0, 4))


@pytest.fixture(scope="module")
def truth():
    """Six years, twelve-hourly."""
    return _twelve_hourly("2001", "2006-06")


@pytest.fixture(scope="module")
def drawn(truth):
    return climatological_ensemble(truth, INITS, LEADS, window_days=3)


def _within_the_year(valid, year, offset):
    """The day and hour of a valid time in another year, so many days away, around the year's ends."""
    valid, first = pd.Timestamp(valid), pd.Timestamp(year=year, month=1, day=1)
    since = valid - pd.Timestamp(year=valid.year, month=1, day=1) + pd.Timedelta(days=offset)
    return first + since % (pd.Timestamp(year=year + 1, month=1, day=1) - first)


def test_members_are_the_analyses_around_the_date_in_other_years(truth, drawn):
    for i, lead in np.ndindex(2, 2):
        wanted = [_within_the_year(INITS[i] + LEADS[lead], year, d) for year in YEARS[:3] for d in (-1, 0, 1)]
        expected = truth["2m_temperature"].sel(time=wanted).values
        np.testing.assert_array_equal(drawn["2m_temperature"][i, lead].values, expected)
    assert drawn["2m_temperature"].dims == ("init_time", "lead_time", "number", "latitude", "longitude")


def test_a_window_at_new_year_goes_on_at_the_other_end_of_the_same_year(truth):
    ensemble = climatological_ensemble(
        truth, INITS[:1], LEADS[:1], window_days=5
    )  # valid on the 366th day, which is the first
    own = truth["2m_temperature"].sel(time=["2001-12-30", "2001-12-31", "2001-01-01", "2001-01-02", "2001-01-03"])
    np.testing.assert_array_equal(ensemble["2m_temperature"][0, 0, :5].values, own.values)


def test_years_that_are_judged_lend_no_members(truth):
    marked = truth.copy(data={"2m_temperature": truth["2m_temperature"].copy(deep=True)})
    marked["2m_temperature"].loc[{"time": slice("2004", "2005")}] = np.nan
    ensemble = climatological_ensemble(marked, INITS, np.append(LEADS, np.timedelta64(60, "h")), window_days=3)
    assert ensemble.sizes["number"] == 3 * 3
    assert np.isfinite(ensemble["2m_temperature"].values).all()


def test_no_member_is_of_after_the_initial_time(truth):
    marked = truth.copy(data={"2m_temperature": truth["2m_temperature"].copy(deep=True)})
    marked["2m_temperature"].loc[{"time": "2002"}] = np.nan
    init, leads = np.array(["2002-12-28"], "datetime64[ns]"), LEADS[:1] * 2 * np.array([6, 7])
    ensemble = climatological_ensemble(marked, init, leads, window_days=11)  # valid from 3 January on
    assert ensemble.sizes["number"] == 11 * 3  # 2001, 2004 and 2005; of 2006 December is not there
    assert np.isfinite(ensemble["2m_temperature"].values).all()
    with pytest.raises(UserError, match=r"a forecast reaches over 2002-12-28T00:00, in the period 2001 \.\. 2002"):
        climatological_ensemble(truth, init, leads[-1:], ("2001", "2002"))


def test_a_remedy_is_named_where_it_exists(truth):
    with pytest.raises(UserError) as refused:
        climatological_ensemble(truth.sel(time="2004"), INITS, LEADS)
    assert "window_days" in str(refused.value) and "window_days" not in refused.value.told(lambda option: "")


def test_a_number_of_members_is_spread_over_years_and_days(truth, drawn):
    some = climatological_ensemble(truth, INITS, LEADS, window_days=3, members=3)
    np.testing.assert_array_equal(some["2m_temperature"], drawn["2m_temperature"].isel(number=[1, 4, 7]))


def test_without_seasons_members_are_of_the_hour_and_of_any_date(truth):
    period = ("2001-01-01", "2001-01-06")
    ensemble = climatological_ensemble(truth, INITS, LEADS, period, window_days=None)
    for i, lead in np.ndindex(2, 2):
        valid = pd.Timestamp(INITS[i] + LEADS[lead])
        days = pd.date_range("2001-01-01", "2001-01-06") + pd.Timedelta(hours=valid.hour)
        np.testing.assert_array_equal(ensemble["2m_temperature"][i, lead], truth["2m_temperature"].sel(time=days))


def test_an_ensemble_of_the_last_days_has_the_hour_of_the_valid_time(truth):
    leads = np.array([12, 24, 84], "timedelta64[h]").astype("timedelta64[ns]")
    ensemble = persistence_ensemble(truth, ["2003-03-10T12"], leads, members=3)
    for lead, hour in enumerate((0, 12, 0)):
        days = [f"2003-03-{day:02d}T{hour:02d}" for day in (10, 9, 8)]
        own = truth["2m_temperature"].sel(time=np.array(days, "datetime64[ns]"))
        np.testing.assert_array_equal(ensemble["2m_temperature"][0, lead], own)


def test_a_reliable_ensemble_is_drawn_from_the_climate(truth):
    inits = np.arange("2004-01-05", "2004-06-01", 5, "datetime64[D]").astype("datetime64[ns]")
    scores = evaluate(climatological_ensemble(truth, inits, LEADS), truth, ["spread_skill", "crps_fair", "rmse"])
    assert scores["spread_skill"].sel(bound="estimate").values == pytest.approx(1, abs=0.1)
    noise = scores["crps_fair"].sel(bound="estimate").values  # of a normal distribution of unit variance
    assert noise == pytest.approx(1 / np.sqrt(np.pi), abs=0.05)


def test_what_is_read_is_read_from_the_store_where_it_is_read(tmp_path):
    truth = analyses(FIELDS, times=40)
    truth.to_zarr(tmp_path / "truth.zarr", consolidated=False)
    stored = xr.open_zarr(tmp_path / "truth.zarr", chunks=None, consolidated=False)
    times = (truth["time"].values[28:32:2], LEADS / 2)
    whole = persistence_ensemble(truth, *times, members=4)
    lazy = persistence_ensemble(stored, *times, members=4)
    assert not lazy["geopotential"].variable._in_memory
    part = {"init_time": 1, "lead_time": slice(1, 2), "number": [0, 3], "level": 1, "longitude": slice(2, 5)}
    xr.testing.assert_identical(lazy["geopotential"].isel(part).load(), whole["geopotential"].isel(part).load())
    xr.testing.assert_identical(lazy.load(), whole.load())


def test_a_block_is_read_once_though_members_share_analyses(truth):
    asked = []

    class Counted(np.ndarray):
        def __getitem__(self, key):
            asked.append(key)
            return super().__getitem__(key)

    dense = truth.copy(data={"2m_temperature": truth["2m_temperature"].values.view(Counted)})
    leads = np.arange(1, 9) * np.timedelta64(24, "h").astype("timedelta64[ns]")
    forecast = climatological_ensemble(dense, INITS[1:], leads, window_days=5)
    asked.clear()
    forecast["2m_temperature"].isel(init_time=0).load()
    read = sum(len(np.arange(truth.sizes["time"])[key[0] if isinstance(key, tuple) else key]) for key in asked[:1])
    assert read == 5 * (8 + 4)  # of 200: five years, and the days of all leads with two before and after


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window_days": 4}, "a window of 4 days has no middle; choose an odd number, such as 11"),
        (
            {"period": ("2003", "2004-03")},
            "a forecast reaches over 2004-02-28T00:00, in the period 2003 .. 2004-03 from which",
        ),
        (
            {"period": ("2002-03-15", "2003-12-31")},
            r"needs 2 years or more.*in 2002-03-15 \.\. 2003-12-31 has 1,.*2002; pass more.* window_days=None",
        ),
        (
            {"members": 80},
            "a climatological ensemble of 80 members cannot be made of 33 analyses; pass members=33 or fewer",
        ),
        ({"window_days": None, "period": ("2001-01-01", "2001-01-01")}, "needs 2 days or more; .* has 1: pass more"),
    ],
)
def test_a_climate_of_another_period_is_said_in_one_line(truth, options, message):
    with pytest.raises(UserError, match=message):
        climatological_ensemble(truth, INITS, LEADS, **options)


def test_hours_that_the_truth_has_not_are_said_in_one_line(truth):
    with pytest.raises(
        UserError, match=r"no analysis is of the hour of .* 2004-02-28T06:00, 06:00, only of 00:00, 12:00"
    ):
        climatological_ensemble(truth, INITS, LEADS // 2)
    with pytest.raises(UserError, match="the truth has no time 2000-12-31T00:00"):
        persistence_ensemble(truth, ["2001-01-03T12"], LEADS, members=5)
