"""Heat waves that were planted: where, when, how large, how strong; of analyses and of members of forecasts."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.hazards import heat
from weatherml.extremes.hazards.registry import find
from weatherml.grid import LatLonGrid
from weatherml.verification import evaluate
from weatherml.verification.aggregation.regions import Region

GRID = LatLonGrid(tuple(np.arange(60.0, 30, -5)), tuple(np.arange(0.0, 40, 5)))
HOT = heat.HeatWave()
BOX = Region(42, 52, 9, 21)
"""Two rows and three columns."""


def days(first, n_days, *waves):
    """Return 290 K, in waves 300 K and as much more: (first day, last day, rows, columns, K)."""
    values = np.full((n_days, *GRID.shape), 290, np.float32)
    for start, stop, rows, columns, more in waves:
        values[start : stop + 1, rows, columns] = 300 + more
    coords = {"time": np.datetime64(first, "ns") + np.arange(n_days) * np.timedelta64(1, "D")}
    coords |= {"latitude": list(GRID.latitude), "longitude": list(GRID.longitude)}
    return xr.Dataset({"2m_temperature": (tuple(coords), values)}, coords)


def as_forecast(analyses, first, n_leads, *numbers):
    """Return members, of each of which the analyses are given, from a day on."""
    runs = [own.sel(time=slice(first, None)).isel(time=slice(n_leads)) for own in numbers or [analyses]]
    leads = runs[0]["time"].values - np.datetime64(first, "ns")
    named = [own.rename(time="lead_time").assign_coords(lead_time=leads) for own in runs]
    forecast = xr.concat(named, "number").assign_coords(number=np.arange(len(named))) if numbers else named[0]
    return forecast.expand_dims(init_time=[np.datetime64(first, "ns")])


THRESHOLD = days("2015-07-01", 1).isel(time=0, drop=True) + 10
WAVE = (3, 8, slice(2, 4), slice(2, 5), 4.0)
TRUTH = days("2015-07-01", 14, WAVE, (1, 2, slice(0, 1), slice(0, 1), 9.0))
BEFORE = xr.concat([days("2015-06-25", 6), TRUTH], "time")
AREA = 6371.0**2 * GRID.cell_areas()[2:4].sum() * 3


def test_a_planted_wave_is_found_with_its_days_place_area_and_strength():
    found = heat.heat_waves(TRUTH, HOT, THRESHOLD)
    assert found.sizes["object"] == 1  # two days are none
    own = {name: found[name].item() for name in found if found[name].dtype.kind != "M"}
    assert found["onset"].item() == np.datetime64("2015-07-04", "ns").astype(int)
    assert found["end"].item() == np.datetime64("2015-07-09", "ns").astype(int) and own["duration"] == 6
    assert own["area"] == own["largest_area"] == pytest.approx(AREA) and own["volume"] == pytest.approx(6 * AREA)
    assert own["maximum_exceedance"] == own["mean_exceedance"] == pytest.approx(4)
    assert own["cumulated_exceedance"] == pytest.approx(24) and own["severity"] == pytest.approx(24 * AREA)
    assert own["longitude"] == pytest.approx(15) and 46 < own["latitude"] < 49


def test_a_cold_spell_is_a_heat_wave_upside_down():
    cold = 580 - TRUTH
    found = heat.heat_waves(cold, heat.ColdSpell(), 580 - THRESHOLD)
    expected = heat.heat_waves(TRUTH, replace(HOT, daily="minimum"), THRESHOLD)
    xr.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(
    ("change", "n_found"), [({"minimum_days": 2}, 2), ({"margin": 4.5}, 0), ({"minimum_area": AREA * 1.1}, 0)]
)
def test_every_threshold_of_the_definition_counts(change, n_found):
    assert heat.heat_waves(TRUTH, replace(HOT, **change), THRESHOLD).sizes["object"] == n_found


def test_waves_that_meet_are_one_and_a_missing_day_parts_them():
    both = days("2015-07-01", 14, (0, 5, 1, 1, 1), (3, 8, 1, 2, 1), (5, 9, 1, 3, 1))
    assert heat.heat_waves(both, HOT, THRESHOLD).sizes["object"] == 1
    parted = both.isel(time=np.delete(np.arange(14), 4))
    assert heat.heat_waves(parted, HOT, THRESHOLD)["duration"].values.tolist() == [4, 5]


def test_the_event_is_where_and_when_the_wave_is():
    event = heat.event(TRUTH, HOT, THRESHOLD)
    expected = np.zeros((14, *GRID.shape), bool)
    expected[3:9, 2:4, 2:5] = True
    np.testing.assert_array_equal(event, expected)
    assert heat.exceedance(TRUTH, HOT, THRESHOLD).values[3, 2, 2] == pytest.approx(4)


def test_the_threshold_is_the_percentile_of_daily_maxima_around_the_date():
    times = np.datetime64("2012-06-01", "ns") + np.timedelta64(6, "h") * np.arange(4 * 40)
    rng = np.random.default_rng(0)
    coords = {"time": times, "latitude": [50.0, 40.0], "longitude": [0.0, 10.0, 20.0]}
    analyses = xr.Dataset(
        {"2m_temperature": (tuple(coords), rng.normal(290, 5, (160, 2, 3)).astype(np.float32))}, coords
    )
    found = heat.threshold(analyses, replace(HOT, window_days=11), ("2012", "2012"))
    daily = analyses["2m_temperature"].values.reshape(40, 4, 2, 3).max(axis=1)
    at = found.at(np.array(["2015-06-20"], "M8[ns]"))["2m_temperature"][0]
    np.testing.assert_allclose(at, np.quantile(daily[14:25], 0.9, axis=0), rtol=1e-6)


def test_what_is_under_way_when_a_forecast_begins_is_known_from_the_days_before():
    forecast = as_forecast(TRUTH, "2015-07-08", 5)
    alone = heat.heat_waves(forecast, HOT, THRESHOLD)
    known = heat.heat_waves(forecast, HOT, THRESHOLD, before=TRUTH)
    assert alone.sizes["object"] == 0  # two days of six are left
    assert known["is_under_way"].values.tolist() == [True] and known["end"].dt.day.item() == 9
    with pytest.raises(UserError, match="have not all hours of 2015-07-06"):
        heat.heat_waves(forecast, HOT, THRESHOLD, before=TRUTH.sel(time=slice("2015-07-07", None)))


LATE = days("2015-07-01", 14, (5, 10, slice(2, 4), slice(2, 5), 6.0))
NONE = days("2015-07-01", 14)
SHORT = days("2015-07-01", 14, (3, 6, slice(2, 4), slice(2, 4), 4.0))


def test_each_member_is_looked_at_by_itself():
    forecast = as_forecast(None, "2015-07-02", 12, TRUTH, NONE, LATE)
    found = heat.heat_waves(forecast, HOT, THRESHOLD, before=BEFORE)
    assert found["number"].values.tolist() == [0, 2] and found["onset"].dt.day.values.tolist() == [4, 6]
    assert (found["init_time"] == np.datetime64("2015-07-02")).all() and not found["is_under_way"].any()


def test_errors_of_onset_end_area_and_strength_are_those_that_were_planted():
    forecast = as_forecast(None, "2015-07-03", 12, TRUTH, NONE, LATE, SHORT)
    found = heat.compare(forecast, TRUTH, HOT, THRESHOLD)
    assert found["hits"].values.tolist() == [1, 0, 1, 1] and found["misses"].values.tolist() == [0, 1, 0, 0]
    assert found["false_alarms"].values.tolist() == [0] * 4 and found["number"].values.tolist() == [0, 2, 3]
    assert found["onset_error"].values.tolist() == [0, 2, 0] and found["end_error"].values.tolist() == [0, 2, -2]
    assert found["duration_error"].values.tolist() == [0, 0, -2]
    np.testing.assert_allclose(found["area_error"], [0, 0, -AREA / 3], atol=1e-6)
    np.testing.assert_allclose(found["maximum_exceedance_error"], [0, 2, 0], atol=1e-4)
    np.testing.assert_allclose(found["cumulated_exceedance_error"], [0, 12, -8], atol=1e-4)
    np.testing.assert_allclose(found["overlap_ratio"], [1, 4 / 6, 1])


def test_the_summary_is_of_all_pairs_with_intervals_over_initial_times():
    kinds = [
        heat.compare(as_forecast(None, "2015-07-03", 12, *members), TRUTH, HOT, THRESHOLD)
        for members in ((TRUTH, LATE), (NONE, LATE), (SHORT, SHORT))
    ]
    tables = [  # each kind four times, as if begun every five days
        own.assign(init_time=own["init_time"] + after).assign_coords(run_init_time=own["run_init_time"] + after)
        for own, after in zip(4 * kinds, np.arange(12) * np.timedelta64(5, "D"), strict=True)
    ]
    joined = xr.concat([own.drop_dims("run") for own in tables], "pair").merge(
        xr.concat([own.drop_dims("pair") for own in tables], "run")
    )
    found = heat.summarize(joined)
    assert found["hit_rate"].sel(bound="estimate") == pytest.approx(5 / 6)
    assert found["onset_error"].sel(bound="estimate") == pytest.approx(2 * 2 / 5)  # two of five pairs are two days late
    assert found["false_alarm_ratio"].sel(bound="estimate") == 0
    lower, upper = (found.sel(bound=own) for own in ("lower", "upper"))
    assert 0 < lower["onset_error"] < 0.8 < upper["onset_error"] and lower["hit_rate"] < 5 / 6 < upper["hit_rate"]
    with pytest.raises(UserError, match=r"pass what heat\.compare returns"):
        heat.summarize(TRUTH)


def test_an_onset_that_is_cut_has_no_error():
    found = heat.compare(as_forecast(TRUTH, "2015-07-06", 4), TRUTH, HOT, THRESHOLD)
    assert found["hits"].item() == 1 and np.isnan(found["onset_error"]).all() and np.isnan(found["end_error"]).all()


def test_members_in_a_spell_are_judged_as_any_forecast():
    """By hand: of four members two have the wave that came, one another, one none: the Brier score of each place."""
    forecast = as_forecast(None, "2015-07-02", 12, TRUTH, TRUTH, LATE, NONE)
    members = heat.members_in_spell(forecast, HOT, THRESHOLD, before=BEFORE)
    assert members["lead_time"].values.tolist() == (np.arange(10) * 86400e9).astype(int).tolist()
    truth = heat.truth_in_spell(TRUTH, HOT, THRESHOLD)
    probability = members["2m_temperature"].mean("number").values[0]
    came = truth["2m_temperature"].values[1:11]
    assert set(np.unique(probability)) == {0, 0.25, 0.5, 0.75}
    found = evaluate(members, truth, ["brier(threshold=0.5)"])["brier(threshold=0.5)"].sel(bound="estimate")
    weights = np.broadcast_to(GRID.area_weights(), GRID.shape)
    expected = [np.average(own, weights=weights) for own in (probability - came) ** 2]
    np.testing.assert_allclose(found.values[0], expected, atol=1e-7)


def test_without_days_before_the_first_of_a_forecast_are_not_known():
    forecast = as_forecast(TRUTH, "2015-07-02", 12)
    members = heat.members_in_spell(forecast, HOT, THRESHOLD)
    assert (members["lead_time"].values / np.timedelta64(1, "D")).tolist() == list(range(2, 10))
    with pytest.raises(UserError, match="no day of the forecast is known"):
        heat.members_in_spell(as_forecast(TRUTH, "2015-07-02", 4), HOT, THRESHOLD)


def test_a_signal_is_the_share_of_members_forecast_after_forecast():
    early = as_forecast(None, "2015-07-02", 9, NONE, TRUTH, NONE, LATE)
    late = as_forecast(None, "2015-07-04", 9, TRUTH, TRUTH, NONE, SHORT)
    members = heat.members_in_spell(xr.concat([early, late], "init_time"), HOT, THRESHOLD, before=BEFORE)
    signal = heat.early_signal(members, BOX, "2015-07-06", least_share=0.9)
    assert signal["probability"].values.tolist() == [0.5, 0.5]
    np.testing.assert_allclose(signal["area_share"], [0.5, (2 + 2 / 3) / 4], atol=1e-6)
    assert (signal["lead_time"].values / np.timedelta64(1, "D")).tolist() == [4, 2]
    with pytest.raises(UserError, match="no forecast says of 2015-07-30"):
        heat.early_signal(members, BOX, "2015-07-30")


def test_what_hangs_on_missing_analyses_is_no_event_that_did_not_happen():
    """Brute force: each of a missing value's two ways, and what both say is known."""
    holed = TRUTH.copy(deep=True)
    holed["2m_temperature"][3, 0, 0] = holed["2m_temperature"][5, 2, 3] = np.nan
    both = [heat.truth_in_spell(holed.fillna(own), HOT, THRESHOLD)["2m_temperature"].values for own in (200, 400)]
    assert (both[0] != both[1]).any()
    expected = np.where(both[0] == both[1], both[0], np.nan)
    truth = heat.truth_in_spell(holed, HOT, THRESHOLD)
    np.testing.assert_array_equal(truth["2m_temperature"], expected)
    forecast = as_forecast(None, "2015-07-02", 12, TRUTH, NONE)
    members = heat.members_in_spell(forecast, HOT, THRESHOLD, before=BEFORE)
    with pytest.raises(UserError, match="missing"):
        evaluate(members, truth, ["brier(threshold=0.5)"])
    found = evaluate(members, truth, ["brier(threshold=0.5)"], missing="count")["brier(threshold=0.5)"]
    came, shown = expected[1:11], members["2m_temperature"].mean("number").values[0]
    weights = np.where(np.isnan(came), 0, np.broadcast_to(GRID.area_weights(), GRID.shape))
    by_hand = [np.average((s - np.nan_to_num(c)) ** 2, weights=w) for s, c, w in zip(shown, came, weights, strict=True)]
    np.testing.assert_allclose(found.sel(bound="estimate").values[0], by_hand, atol=1e-7)


def test_a_signal_of_members_that_miss_what_it_hangs_on_is_not_known():
    forecast = as_forecast(None, "2015-07-02", 9, TRUTH, NONE)
    members = heat.members_in_spell(forecast, HOT, THRESHOLD, before=BEFORE).compute()
    whole = heat.early_signal(members, BOX, "2015-07-06", least_share=0.9)
    assert whole["probability"].item() == 0.5
    inside = BOX.holds(GRID)
    one = np.argwhere(inside)[0]
    members["2m_temperature"][0, 4, 0, one[0], one[1]] = np.nan
    assert np.isnan(heat.early_signal(members, BOX, "2015-07-06", least_share=0.9)["probability"]).all()
    little = heat.early_signal(members, BOX, "2015-07-06", least_share=0.1)
    assert little["probability"].item() == 0.5 and np.isnan(little["area_share"]).all()


def test_cases_find_both_hazards_by_name():
    for name, fields, threshold in (("heat_wave", TRUTH, THRESHOLD), ("cold_spell", 580 - TRUTH, 580 - THRESHOLD)):
        hazard = find(name)
        event = hazard.event(fields, hazard.define({}), threshold)
        assert event.sum() == 36 and hazard.index(fields, hazard.define({}), None).attrs["units"] == "K"
    asked = find("heat_wave").threshold(TRUTH, HOT, TRUTH["time"].values[:2])
    assert asked.at(TRUTH["time"].values[:2])["2m_temperature"].shape == (2, *GRID.shape)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: heat.HeatWave(percentile=0.9, minimum_days=0), "lasts 1 day or more"),
        (lambda: heat.HeatWave(percentile=190), "a percentile lies between 1 and 100, got 190"),
        (lambda: heat.event(TRUTH.rename({"2m_temperature": "t"}), HOT, THRESHOLD), "a heat wave is of 2m_temperature"),
        (
            lambda: heat.event(TRUTH, HOT, THRESHOLD.rename({"2m_temperature": "t"})),
            "the threshold has no 2m_temperature",
        ),
        (
            lambda: heat.event(TRUTH, HOT, THRESHOLD.isel(latitude=slice(3))),
            "the threshold is on 3, 8 rows|on \\[3, 8\\]",
        ),
        (
            lambda: heat.compare(as_forecast(TRUTH, "2015-07-06", 9), TRUTH.isel(time=slice(9)), HOT, THRESHOLD),
            "not all hours of 2015-07-10",
        ),
    ],
)
def test_what_cannot_be_looked_for_is_one_line(call, message):
    with pytest.raises(UserError, match=message):
        call()


def at_hours(daily):
    """Return values of four hours a day, each that of the day."""
    times = (daily["time"].values[:, None] + np.arange(0, 24, 6) * np.timedelta64(1, "h")).ravel()
    return daily.isel(time=np.repeat(np.arange(daily.sizes["time"]), 4)).assign_coords(time=times)


@pytest.mark.parametrize("first_lead", [0, 1])
def test_a_forecast_from_noon_knows_nothing_of_what_is_analysed_after_it(first_lead):
    """It begins on the fifth of six days; the hours of that day which are to come are its own, hot ones."""
    analyses, init = at_hours(TRUTH), np.datetime64("2015-07-08T12", "ns")
    forecast = as_forecast(analyses, init, 14).isel(lead_time=slice(first_lead, None))
    later = analyses.where(analyses["time"] <= init, 290.0)
    for before in (analyses, later, analyses.sel(time=slice(None, init))):
        found = heat.heat_waves(forecast, HOT, THRESHOLD, before=before)
        assert (
            found["is_under_way"].values.tolist() == [True] and found["onset"].dt.day.item() == 7
        )  # as far back as it is looked
        members = heat.members_in_spell(forecast, HOT, THRESHOLD, before=before)
        assert members["2m_temperature"].values[0, 0, 2, 2] == 1 and members["lead_time"][0] == np.timedelta64(12, "h")


def test_days_beside_a_hole_are_not_known():
    forecast = as_forecast(TRUTH, "2015-07-02", 12).isel(lead_time=np.delete(np.arange(12), 5))
    members = heat.members_in_spell(forecast, HOT, THRESHOLD)
    assert (members["lead_time"].values / np.timedelta64(1, "D")).tolist() == [2, 8, 9]


def test_a_threshold_of_the_days_that_are_judged_is_told(caplog):
    known = heat.threshold(TRUTH, replace(HOT, window_days=5), ("2015", "2015"))
    heat.event(TRUTH, HOT, known)
    assert "knows 14 of 14 valid times" in caplog.text


def test_events_that_all_say_the_same_have_no_interval():
    own = heat.compare(as_forecast(TRUTH, "2015-07-03", 12), TRUTH, HOT, THRESHOLD)
    after = [number * np.timedelta64(5, "D") for number in range(12)]
    runs = [
        own.drop_dims("pair").assign_coords(run_init_time=own["run_init_time"] + more) * (number in (3, 8))
        for number, more in enumerate(after)
    ]
    pairs = [own.drop_dims("run").assign(init_time=own["init_time"] + after[number]) for number in (3, 8)]
    found = heat.summarize(xr.concat(pairs, "pair").merge(xr.concat(runs, "run")))
    for name in ("hit_rate", "onset_error"):
        assert found[name].values[0] == (name == "hit_rate") and np.isnan(found[name].values[1:]).all()


def test_a_member_without_values_is_not_known():
    """One misses the fourth day of six alone: the first and the last two are beyond, so all that hangs on it is NaN."""
    forecast = as_forecast(None, "2015-07-01", 14, TRUTH, TRUTH * np.nan, TRUTH.where(TRUTH["time"].dt.day != 6))
    members = heat.members_in_spell(forecast, HOT, THRESHOLD)["2m_temperature"].values[0]
    assert np.isnan(members[:, 1]).all()
    np.testing.assert_array_equal(members[:7, 2, 2, 2], [0, *[np.nan] * 3, 1, 1, 1])


@pytest.mark.parametrize("wrong", [{"margin": np.nan}, {"daily": "median"}, {"neighbours": 5}, {"window_days": 4}])
def test_a_definition_of_what_there_is_not_is_refused(wrong):
    with pytest.raises(UserError, match=r"is no|of no cell|is unknown"):
        heat.HeatWave(**wrong)


@pytest.mark.parametrize("lacking", [range(16, 20), [17]])
def test_days_beside_one_that_lacks_are_known_only_where_they_do_not_hang_on_it(lacking):
    """Of ten days the third to the sixth are hot: without the fifth it is known of none of these."""
    hot = np.array([0, 0, 1, 1, 1, 1, 0, 0, 0, 0], bool)
    times = np.datetime64("2015-07-01", "ns") + np.arange(40) * np.timedelta64(6, "h")
    values = np.repeat(np.where(hot, 310, 290), 4)[:, None, None] * np.ones((1, 1, 2), np.float32)
    coords = {"time": times, "latitude": [50.0], "longitude": [0.0, 1.0]}
    whole = xr.Dataset({"2m_temperature": (tuple(coords), values.astype(np.float32))}, coords)
    holed = whole.isel(time=np.delete(np.arange(40), lacking))
    nan = [np.nan] * 3
    np.testing.assert_array_equal(heat.event(whole, heat.HeatWave(), 300.0)[:, 0, 0], hot)
    for found in (
        heat.event(holed, heat.HeatWave(), 300.0),
        heat.truth_in_spell(holed, heat.HeatWave(), 300.0)["2m_temperature"],
    ):
        np.testing.assert_array_equal(found[:, 0, 0], [0, 0, *nan, 0, 0, 0, 0])


def test_fields_without_a_whole_day_are_one_line():
    few = at_hours(TRUTH).isel(time=slice(0, 2))
    with pytest.raises(UserError, match="2m_temperature has no whole day"):
        heat.truth_in_spell(few, HOT, THRESHOLD)
