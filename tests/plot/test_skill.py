import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex

from weatherml import plot
from weatherml.errors import UserError
from weatherml.extremes import verdict
from weatherml.grid import LatLonGrid
from weatherml.plot import style
from weatherml.plot.metrics import MetricLook, look_of
from weatherml.state import StateSpec, parse_channels, to_array, to_dataset
from weatherml.verification.judging import evaluate

LEADS = (np.arange(1, 6) * 12).astype("timedelta64[h]").astype("timedelta64[ns]")
DAYS = np.arange(1, 6) / 2
CHANNELS = ["geopotential_500", "2m_temperature", "u_component_of_wind_250", "mean_sea_level_pressure"]
SYSTEMS = ["fourcastnet", "persistence"]


@pytest.fixture
def scores():
    """Return scores of two systems; the bounds lie 10 % below and 20 % above; persistence has no crps."""
    rng = np.random.default_rng(0)
    estimate = rng.uniform(1, 9, (2, 1, 4, 5)) * np.array([1, 0.9, 1.2])[None, :, None, None]
    dims = ("system", "bound", "channel", "lead_time")
    coords = {"system": SYSTEMS, "bound": ["estimate", "lower", "upper"], "channel": CHANNELS, "lead_time": LEADS}
    rmse = xr.DataArray(estimate, coords, dims)
    crps = rmse.where(rmse.system == "fourcastnet")
    return xr.Dataset({"rmse": rmse, "mse": rmse**2, "acc": rmse / 10, "crps_fair": crps})


@pytest.fixture
def judgement():
    """Return a verdict on an event of base rate 0.1; of six classes of probability the last is never forecast."""
    by_lead = xr.DataArray(np.linspace(0.6, 0.1, 5), {"lead_time": LEADS}, ("lead_time",))
    by_lead = by_lead.expand_dims(bound=["estimate", "lower", "upper"], channel=CHANNELS[:2])
    probability = xr.DataArray(np.linspace(0, 1, 6), {"probability_bin": np.linspace(0, 1, 6)}, ("probability_bin",))
    share = (by_lead * 0 + 0.2).where(probability < 1, 0)
    diagram = {
        "forecast_probability": by_lead * 0 + probability,
        "observed_frequency": (by_lead * 0 + probability / 2).where(share > 0),
        "forecast_share": share,
    }
    return xr.Dataset({"brier_skill": by_lead, "roc_area": 0.5 + by_lead / 2, **diagram}, attrs={"base_rate": 0.1})


@pytest.fixture(scope="module")
def forecast_and_truth():
    """Return an ensemble of 4 from 3 init times, and the truth that it follows ever less closely."""
    rng = np.random.default_rng(1)
    spec = StateSpec(parse_channels(CHANNELS[:2]), LatLonGrid.gaussian(6, 10))
    times = np.datetime64("2001-01-01", "ns") + np.arange(10) * np.timedelta64(12, "h")
    truth = to_dataset(rng.normal(size=(10, *spec.shape)), spec, {"time": times})
    states = to_array(truth, spec)
    at_valid_times = np.stack([states[i + 1 : i + 6] for i in range(3)])[:, :, None]
    noise = rng.normal(size=(3, 5, 4, *spec.shape)) * 0.2 * np.arange(1, 6)[:, None, None, None, None]
    leads = {"init_time": times[:3], "lead_time": LEADS, "number": np.arange(4)}
    return to_dataset(at_valid_times + noise, spec, leads), truth


def line(ax, label):
    return next(found for found in ax.lines if found.get_label() == label)


def test_what_evaluation_returns_can_be_drawn(forecast_and_truth):
    forecast, truth = forecast_and_truth
    scores = evaluate(forecast, truth, ["rmse", "crps_fair"])
    drawn = line(plot.skill(scores, "rmse").axes[1], "forecast").get_ydata()
    error = (forecast.mean("number") - truth["2m_temperature"].sel(time=forecast.valid_time))["2m_temperature"]
    weights = xr.DataArray(LatLonGrid.from_dataset(truth).cell_areas(), dims="latitude")
    exact = np.sqrt((error**2).weighted(weights).mean(("init_time", "latitude", "longitude")))
    np.testing.assert_allclose(drawn, exact, rtol=1e-4)


def test_what_the_extremes_return_can_be_drawn(forecast_and_truth):
    forecast, truth = forecast_and_truth
    threshold = (truth.isel(time=0, drop=True) * 0 + 1.28).assign_attrs(quantile=0.9)
    drawn = plot.verdict(verdict(forecast, truth, threshold), "2m_temperature")
    by_lead = drawn.axes[2].lines[0].get_ydata()
    assert by_lead[0] > 0.5 and by_lead[0] > by_lead[-1]


def test_a_line_holds_the_estimate_in_shown_units_against_days(scores):
    ax = plot.skill(scores, "rmse").axes[0]
    drawn = line(ax, "fourcastnet")
    exact = scores["rmse"].sel(system="fourcastnet", bound="estimate", channel="geopotential_500") / 98.0665
    np.testing.assert_allclose(drawn.get_xdata(), DAYS)
    np.testing.assert_allclose(drawn.get_ydata(), exact)
    assert (ax.get_title("left"), ax.get_ylabel()) == ("500 hPa geopotential", "gpdam")


def test_a_band_spans_the_confidence_interval(scores):
    ax = plot.skill(scores, "rmse", ["2m_temperature"]).axes[0]
    chosen = scores["rmse"].sel(system="fourcastnet", channel="2m_temperature")
    low, high = ax.collections[0].get_paths()[0].get_extents().intervaly
    assert low == pytest.approx(chosen.sel(bound="lower").min().item())
    assert high == pytest.approx(chosen.sel(bound="upper").max().item())


@pytest.mark.parametrize(("metric", "units", "factor"), [("acc", "", 1), ("mse", "(gpdam)²", 98.0665**-2)])
def test_units_follow_the_metric(scores, metric, units, factor):
    ax = plot.skill(scores, metric, ["geopotential_500"]).axes[0]
    exact = scores[metric].sel(system="fourcastnet", bound="estimate", channel="geopotential_500") * factor
    np.testing.assert_allclose(line(ax, "fourcastnet").get_ydata(), exact)
    assert ax.get_ylabel() == units


def test_baselines_are_grey_and_models_are_not(scores):
    ax = plot.skill(scores, "rmse").axes[0]
    assert to_hex(line(ax, "persistence").get_color()) == style.QUIET
    assert to_hex(line(ax, "fourcastnet").get_color()) == style.CYCLE[0]


def test_a_system_without_the_metric_has_no_line(scores):
    figure = plot.skill(scores, "crps_fair")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["fourcastnet"]


def test_every_channel_has_a_panel_of_its_own(scores):
    figure = plot.skill(scores, "rmse")
    titles = [ax.get_title("left") for ax in figure.axes if ax.axison]
    assert titles == ["500 hPa geopotential", "2 m temperature", "250 hPa eastward wind", "Mean sea level pressure"]


def test_scores_of_one_system_need_no_system_dimension(scores):
    ax = plot.skill(scores.sel(system="fourcastnet", drop=True), "rmse").axes[0]
    assert len(line(ax, "forecast").get_ydata()) == len(LEADS)


def test_an_unknown_metric_or_channel_suggests_the_near_one(scores):
    with pytest.raises(UserError, match="no metric 'rsme'; did you mean 'rmse'"):
        plot.skill(scores, "rsme")
    with pytest.raises(UserError, match="no channel '2m_temperatur'; did you mean '2m_temperature'"):
        plot.skill(scores, "rmse", ["2m_temperatur"])


def test_a_reliability_curve_leaves_out_probabilities_never_forecast(judgement):
    ax = plot.verdict(judgement, "2m_temperature").axes[0]
    drawn = line(ax, "2.5 d")
    np.testing.assert_allclose(drawn.get_xdata(), [0, 0.2, 0.4, 0.6, 0.8])
    np.testing.assert_allclose(drawn.get_ydata(), [0, 0.1, 0.2, 0.3, 0.4])


def test_the_base_rate_and_the_lines_of_no_skill_are_drawn(judgement):
    reliability, _, brier, roc = plot.verdict(judgement, "2m_temperature").axes
    levels = [{float(np.ptp(x.get_ydata()) or x.get_ydata()[0]) for x in ax.lines} for ax in (reliability, brier, roc)]
    assert 0.1 in levels[0] and 0.0 in levels[1] and 0.5 in levels[2]


def test_brier_skill_and_roc_area_are_drawn_by_lead(judgement):
    *_, brier, roc = plot.verdict(judgement, "geopotential_500").axes
    np.testing.assert_allclose(brier.lines[0].get_ydata(), np.linspace(0.6, 0.1, 5))
    np.testing.assert_allclose(roc.lines[0].get_ydata(), np.linspace(0.8, 0.55, 5))
    np.testing.assert_allclose(roc.lines[0].get_xdata(), DAYS)


def test_one_lead_is_a_point_with_its_interval(scores):
    ax = plot.skill(scores.isel(lead_time=[2]), "rmse").axes[0]
    assert line(ax, "fourcastnet").get_marker() == "o"
    chosen = scores["rmse"].sel(system="fourcastnet", channel="geopotential_500").isel(lead_time=2) / 98.0665
    (interval,) = ax.collections[0].get_segments()
    np.testing.assert_allclose(interval[:, 1], chosen.sel(bound=["lower", "upper"]))


def test_two_baselines_that_coincide_are_both_seen(scores):
    """As the anomaly correlations of persistence and of damped persistence do."""
    same = scores.sel(system="persistence")
    both = xr.concat([same.assign_coords(system=name) for name in ("persistence", "damped persistence")], "system")
    ax = plot.skill(both, "acc").axes[0]
    dotted, solid = line(ax, "persistence"), line(ax, "damped persistence")
    assert (dotted.get_linestyle(), solid.get_linestyle()) == (":", "-")
    assert dotted.get_zorder() > solid.get_zorder() and dotted.get_color() != solid.get_color()


def test_the_legend_names_systems_of_any_panel(scores):
    first_alone = scores.where((scores.system != "persistence") | (scores.channel != CHANNELS[0]))
    assert [text.get_text() for text in plot.skill(first_alone, "rmse").legends[0].get_texts()] == SYSTEMS


def test_no_words_lie_on_the_curves_of_a_verdict(judgement, paint):
    figure = plot.verdict(judgement, "2m_temperature")
    paint(figure)
    for ax in figure.axes:
        assert ax.get_legend() is None
        for text in ax.texts:
            assert text.get_window_extent().y0 >= ax.bbox.y1


def test_skill_in_a_score_has_no_units_and_is_measured_against_none():
    assert look_of("crps_fair_skill") == MetricLook(
        "Skill in the continuous ranked probability score (fair)", 0.0, is_signed=True
    )
    assert look_of("mse_skill").power == 0 and look_of("brier_skill").words == "Brier skill score"
