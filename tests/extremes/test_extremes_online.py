"""Events of forecasts that are not stored, against those of stored ones."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, forecasts

from weatherml.errors import UserError
from weatherml.extremes import verdict
from weatherml.extremes.objects import label, properties
from weatherml.extremes.online import MembersInTime, Watch, members_of
from weatherml.extremes.thresholds import efi
from weatherml.extremes.tracks.members import each_member
from weatherml.grid import LatLonGrid
from weatherml.verification import OnlineForecast, accumulate
from weatherml.verification.metrics.registry import find

N_MEMBERS = 5


@pytest.fixture(scope="module")
def forecast():
    return forecasts(n_init=2, n_lead=4, n_members=N_MEMBERS)


@pytest.fixture(scope="module")
def truth():
    return analyses()


@pytest.fixture
def online(forecast):
    """The forecast as a forecaster makes it: some leads of some members at a time."""

    def make(init_times):
        for init in init_times:
            for numbers in ([3, 4], [0], [1, 2]):
                for leads in (slice(2, 4), slice(0, 2)):
                    yield forecast.sel(init_time=[init]).isel(number=numbers, lead_time=leads)

    return OnlineForecast(make, forecast["init_time"].values, forecast["lead_time"].values, N_MEMBERS)


PROBABILITIES = [0.01, 0.25, 0.5, 0.75, 0.99]


@pytest.fixture(scope="module")
def index(truth):
    """The extreme forecast index of the temperature, against quantiles of the analyses."""
    own = truth[["2m_temperature"]].quantile(PROBABILITIES, "time").astype(np.float32)
    own["2m_temperature"].attrs = truth["2m_temperature"].attrs
    climate = own.assign_attrs(climate="analyses of a week")
    return lambda block: efi(block[["2m_temperature"]], climate)


def objects(member):
    """A table of the objects of a member that are warm."""
    warm = member.fields["2m_temperature"].values > 1
    grid = LatLonGrid.from_dataset(member.fields)
    return properties(label(warm, grid), grid, member.fields["2m_temperature"].values, member.fields["time"].values)


def quantiles(block):
    """Ensemble quantiles of the temperature: what an extreme forecast index is made of."""
    return block[["2m_temperature"]].quantile([0.1, 0.5, 0.9], "number")


def warmest(member):
    """One number of a member through time."""
    return member.init_time, member.number, float(member.fields["2m_temperature"].max())


def test_what_is_asked_of_leads_and_members_is_that_of_the_stored_forecast(online, forecast):
    watch = Watch(online, {"quantiles": quantiles}, {"warmest": warmest}).run()
    stored = quantiles(forecast).transpose("init_time", "lead_time", ...)
    xr.testing.assert_allclose(watch.leads("quantiles").transpose(*stored["2m_temperature"].dims), stored)
    assert watch.members("warmest") == [warmest(member) for member in each_member(forecast)]


def test_a_watched_forecast_keeps_its_name_and_members_are_told(online, forecast):
    watch = Watch(replace(online, name="mine"), of_members={"warmest": warmest})
    assert watch.watched().name == "mine"
    found = watch.run().members("warmest")
    assert [own[:2] for own in found] == watch.whose("warmest")
    with pytest.raises(UserError, match="nothing is known of 'coldest' yet"):
        watch.whose("coldest")


def test_an_index_of_extremes_and_objects_are_those_of_the_stored_forecast(online, forecast, index):
    watch = Watch(online, {"efi": index}, {"objects": objects}).run()
    stored = index(forecast).compute()
    xr.testing.assert_allclose(watch.leads("efi").transpose(*stored["2m_temperature"].dims), stored)
    expected = list(map(objects, each_member(forecast)))
    assert sum(len(own["area"]) for own in expected) > 10
    for own, other in zip(watch.members("objects"), expected, strict=True):
        xr.testing.assert_identical(own, other)


def test_a_forecast_is_judged_and_watched_in_one_pass(online, forecast, truth):
    metrics = {"brier": find("brier(threshold=0.5)")}
    watch = Watch(online, {"quantiles": quantiles}, {"warmest": warmest})
    sums = accumulate(watch.watched(), truth, metrics)
    xr.testing.assert_allclose(sums.dataset, accumulate(forecast, truth, metrics).dataset)
    assert len(watch.members("warmest")) == 2 * N_MEMBERS
    assert watch.leads("quantiles").sizes["lead_time"] == 4


def test_exceedance_of_a_threshold_by_place_is_judged_as_it_is_made(online, forecast, truth):
    threshold = truth.isel(time=0, drop=True) * 0 + 0.3
    xr.testing.assert_allclose(
        verdict(online, truth, threshold, base_rate=0.4), verdict(forecast, truth, threshold, base_rate=0.4)
    )


def test_no_more_of_a_member_waits_than_is_kept(online):
    kept = lambda piece: piece[["2m_temperature"]].isel(latitude=slice(0, 2))  # noqa: E731
    one = 4 * 2 * 12  # bytes of a lead
    small = OnlineForecast(online.make, online.init_times, online.lead_times, N_MEMBERS, memory=2 * 2 * (2 * one + 300))
    assert all(set(own.fields.data_vars) == {"2m_temperature"} for own in members_of(small, kept))
    with pytest.raises(UserError, match=r"members that wait for their last lead take more than .* memory="):
        list(members_of(small))


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        ([{"lead_time": slice(0, 3)}], "number 0, ended without lead 24h"),
        ([{"lead_time": slice(0, 2)}, {"lead_time": slice(1, 4)}], "brought lead 12h twice"),
    ],
)
def test_members_that_lack_leads_or_bring_them_twice_are_one_line(forecast, pieces, told):
    gathering = MembersInTime(forecast["lead_time"].values)
    with pytest.raises(UserError, match=told):
        for own in pieces:
            list(gathering.take(forecast.isel(init_time=[0]).isel(own)))
        gathering.finish()
    with pytest.raises(UserError, match="nothing is known of 'quantiles' yet"):
        Watch(OnlineForecast(iter, np.array([]), np.array([]), 1), {"quantiles": quantiles}).leads("quantiles")
