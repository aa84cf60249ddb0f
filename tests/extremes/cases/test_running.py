"""A case run, against the definitions of what comes of it, member by member."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fake_data import analyses, as_forecast, forecasts
from made_cases import make_case

from weatherml.errors import UserError
from weatherml.extremes.cases import scores
from weatherml.extremes.cases.running import run
from weatherml.verification import OnlineForecast

NAMES = {"n_init": 3, "n_lead": 12, "n_members": 5}


@pytest.fixture(scope="module")
def truth():
    return analyses()


@pytest.fixture(scope="module")
def forecast():
    return forecasts(**NAMES)


@pytest.fixture(scope="module")
def outcome(truth, forecast):
    systems = {"ours": forecast, "one": forecast.isel(number=2, drop=True)}
    return run(make_case(), systems, truth)


@pytest.fixture(scope="module")
def region(truth):
    """Temperatures of the region's cells, and the share of its area that each is."""
    rows, columns = [2, 3, 4], [0, 1, 2, 10, 11]
    edges = np.sin(np.radians([45, 15, -15, -45]))
    weights = np.repeat(-np.diff(edges)[:, None], 5, axis=1)
    return rows, columns, weights / weights.sum()


def test_index_and_share_are_means_over_the_area_of_the_region(outcome, forecast, region):
    rows, columns, weights = region
    cells = forecast["2m_temperature"].isel(latitude=rows, longitude=columns)
    mean = (cells * weights).sum(("latitude", "longitude")).transpose("init_time", "number", "lead_time")
    share = ((cells > 0.5) * weights).sum(("latitude", "longitude")).transpose("init_time", "number", "lead_time")
    np.testing.assert_allclose(outcome.systems["ours"].series["index"], mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(outcome.systems["ours"].series["share"], share, rtol=1e-5)


def test_what_a_member_tells_is_of_the_truth_until_it_begins_and_its_own_from_then_on(outcome, truth, forecast, region):
    rows, columns, weights = region
    init = forecast["init_time"].values[1]
    times = truth["time"].sel(time=slice("2001-01-02", "2001-01-03")).values
    own = forecast["2m_temperature"].isel(init_time=1, number=3)
    fields = [
        (truth["2m_temperature"].sel(time=at) if at <= init else own.sel(lead_time=at - init)).values for at in times
    ]
    cells = np.stack(fields)[:, rows][:, :, columns]
    share, mean = ((own * weights).sum(axis=(1, 2)) for own in (cells > 0.5, cells))
    told = outcome.systems["ours"].members.query("number == 3 and init_time == @init").iloc[0]
    hits = np.flatnonzero(share >= 0.5)
    assert told["happened"] == bool(len(hits))
    assert told["largest_share"] == pytest.approx(share.max(), rel=1e-5)
    assert (told["peak_time"], told["peak"]) == (times[mean.argmax()], pytest.approx(mean.max(), rel=1e-5))
    assert pd.isna(told["onset"]) if not len(hits) else told["onset"] == times[hits[0]]


def test_the_truth_itself_as_a_forecast_has_no_errors(truth, forecast):
    perfect = as_forecast(truth, forecast.isel(number=0, drop=True))
    outcome = run(make_case(), {"perfect": perfect}, truth)
    for name in ("onset_error", "end_error", "peak_error", "place_error"):
        np.testing.assert_allclose(scores.errors(outcome)[name], 0, atol=1e-6)
    brier = scores.event_scores(outcome)["brier"].sel(bound="estimate", system="perfect")
    assert brier.dropna("lead_time").sizes["lead_time"] == 11  # the last lead is after the period
    np.testing.assert_allclose(brier.dropna("lead_time"), 0)
    assert outcome.systems["perfect"].probability_of_happening.eq(outcome.truth.happened).all()


def test_brier_scores_are_of_shares_of_members_at_each_cell_and_time(outcome, truth, forecast, region):
    rows, columns, weights = region
    lead = forecast["lead_time"].values[3]
    chosen = {"latitude": rows, "longitude": columns}
    probability = (forecast["2m_temperature"].sel(lead_time=lead) > 0.5).mean("number").isel(chosen)
    expected = []
    for init in forecast["init_time"].values[:3]:
        if np.datetime64("2001-01-02") <= init + lead < np.datetime64("2001-01-04"):
            event = (truth["2m_temperature"].sel(time=init + lead) > 0.5).isel(chosen)
            expected.append(float((weights * (probability.sel(init_time=init).values - event.values) ** 2).sum()))
    brier = scores.event_scores(outcome)["brier"].sel(bound="estimate", system="ours", lead_time=lead)
    np.testing.assert_allclose(brier, [np.mean(expected)], rtol=1e-6)


def test_crps_of_the_index_is_the_mean_over_pairs(outcome):
    own, truth = outcome.systems["ours"].series["index"], outcome.systems["ours"].series
    lead = truth["lead_time"].values[5]
    found = []
    for init in own["init_time"].values:
        at = np.flatnonzero(outcome.stage.times == init + lead)
        if len(at):
            members = own.sel(init_time=init, lead_time=lead).values
            true = (outcome.stage.true.index[at[0]] * outcome.stage.weights).sum()
            pairs = np.abs(members[:, None] - members).sum() / (5 * 4)
            found.append(np.abs(members - true).mean() - pairs / 2)
    score = scores.index_scores(outcome).sel(system="ours", bound="estimate", lead_time=lead)
    assert float(score) == pytest.approx(np.mean(found), rel=1e-6)


def test_of_few_forecasts_no_difference_is_called_more_than_chance(outcome):
    (card,) = scores.event_differences(outcome).values()
    assert np.isfinite(card["difference"]).any() and not card["significant"].any() and not card["better"].any()
    assert np.isnan(card["p_value"]).all()
    assert np.isnan(scores.index_scores(outcome).sel(bound="lower")).all()


def test_probability_maps_are_of_cells_in_the_event_at_some_time_of_the_period(outcome, forecast, region):
    rows, columns, _ = region
    init = forecast["init_time"].values[0]
    leads = forecast["lead_time"].values
    within = (init + leads >= np.datetime64("2001-01-02")) & (init + leads < np.datetime64("2001-01-04"))
    events = forecast["2m_temperature"].sel(init_time=init).isel(lead_time=within) > 0.5
    expected = events.any("lead_time").mean("number").isel(latitude=rows, longitude=columns)
    np.testing.assert_allclose(outcome.systems["ours"].probability.sel(init_time=init), expected)


def test_a_forecast_that_is_judged_as_it_is_made_comes_out_as_stored(outcome, truth, forecast):
    def make(init_times):
        for init in init_times:
            for numbers in ([3, 4], [0], [1, 2]):
                for leads in (slice(0, 7), slice(7, 12)):
                    yield forecast.sel(init_time=[init]).isel(number=numbers, lead_time=leads)

    online = OnlineForecast(make, forecast["init_time"].values, forecast["lead_time"].values, 5)
    own, stored = run(make_case(), {"ours": online}, truth).systems["ours"], outcome.systems["ours"]
    xr.testing.assert_identical(own.series, stored.series)
    order = ["init_time", "number"]
    pd.testing.assert_frame_equal(own.members.sort_values(order, ignore_index=True), stored.members)
    xr.testing.assert_allclose(own.probability, stored.probability)
    xr.testing.assert_equal(own.sums.dataset, stored.sums.dataset)


def test_it_is_said_how_long_before_the_onset_the_event_stayed_likely(outcome):
    own = outcome.systems["ours"]
    likely = own.members.assign(happened=own.members["init_time"] > own.members["init_time"].min())
    changed = type(own)(own.series, likely, own.probability, own.sums, None)
    expected = outcome.truth.onset - own.series["init_time"].values[1]
    assert scores.first_signal(changed, outcome.truth) == expected
    assert scores.first_signal(own, outcome.truth, least=1.1) is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"period": ("2005-01-02", "2005-01-03")}, "the truth has no time in 2005-01-02 .. 2005-01-03; it covers 2001"),
        ({"period": ("2001-01-02", "2001-01-07")}, "no forecast of ours reaches over the whole period"),
        ({"region": {"latitude": 45, "longitude": 15, "radius": 10}}, "the region is empty"),
    ],
)
def test_a_case_that_nothing_can_be_said_of_is_one_line(truth, forecast, changes, told):
    with pytest.raises(UserError, match=told):
        run(make_case(**changes), {"ours": forecast}, truth)


def test_systems_must_share_initial_times_variables_and_grid(truth, forecast):
    late = forecasts(**NAMES, start="2001-01-04")
    with pytest.raises(UserError, match="the systems have no init time in common: ours has 2001-01-01"):
        run(make_case(), {"ours": forecast, "theirs": late}, truth)
    with pytest.raises(UserError, match="the forecast has no 2m_temperature, of which a hot spell is made, only geo"):
        run(make_case(), {"ours": forecast.drop_vars("2m_temperature")}, truth)
    with pytest.raises(UserError, match="the forecast lies on 7 x 6 points and the truth on 7 x 12"):
        run(make_case(), {"ours": forecast.isel(longitude=slice(0, 12, 2))}, truth)


def test_a_system_that_is_too_short_is_left_out_and_no_other_is_the_poorer(outcome, truth, forecast, caplog):
    short = forecast.isel(lead_time=slice(0, 2))
    systems = {"short": short, "ours": forecast, "one": forecast.isel(number=2, drop=True)}
    own = run(make_case(against="short", systems=dict.fromkeys(systems, "a.zarr")), systems, truth)
    assert list(own.systems) == ["ours", "one"]
    assert own.left_out == ["short"]
    assert "no forecast of short reaches over the whole period" in caplog.text
    pd.testing.assert_frame_equal(scores.errors(own), scores.errors(outcome))


def test_systems_of_other_leads_are_judged_at_their_own(truth, forecast):
    longer = forecasts(**(NAMES | {"n_lead": 14}))
    own = run(make_case(), {"ours": forecast, "longer": longer}, truth)
    assert scores.event_scores(own)["brier"].sizes["lead_time"] == scores.n_judged(own).sizes["lead_time"] == 14
    assert scores.event_differences(own)["longer", "ours"].sizes["lead_time"] <= 14


def _holed(fields, **at):
    values = fields["2m_temperature"].copy(deep=True)
    values.loc[{"latitude": 0.0, "longitude": 30.0} | at] = np.nan
    return fields.assign({"2m_temperature": values})


def test_a_hole_in_a_field_is_one_line_with_its_time_and_place(truth, forecast):
    told = r"has no value of 2m_temperature at 2001-01-02T06:00, 0°N, 30°E"
    with pytest.raises(UserError, match="the truth " + told):
        run(make_case(), {"ours": forecast}, _holed(truth, time=np.datetime64("2001-01-02T06")))
    lead = forecast["lead_time"].values[4]
    with pytest.raises(UserError, match=r"ours, from 2001-01-01T.*, has no value of 2m_temperature at"):
        run(make_case(), {"ours": _holed(forecast, lead_time=lead)}, truth)
    with pytest.raises(UserError, match=r"the truth has no value .*\(1 of all values are missing\)"):
        run(make_case(), {"ours": forecast}, truth * np.nan)


def test_cells_that_the_truth_never_knows_are_left_out_of_the_region(truth, forecast, caplog):
    own = run(make_case(), {"ours": _holed(forecast)}, _holed(truth))
    assert "at 1 of 15 cells of the region" in caplog.text
    assert own.stage.inside.sum() == 14
    assert np.isfinite(own.truth.peak)
    assert own.stage.weights.sum() == pytest.approx(1)


def test_a_truth_with_a_time_twice_or_without_one_of_the_period_is_one_line(truth, forecast):
    twice = xr.concat([truth, truth.isel(time=[5])], "time").sortby("time")
    with pytest.raises(UserError, match="the truth has 2001-01-02T06:00 twice; keep one"):
        run(make_case(), {"ours": forecast}, twice)
    with pytest.raises(UserError, match=r"the truth lacks 2001-01-02T12:00, .*; give analyses of every 6h"):
        run(make_case(), {"ours": forecast}, truth.drop_isel(time=6))


def test_values_in_other_units_are_told_of_systems_by_name(truth, forecast, caplog):
    run(make_case(), {"in Celsius": forecast * 0 + 20}, truth * 0 + 290)
    assert "values of the forecast in Celsius are none that there are on Earth: 2m_temp" in caplog.text
    assert "degrees Celsius" in caplog.text
    assert "values of the truth" not in caplog.text
