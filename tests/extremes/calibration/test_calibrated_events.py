"""Calibration of exceedance from sums of verification, and cones, against brute force over cases."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, as_forecast, forecasts

from weatherml.errors import UserError
from weatherml.extremes.calibration import Calibration, Cone, HeldOut
from weatherml.extremes.calibration.isotonic import isotonic
from weatherml.verification import accumulate, summarize
from weatherml.verification.metrics.registry import find

CHANNEL = "2m_temperature"
BRIER = {"brier": find("brier(threshold=1.0)")}
PERIOD = HeldOut(("2001-01-01", "2001-02-15"), {"training": ("1990", "2000"), "test": ("2001-03", "2001-03")})


@pytest.fixture(scope="module")
def truth():
    return analyses({CHANNEL: ()}, times=400)


@pytest.fixture(scope="module")
def ensemble(truth):
    """Five members whose spread is too small, at 1-day steps."""
    noise = forecasts({CHANNEL: ()}, n_members=5, n_init=80, n_lead=2)
    error = forecasts({CHANNEL: ()}, n_init=80, n_lead=2, seed=9)
    return 0.3 * noise.drop_vars("valid_time") + 0.5 * error + as_forecast(truth, noise)


@pytest.fixture(scope="module")
def sums(ensemble, truth):
    return accumulate(ensemble, truth, BRIER)


@pytest.fixture(scope="module")
def calibration(sums):
    return Calibration.fit(sums, PERIOD, 1.0, risk=0.25, block="3d")


@pytest.fixture(scope="module")
def cases(ensemble, truth):
    """Share of members, event and area at lead 1 of the init times of the period, dims (init, point)."""
    inside = ensemble.sel(init_time=slice("2001-01-01", "2001-02-15"))[CHANNEL][:, 0]
    inside = inside[inside["init_time"].values + np.timedelta64(12, "h") < np.datetime64("2001-02-16")]
    at = as_forecast(truth, ensemble)[CHANNEL][: len(inside), 0]
    edges = np.radians([90, 75, 45, 15, -15, -45, -75, -90])
    area = np.broadcast_to((np.sin(edges[:-1]) - np.sin(edges[1:]))[:, None], at.shape)
    share = (inside > 1).mean("number")
    return share.values, at.values > 1, area / area[0].sum()


def test_isotonic_curve_is_that_of_all_cases_of_the_period_by_area(calibration, cases):
    share, event, area = (own.ravel() for own in cases)
    # Blocks weigh the same, and all but the last hold three init times.
    n_init = len(cases[0])
    weight = np.repeat([1 / len(own) for own in np.split(np.arange(n_init), range(3, n_init, 3)) for _ in own], 7 * 12)
    totals = [np.bincount(np.rint(5 * share).astype(int), area * weight * of, 6) for of in (1, event)]
    found = calibration.dataset["probability"].sel(channel=CHANNEL)[0]
    np.testing.assert_allclose(found, isotonic(*totals))


def test_warnings_miss_no_more_of_the_events_than_the_risk_allows(calibration, cases):
    share, event, area = cases
    blocks = np.split(np.arange(len(share)), range(3, len(share), 3))
    level = calibration.dataset["warn_from"].sel(channel=CHANNEL)[0].item()
    missed = {
        k: np.mean([(area * event * (share < k / 5 - 1e-6))[own].sum() / (area * event)[own].sum() for own in blocks])
        for k in range(6)
    }
    n = len(blocks)
    assert level == max(k for k in range(6) if (n * missed[k] + 1) / (n + 1) <= 0.25) / 5
    assert 0 < level < 1


def test_calibrated_probabilities_are_more_reliable_in_another_period(calibration, ensemble, truth):
    sums = accumulate(ensemble.sel(init_time=slice("2001-02-17", None)), truth, BRIER)
    verdict = calibration.verdict(sums, 1.0)
    reliability, brier = verdict["reliability"].sel(channel=CHANNEL), verdict["brier"].sel(channel=CHANNEL)
    assert (reliability.sel(issued="isotonic") < 0.2 * reliability.sel(issued="raw")).all()
    assert (brier.sel(issued="isotonic") < brier.sel(issued="raw")).all()
    assert (verdict["missed"] < 0.25 + 0.05).all() and (verdict["warned"] < 0.5).all()


def test_raw_brier_of_the_verdict_is_that_of_verification_where_blocks_are_alike(calibration, ensemble, truth):
    later = ensemble.sel(init_time=slice("2001-02-17", "2001-03-18"))
    sums = accumulate(later, truth, BRIER)
    expected = summarize(sums, BRIER)["brier"].sel(bound="estimate")
    xr.testing.assert_allclose(
        calibration.verdict(sums, 1.0)["brier"].sel(issued="raw", drop=True),
        expected.drop_vars(["bound", "units"], errors="ignore"),
    )


def test_fields_are_calibrated_as_lazily_as_they_are(calibration, ensemble):
    share = (ensemble[CHANNEL] > 1).mean("number")
    found = calibration.apply(share.chunk(init_time=7))
    assert found["probability"].chunks is not None
    curve = calibration.dataset["probability"].sel(channel=CHANNEL)
    at = np.rint(5 * share[3, 1, 2, 4].item()).astype(int)
    assert found["probability"][3, 1, 2, 4].compute().item() == pytest.approx(curve[1, at].item())
    assert ((found["lower"] <= found["venn_abers"]) & (found["venn_abers"] <= found["upper"])).all()
    np.testing.assert_array_equal(
        found["warning"], share >= calibration.dataset["warn_from"].sel(channel=CHANNEL) - 1e-6
    )


def test_between_shares_that_were_seen_probabilities_are_linear(calibration):
    curve = calibration.dataset["probability"].sel(channel=CHANNEL)[0]
    asked = xr.DataArray([0.25, 0.3], dims="point").expand_dims(lead_time=curve["lead_time"].values[None])
    found = calibration.apply(asked)["probability"].values[0]
    np.testing.assert_allclose(found, np.interp([0.25, 0.3], np.arange(6) / 5, curve), rtol=1e-5)


def test_of_other_shares_than_were_learnt_the_verdict_is_of_what_lies_between(calibration, ensemble, truth):
    later = ensemble.sel(init_time=slice("2001-02-17", None)).isel(number=slice(3))
    judged = calibration.verdict(accumulate(later, truth, BRIER), 1.0)
    assert judged["observed"].sizes["share"] == 4
    assert (judged["brier"].sel(issued="isotonic") < judged["brier"].sel(issued="raw")).all()


def test_what_is_no_probability_is_refused(calibration):
    per_cent = xr.DataArray([[30.0]], {"lead_time": calibration.dataset["lead_time"][:1]}, ("lead_time", "point"))
    with pytest.raises(UserError, match="a probability lies between 0 and 1, got 30; divide per cent by 100"):
        calibration.apply(per_cent)
    with pytest.raises(UserError, match="lead_time 72h was not calibrated"):
        calibration.apply(per_cent.assign_coords(lead_time=[np.timedelta64(3, "D").astype("timedelta64[ns]")]))
    with pytest.raises(UserError, match="channel 'other' was not calibrated, only 2m_temperature"):
        calibration.apply(per_cent, "other")


def test_what_is_saved_is_loaded(calibration, tmp_path):
    calibration.save(tmp_path / "calibration.nc")
    loaded = Calibration.load(tmp_path / "calibration.nc")
    xr.testing.assert_identical(loaded.dataset, calibration.dataset)
    assert loaded.held_out == calibration.held_out
    with pytest.raises(UserError, match=r"holds no cone of tracks; make one with fit\(...\).save"):
        Cone.load(tmp_path / "calibration.nc")


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"training": ("1990", "2001-01")}, "calibration 2001-01-01 .. 2001-02-15 and training 1990 .. 2001-01 share"),
        ({"test": ("2001-02-15", "2001-03")}, "share times from 2001-02-15T00:00 on"),
    ],
)
def test_periods_that_share_a_time_are_refused(others, words):
    with pytest.raises(UserError, match=words):
        HeldOut(("2001-01-01", "2001-02-15"), others)


def test_forecasts_of_the_period_are_not_judged(calibration, sums):
    with pytest.raises(UserError, match=r"reaches into 2001-01-01 .. 2001-02-15, which the calibration was learnt on"):
        calibration.verdict(sums, 1.0)


def test_a_period_without_forecasts_is_refused(sums):
    with pytest.raises(UserError, match=r"no forecast lies in 2005 .. 2006 .* choose a period that holds some"):
        Calibration.fit(sums, HeldOut(("2005", "2006")), 1.0)


def test_too_few_blocks_warn_of_nothing(sums):
    few = Calibration.fit(sums, HeldOut(("2001-01-01", "2001-01-20")), 1.0, risk=0.01)
    assert few.dataset["warn_from"].isnull().all()


@pytest.fixture(scope="module")
def errors():
    """Two positions of each of four forecasts of 40 storms a year, whose errors are one storm's own."""
    rng = np.random.default_rng(5)
    start = np.datetime64("2001-01-01", "ns") + np.arange(80) * np.timedelta64(9, "D")
    storm, init, lead = (own.ravel() for own in np.meshgrid(np.arange(80), np.arange(4), [1, 2], indexing="ij"))
    own = rng.rayleigh(size=80)[storm] + 0.1 * rng.rayleigh(size=len(storm))
    columns = {
        "track_error": 100.0 * lead * own,
        "lead_time": lead * np.timedelta64(24, "h").astype("timedelta64[ns]"),
        "init_time": start[storm] + init * np.timedelta64(12, "h"),
        "storm": storm,
    }
    return xr.Dataset({name: ("record", column) for name, column in columns.items()})


@pytest.fixture(scope="module")
def cone(errors):
    return Cone.fit(errors, HeldOut(("2001", "2001"), {"test": ("2002", "2002")}), 0.8)


def test_radius_is_the_conformal_quantile_of_storms(cone, errors):
    inside = errors.isel(record=np.flatnonzero(errors["init_time"] < np.datetime64("2002-01-01")))
    n_storms = len(np.unique(inside["storm"]))
    for lead, found in zip((24, 48), cone.dataset["radius"].values, strict=True):
        own = np.sort(inside["track_error"].values[inside["lead_time"].values == np.timedelta64(lead, "h")])
        (radius,) = {radius for radius in own if (own <= radius).sum() == np.ceil(0.8 * (n_storms + 1) * 4 - 1e-9)}
        assert found == pytest.approx(radius)
    assert (cone.dataset["storms"] == n_storms).all()


def test_cone_covers_other_storms_as_often_as_it_says(cone, errors):
    later = errors.isel(record=np.flatnonzero(errors["init_time"] > np.datetime64("2002-01-01")))
    judged = cone.verdict(later)
    inside = later["track_error"].values.reshape(-1, 2) <= cone.dataset["radius"].values
    np.testing.assert_allclose(judged["covered"], inside.mean(axis=0))
    np.testing.assert_allclose(judged["covered"], 0.8, atol=0.2)
    with pytest.raises(UserError, match=r"reaches into 2001 .. 2001"):
        cone.verdict(errors)


def test_widened_cone_holds_both_leads_at_once(cone, errors):
    wide = cone.widened(errors, HeldOut(("2002-01", "2002-09")), 0.8)
    later = errors.isel(record=np.flatnonzero(errors["init_time"] > np.datetime64("2002-01-01")))
    ratio = later["track_error"] / cone.dataset["radius"].sel(lead_time=later["lead_time"]).values
    worst = ratio.values.reshape(-1, 2).max(axis=1)
    n_storms = len(np.unique(later["storm"].values[later["init_time"] < np.datetime64("2002-10-01")]))
    rank = int(np.ceil(0.8 * (n_storms + 1) * 4 - 1e-9)) - 1
    assert wide.dataset.attrs["factor"] == pytest.approx(np.sort(worst[: 4 * n_storms])[rank])
    with pytest.raises(UserError, match=r"and the cone 2001 .. 2001 share times"):
        cone.widened(errors, HeldOut(("2001-06", "2002")))


def test_members_have_tracks_of_their_own(cone, errors):
    """Twice the same members change no track, and all of a storm are still one block."""
    both = xr.concat([errors.assign(number=("record", np.full(640, own))) for own in (0, 1)], "record")
    period = HeldOut(("2002-01", "2002-09"))
    far = both.assign(track_error=both["track_error"] * (1 + 9 * both["number"]))
    factor = cone.widened(errors, period, 0.8).dataset.attrs["factor"]
    assert cone.widened(both, period, 0.8).dataset.attrs["factor"] == pytest.approx(factor)
    one, ten = (far.isel(record=np.flatnonzero(far["number"] == own)) for own in (0, 1))
    factors = [cone.widened(own, period, 0.4).dataset.attrs["factor"] for own in (one, far, ten)]
    assert factors[0] < factors[1] < factors[2]


def test_radius_is_in_units_of_what_errors_are_divided_by(cone, errors):
    scaled = errors.assign(scale=("record", np.full(errors.sizes["record"], 50.0)))
    other = Cone.fit(scaled, HeldOut(("2001", "2001")), 0.8)
    np.testing.assert_allclose(50 * other.dataset["radius"], cone.dataset["radius"])
    leads = np.array([24, 36, 48]) * np.timedelta64(1, "h")
    first, last = cone.dataset["radius"].values
    np.testing.assert_allclose(other.radius(leads, 50.0), [first, (first + last) / 2, last])
    assert other.radius("2d", 50.0) == pytest.approx(last) == other.radius(np.timedelta64(48, "h"), 50.0)
    with pytest.raises(UserError, match="the cone knows leads from 24h to 48h, not 72h"):
        cone.radius(np.array([72]) * np.timedelta64(1, "h"))


def test_a_table_that_is_not_of_errors_is_refused(errors):
    with pytest.raises(UserError, match=r"errors of tracks have no track_error; pass what tracks.judging.errors"):
        Cone.fit(errors.drop_vars("track_error"), HeldOut(("2001", "2001")))


def test_cone_is_saved_and_loaded(cone, tmp_path):
    cone.save(tmp_path / "cone.nc")
    xr.testing.assert_identical(Cone.load(tmp_path / "cone.nc").dataset, cone.dataset)


def test_init_times_without_truth_do_not_count(sums, caplog):
    """The weight of one of the init times is 0, as of analyses that lack: the others are learnt from."""
    without = replace(sums, dataset=sums.dataset.isel(init_time=np.arange(80) != 1))
    nothing = sums.dataset.copy(deep=True)
    numbers = [name for name, own in nothing.data_vars.items() if "init_time" in own.dims and own.dtype.kind == "f"]
    for name in numbers:
        nothing[name] = xr.where(nothing["init_time"] == nothing["init_time"][1], 0, nothing[name]).transpose(
            *nothing[name].dims
        )
    fitted, expected = (
        Calibration.fit(own, PERIOD, 1.0, block="3d") for own in (replace(sums, dataset=nothing), without)
    )
    xr.testing.assert_allclose(fitted.dataset, expected.dataset)
    assert "1 of 80 init times have no truth" in caplog.text


def test_what_is_not_known_is_not_warned_of_and_what_is_below_nothing_is_refused(calibration):
    asked = xr.DataArray([[np.nan, 1.0]], {"lead_time": calibration.dataset["lead_time"][:1]}, ("lead_time", "point"))
    assert calibration.apply(asked)["warning"].isnull().values.tolist() == [[True, False]]
    with pytest.raises(UserError, match=r"between 0 and 1, got -0.5; pass shares of members"):
        calibration.apply(asked - 1.5)


def test_leads_that_were_not_learnt_are_refused_in_one_line(calibration, sums, cone, errors):
    learnt = replace(calibration, dataset=calibration.dataset.isel(lead_time=[0]), held_out=HeldOut(("1990", "1991")))
    with pytest.raises(UserError, match=r"lead_time .* was not calibrated; pass leads that were"):
        learnt.verdict(sums, 1.0)
    short = replace(cone, dataset=cone.dataset.isel(lead_time=[0]), held_out=HeldOut(("1950", "1951")))
    with pytest.raises(UserError, match="the cone knows leads from"):
        short.verdict(errors)


def test_a_dataset_of_one_variable_is_calibrated_as_its_field(calibration, ensemble):
    share = (ensemble > 1).mean("number")
    xr.testing.assert_identical(calibration.apply(share), calibration.apply(share[CHANNEL]))
    with pytest.raises(UserError, match=r"calibrated one by one; pass one, share\['2m_temperature'\]"):
        calibration.apply(share.assign(other=share[CHANNEL]))


def test_the_threshold_of_the_sums_need_not_be_said_again(calibration, sums, ensemble, truth):
    again = Calibration.fit(sums, PERIOD, risk=0.25, block="3d")
    xr.testing.assert_identical(again.dataset, calibration.dataset)
    both = accumulate(ensemble, truth, ["brier(threshold=1.0)", "brier(threshold=1.5)"])
    with pytest.raises(UserError, match=r"counts of thresholds 1, 1.5; pass one of them, threshold=1"):
        Calibration.fit(both, PERIOD)
