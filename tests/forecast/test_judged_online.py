"""Forecasts judged as they are made: the sums are those of the stored forecast, and no member is kept."""

import numpy as np
import pytest
import xarray as xr
from tiny_forecast import SPEC, TIME_STEP, TIMES, make_climatology

from weatherml.config import from_mapping
from weatherml.errors import UserError
from weatherml.forecast import ForecastConfig
from weatherml.forecast.plan import batches
from weatherml.storage.share import Share
from weatherml.verification import Campaign, OnlineForecast, accumulate, evaluate
from weatherml.verification.campaign.kept import KeptSums

METRICS = ["rmse", "crps_fair", "spread_skill", "acc"]
INIT_TIMES = TIMES[:3]
ROUNDING = 2e-5
"""Of a climatology in float32, which is asked for other times at once, relative to anomalies."""
LEAD_TIMES = np.arange(1, 5) * TIME_STEP


def config(**changes):
    asked = {"lead_time": "24h", "members": 5, "perturbation": "spherical", "batch": 2}
    return from_mapping(ForecastConfig, asked | changes, "")


@pytest.fixture(scope="module")
def climatology():
    return make_climatology()


@pytest.fixture(scope="module")
def stored(forecaster, analysis):
    return forecaster.run(analysis, INIT_TIMES, config())


@pytest.fixture(scope="module")
def offline(stored, analysis, climatology):
    return accumulate(stored, analysis, METRICS, climatology, regions=["global", "tropics"])


@pytest.fixture
def asked_for():
    return []


@pytest.fixture
def judge(stored, analysis, climatology, asked_for, monkeypatch):
    """Judge pieces as `iterate` makes them, of two members and two leads."""
    monkeypatch.setattr(batches, "CHUNK_BYTES", 4 * 2 * 2 * int(np.prod(SPEC.shape)))

    def judge(make, memory=2**20, name="new", **campaign):
        def noting(init_times):
            asked_for.extend(init_times)
            yield from make(init_times)

        online = OnlineForecast(noting, INIT_TIMES, LEAD_TIMES, 5, memory, name)
        how = Campaign(**campaign)
        return accumulate(online, analysis, METRICS, climatology, regions=["global", "tropics"], campaign=how)

    return judge


@pytest.fixture
def pieces(forecaster, analysis):
    return lambda init_times: forecaster.iterate(analysis, init_times, config())


def parts_of(stored):
    """Return pieces of a forecast that is there already."""

    def make(init_times):
        for init_time in init_times:
            for numbers in ([0, 1], [2, 3], [4]):
                for leads in (slice(0, 3), slice(3, 4)):
                    yield stored.sel(init_time=[init_time]).isel(number=numbers, lead_time=leads)

    return make


def test_a_forecast_judged_as_it_is_made_scores_as_stored(judge, pieces, offline, tmp_path, asked_for):
    online = judge(pieces, folder=tmp_path)
    xr.testing.assert_allclose(online.dataset, offline.dataset, rtol=ROUNDING)
    assert online.dataset.attrs == offline.dataset.attrs
    assert asked_for == list(INIT_TIMES)


def test_what_was_judged_is_not_made_again(judge, stored, offline, tmp_path, asked_for):
    def killed(init_times):
        for piece in parts_of(stored)(init_times):
            if piece["init_time"].values[0] == INIT_TIMES[1] and 2 in piece["number"]:
                raise KeyboardInterrupt
            yield piece

    with pytest.raises(KeyboardInterrupt):
        judge(killed, folder=tmp_path)
    xr.testing.assert_allclose(KeptSums.load(tmp_path).dataset, offline.dataset.isel(init_time=[0]), rtol=ROUNDING)
    asked_for.clear()
    xr.testing.assert_allclose(judge(parts_of(stored), folder=tmp_path).dataset, offline.dataset, rtol=ROUNDING)
    assert asked_for == list(INIT_TIMES[1:])


def test_shares_of_initial_times_are_made_apart(judge, stored, offline, tmp_path, asked_for):
    for index in (1, 0):
        judge(parts_of(stored), folder=tmp_path, share=Share(index, 2))
    assert asked_for == [INIT_TIMES[1], INIT_TIMES[0], INIT_TIMES[2]]
    xr.testing.assert_allclose(KeptSums.load(tmp_path).dataset, offline.dataset, rtol=ROUNDING)


def test_a_stored_forecast_may_go_on_where_an_online_one_ended(judge, stored, analysis, climatology, tmp_path):
    judge(parts_of(stored), folder=tmp_path, share=Share(0, 2))
    how = {"regions": ["global", "tropics"], "campaign": Campaign(tmp_path)}
    assert np.isfinite(evaluate(stored, analysis, METRICS, climatology, **how)["rmse"].sel(bound="estimate")).all()
    with pytest.raises(UserError, match="forecast from 2020-02-27T00:00 is another than the one whose sums"):
        evaluate(stored * 1.01, analysis, METRICS, climatology, **how)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("other", "keeps sums of 'new', not of 'other'; choose another"),
        ("", r"name it with OnlineForecast\(\.\.\., name"),
    ],
)
def test_a_folder_of_what_is_not_stored_is_of_one_system_by_its_name(judge, stored, tmp_path, name, message):
    judge(parts_of(stored), folder=tmp_path)
    with pytest.raises(UserError, match=message):
        judge(parts_of(stored * 1.01), folder=tmp_path, name=name)


def test_a_system_that_is_not_stored_is_not_told_to_be_a_stored_one(judge, stored, analysis, climatology, tmp_path):
    how = {"regions": ["global", "tropics"], "campaign": Campaign(tmp_path)}
    accumulate(stored.isel(init_time=[0]), analysis, METRICS, climatology, **how)
    with pytest.raises(UserError, match="keeps sums of a stored forecast, not of 'new'; choose another folder"):
        judge(parts_of(stored), folder=tmp_path)


def test_members_that_wait_are_bounded(judge, stored):
    held = sum(field.isel(init_time=0, lead_time=0, number=0).nbytes for field in stored.data_vars.values())
    with pytest.raises(UserError, match=r"2 members of 5 come at a time, and those that wait .* batch=5 .*memory="):
        judge(parts_of(stored), memory=4 * 4 * held - 1)
    whole = lambda init_times: (stored.sel(init_time=[own]) for own in init_times)  # noqa: E731
    judge(whole, memory=0)


@pytest.mark.parametrize(
    ("lacking", "message"),
    [
        ({"number": slice(0, 4)}, "from 2020-02-27T00:00 ended with 4 members of 5; make all of them"),
        ({"lead_time": slice(0, 3)}, "from 2020-02-27T00:00 ended without lead 24h; make all of 4 leads"),
    ],
)
def test_a_forecast_that_ends_early_is_no_score(judge, stored, lacking, message):
    with pytest.raises(UserError, match=message):
        judge(lambda init_times: (stored.sel(init_time=[own]).isel(lacking) for own in init_times))


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        (
            [{"number": [0, 1]}, {"number": [0, 2, 3]}],
            "from 2020-02-27T00:00 brought number 0 twice; make each lead of",
        ),
        ([{"number": [0, 1, 1, 2, 3]}], "from 2020-02-27T00:00 brought number 1 twice"),
        (
            [{"lead_time": [0, 1]}, {"lead_time": [1, 2]}],
            "from 2020-02-27T00:00 brought lead 12h twice; make each lead",
        ),
        (
            [{"lead_time": [0, 1]}, {"lead_time": [3]}],
            "from 2020-02-27T00:00 ended without lead 18h; make all of 4 leads",
        ),
        ([{"lead_time": [0]}, {"lead_time": [1], "number": [0, 1, 2, 3, 3]}], "brought number 3 twice"),
        ([{}, {}], "from 2020-02-27T00:00 came again when it was whole; make each initial time that is asked for once"),
    ],
)
def test_what_comes_twice_is_no_other_member_or_lead(judge, stored, pieces, message):
    def make(init_times):
        return (stored.isel(init_time=[0], **piece) for piece in pieces)

    with pytest.raises(UserError, match=message):
        judge(make)


def test_all_leads_have_the_same_numbers(judge, stored):
    later = stored.isel(init_time=[0], lead_time=[1]).assign_coords(number=np.arange(1, 6))
    with pytest.raises(UserError, match="brought number 1, 2, 3, 4, 5, earlier ones 0, 1, 2, 3, 4; give all the same"):
        judge(lambda _: [stored.isel(init_time=[0], lead_time=[0]), later])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda own: own.isel(init_time=[1]), "from 2020-02-27T06:00 came and was not asked for"),
        (
            lambda own: own.isel(init_time=[0]).assign_coords(lead_time=LEAD_TIMES * 2),
            "with lead 36h, which is none of",
        ),
    ],
)
def test_what_was_not_asked_for_is_not_judged(judge, stored, analysis, climatology, change, message):
    online = OnlineForecast(lambda _: [change(stored)], INIT_TIMES[:1], LEAD_TIMES, 5)
    with pytest.raises(UserError, match=message):
        accumulate(online, analysis, METRICS, climatology)
