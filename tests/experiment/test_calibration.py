"""Amplitudes that make spread and error agree, found on ensembles whose right amplitudes are known."""

import dataclasses
import tracemalloc

import numpy as np
import pytest
from tiny_forecast import SPEC, TIMES, Echo, make_analysis, make_forecaster, plausible, replaced

from weatherml.checkpoint import Provenance
from weatherml.errors import UserError
from weatherml.experiment.calibration import KEPT, calibrate, fit, spread_skill
from weatherml.forecast import CombinedConfig, ForecastConfig, GaussianConfig, SphericalConfig
from weatherml.products import without_stopped
from weatherml.state import to_array, to_dataset
from weatherml.verification import evaluate

RIGHT = np.array([0.3, 0.05, 0.7, 0.1, 0.25])


def toy(noise=0.0, power=1.0):
    """Spread over error where the spread is a power of the amplitude, with some of another channel's."""
    rng = np.random.default_rng(0)

    def judge(perturbation):
        sizes = perturbation.sizes(SPEC) / RIGHT
        ratios = (0.95 * sizes**2 + 0.05 * np.roll(sizes, 1) ** 2) ** (power / 2)
        return dict(zip(SPEC.names, ratios * np.exp(noise * rng.normal(size=5)), strict=True))

    return judge


@pytest.fixture(scope="module")
def analysis():
    return make_analysis()


@pytest.fixture(scope="module")
def forecaster():
    return make_forecaster()


@pytest.mark.parametrize("power", [1.0, 0.7])
def test_amplitudes_come_out_as_they_should_be(power):
    fitted = fit(toy(power=power), SphericalConfig(scale=0.05), SPEC, n_rounds=6)
    np.testing.assert_allclose(fitted.perturbation.sizes(SPEC), RIGHT, rtol=0.1)
    assert fitted.error < 0.03


def test_scale_comes_first_and_one_secant_is_enough_where_channels_agree():
    trials = []
    ratios = dict.fromkeys(SPEC.names, 0.0)
    judge = lambda perturbation: {name: (perturbation.scale / 0.4) ** 0.6 for name in ratios}  # noqa: E731
    fitted = fit(judge, GaussianConfig(scale=0.1), SPEC, 4, trials.append)
    assert len(trials) == 3
    assert fitted.perturbation.scale == pytest.approx(0.4, rel=0.05)
    assert fitted.perturbation.amplitude == ()


def test_scale_is_the_geometric_mean_of_the_sizes():
    fitted = fit(toy(), SphericalConfig(), SPEC, n_rounds=6).perturbation
    assert fitted.scale == pytest.approx(np.exp(np.log(RIGHT).mean()), rel=0.1)
    assert fitted.length == SphericalConfig().length


def test_no_more_ensembles_are_made_than_asked_for():
    trials = []
    fit(toy(noise=0.5), SphericalConfig(), SPEC, 3, trials.append)
    assert len(trials) == 6


def test_best_of_the_ensembles_is_returned():
    trials = []
    fitted = fit(toy(noise=0.5), SphericalConfig(), SPEC, 4, trials.append)
    assert fitted.error == min(trial.error for trial in trials)


def test_channel_without_amplitude_keeps_none():
    fitted = fit(toy(), SphericalConfig(amplitude={"sst": 0.0}), SPEC, n_rounds=3)
    assert fitted.perturbation.sizes(SPEC)[SPEC.index("sst")] == 0
    assert set(fitted.spread_skill) == set(SPEC.names[:-1])


def make_truth():
    """Advection of the analysis, off by its own error in each channel: what the perturbation should have been."""
    forecaster = make_forecaster()
    statistics = forecaster.suites[0].normalizer.statistics
    rng = np.random.default_rng(8)
    array = plausible(rng.normal(0, 10, (len(TIMES), *SPEC.shape)))
    array[:, ~statistics.valid] = np.nan
    for time in range(0, len(TIMES) - 1, 2):
        times = TIMES[[time]]
        start = to_dataset(array[[time]], SPEC, {"time": times})
        following = to_array(forecaster.forecast(start, times, "6h"), SPEC)[0, 0, 0]
        error = 0.9 * RIGHT[:, None, None] * statistics.std[:, None, None] * rng.normal(size=SPEC.shape)
        array[time + 1] = following + error
    return to_dataset(array, SPEC, {"time": TIMES})


def test_forecaster_learns_the_errors_of_its_analyses():
    config = ForecastConfig(lead_time="6h", members=20, batch=20, perturbation=GaussianConfig(scale=0.05))
    fitted = calibrate(make_forecaster(), make_truth(), TIMES[0:8:2], config, n_rounds=4)
    np.testing.assert_allclose(fitted.perturbation.sizes(SPEC), RIGHT, rtol=0.15)
    assert fitted.error < 0.06


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"perturbation": None, "members": 1}, "there is no amplitude to fit, which needs a perturbation"),
        ({"perturbation": GaussianConfig(), "members": 1}, "at least 2 members"),
        ({"perturbation": GaussianConfig(scale=0.0)}, "scale 0 is no amplitude to start from"),
    ],
)
def test_nothing_to_fit_is_one_line(forecaster, analysis, asked, message):
    with pytest.raises(UserError, match=message) as caught:
        calibrate(forecaster, analysis, TIMES[0], ForecastConfig(**{"lead_time": "6h", "members": 3, **asked}))
    assert "\n" not in str(caught.value)


def test_members_that_the_model_makes_alike_are_one_line(analysis):
    with pytest.raises(UserError, match="spread over error of geopotential_500 is 0, from which no amplitude follows"):
        calibrate(make_forecaster(Echo()), analysis, TIMES[:2], TWELVE_HOURS)


def make_tested_forecaster(*test):
    forecaster = make_forecaster()
    provenance = Provenance({"periods": {"test": list(test)}}, "none")
    return replaced(forecaster, models=(dataclasses.replace(forecaster.suites[0].models[0], provenance=provenance),))


TWELVE_HOURS = ForecastConfig(lead_time="12h", members=3, perturbation=SphericalConfig(), batch=3)


def test_times_of_a_models_test_period_are_refused(analysis):
    forecaster = make_tested_forecaster("2020-02-27T18", "2020-03-05")
    with pytest.raises(UserError, match=r"reach into the test period 2020-02-27T18 \.\. 2020-03-05 of the model"):
        calibrate(forecaster, analysis, TIMES[:2], TWELVE_HOURS)


def test_times_before_a_models_test_period_will_do(analysis):
    forecaster = make_tested_forecaster("2020-03", "2020-04")
    assert set(calibrate(forecaster, analysis, TIMES[:2], TWELVE_HOURS, n_rounds=1).spread_skill) == set(SPEC.names)


def test_parts_of_a_combination_are_scaled_together():
    fitted = fit(toy(), CombinedConfig(parts=(SphericalConfig(scale=0.3),)), SPEC, 6).perturbation
    assert fitted.parts == (SphericalConfig(scale=0.3),)
    np.testing.assert_allclose(fitted.sizes(SPEC), RIGHT, rtol=0.1)


@pytest.fixture(scope="module")
def truth():
    return make_truth()


def judged(forecaster, truth, config, n_init=3):
    """Return the first trial, whose ensemble is reduced as it is made."""
    trials = []
    calibrate(forecaster, truth, TIMES[:n_init], config, 1, trials.append)
    return trials[0]


def by_evaluation(forecaster, truth, config, n_init=3):
    """Return the same of members that are held, without those that stopped."""
    forecast = without_stopped(forecaster.run(truth, TIMES[:n_init], config))
    found = evaluate(forecast, truth, ["spread_skill"])["spread_skill"].sel(bound="estimate").isel(lead_time=-1)
    return dict(zip(found["channel"].values.tolist(), found.values.tolist(), strict=True))


@pytest.mark.parametrize("batch", [3, 20])
def test_ensembles_that_are_reduced_as_they_are_made_are_judged_as_their_members(forecaster, truth, batch):
    config = ForecastConfig(lead_time="6h", members=8, batch=batch, perturbation=GaussianConfig(scale=0.3))
    found = judged(forecaster, truth, config).spread_skill
    expected = by_evaluation(forecaster, truth, config)
    assert found == pytest.approx(expected, rel=1e-5)
    assert len(set(found.values())) == SPEC.n_channels


def test_a_member_that_stops_is_left_out_and_counted(forecaster, truth):
    config = ForecastConfig(lead_time="6h", members=20, batch=20, perturbation=GaussianConfig(scale=2.2))
    found = judged(forecaster, truth, config, n_init=1)
    assert found.n_stopped == 20 - without_stopped(forecaster.run(truth, TIMES[0], config)).sizes["number"]
    assert 0 < found.n_stopped < 10
    assert found.spread_skill == pytest.approx(by_evaluation(forecaster, truth, config, 1), rel=1e-5)


def test_an_ensemble_most_of_whose_members_stop_is_too_large_and_the_search_goes_on(forecaster, truth):
    config = ForecastConfig(lead_time="6h", members=20, batch=20, perturbation=GaussianConfig(scale=40.0))
    trials = []
    fitted = calibrate(forecaster, truth, TIMES[0:8:2], config, 4, trials.append)
    assert np.isinf(trials[0].error) and trials[0].n_stopped == 4 * 19  # all but the controls
    assert trials[1].perturbation.scale == pytest.approx(8)
    assert fitted.error < 0.2


def test_too_large_after_one_that_was_not_is_half_way_back():
    trials = []
    grows = lambda perturbation: None if perturbation.scale > 1 else dict.fromkeys(SPEC.names, 0.3 * perturbation.scale)  # noqa: E731
    fit(grows, GaussianConfig(scale=0.5), SPEC, 4, trials.append)
    scales = [trial.perturbation.scale for trial in trials[:3]]
    assert scales[1] == pytest.approx(2.5) and scales[2] == pytest.approx(np.sqrt(0.5 * 2.5), rel=1e-3)
    assert np.isinf(trials[1].error) and trials[1].spread_skill == dict.fromkeys(SPEC.names, np.inf)


def test_ensembles_that_are_all_too_large_are_one_line():
    with pytest.raises(UserError, match=r"every ensemble, down to scale 0\.4; pass scale=0\.2 to start from"):
        fit(lambda perturbation: None, GaussianConfig(scale=50.0), SPEC, 2)


def test_memory_holds_no_members_but_those_of_a_batch(forecaster, truth):
    def peak(members, n_init):
        config = ForecastConfig(lead_time="6h", members=members, batch=20, perturbation=GaussianConfig(scale=0.1))
        tracemalloc.start()
        spread_skill(forecaster, truth, truth, TIMES[:n_init], config.model_copy(update={"statistics": KEPT}))
        bytes_at_most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return bytes_at_most

    peak(20, 1)  # whatever stays once it was needed
    few, many = peak(20, 1), peak(480, 2)
    assert many - few < (2 * 480 * 4 * np.prod(SPEC.shape)) / 3  # of the members; plans of batches are among it
