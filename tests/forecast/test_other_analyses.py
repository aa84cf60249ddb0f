"""Members that start from other analyses: older ones, or those of an ensemble."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_forecast import (
    SPEC,
    TIME_STEP,
    TIMES,
    forecaster_of,
    make_analysis,
    make_forecaster,
    make_statistics,
    replaced,
)

from weatherml.checkpoint import Provenance
from weatherml.data.reading.opening import open_files
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.forecast import AnalysisEnsembleConfig, ForecastConfig, Forecaster, LaggedConfig
from weatherml.forecast.rollout.model import Model
from weatherml.state import spec_of, to_array, to_dataset

HOUR = np.timedelta64(3600 * 10**9, "ns")


def make_members(n_members):
    """Analyses with several members; the first is that of `tiny_forecast`."""
    array = to_array(make_analysis(), SPEC)[:, None].repeat(n_members, 1)
    array[:, 1:] += np.random.default_rng(5).normal(size=array[:, 1:].shape).astype(np.float32)
    return to_dataset(array, SPEC, {"time": TIMES, "number": np.arange(n_members)})


@pytest.mark.parametrize(("interval", "hours"), [(None, 6), ("12h", 12)])
def test_lagged_member_is_the_older_forecast_at_the_same_valid_time(network_forecaster, analysis, interval, hours):
    config = ForecastConfig(lead_time="12h", members=4, batch=3, perturbation=LaggedConfig(interval=interval))
    lagged = network_forecaster.run(analysis, TIMES[[6, 8]], config)
    for init, init_time in enumerate(TIMES[[6, 8]]):
        for number in range(1, 4):
            age = number * hours * HOUR
            older = network_forecaster.forecast(analysis, init_time - age, f"{12 + number * hours}h", every="6h")
            same_time = older.isel(lead_time=slice(-2, None))
            assert (same_time["valid_time"].values == lagged["valid_time"].values[init]).all()
            # Added to the analysis and subtracted again: rounding of 250 K.
            np.testing.assert_allclose(
                to_array(lagged, SPEC)[init, :, number], to_array(same_time, SPEC)[0, :, 0], atol=2e-3
            )


def test_lagged_member_keeps_a_share_of_its_difference(forecaster, analysis):
    differences = []
    for scale in (1.0, 0.5):
        config = ForecastConfig(lead_time="6h", members=2, perturbation=LaggedConfig(scale=scale))
        members = to_array(forecaster.run(analysis, TIMES[4], config), SPEC)[0, 0]
        differences.append(members[1] - members[0])
    np.testing.assert_allclose(differences[1], 0.5 * differences[0], atol=1e-3)


def test_a_suite_needs_the_older_analyses_of_its_own_members_alone(forecaster, analysis):
    """Of five members the last is of the suite of short steps; of long ones it would start before the analyses."""
    slow = replaced(forecaster, models=(replace(forecaster.suites[0].models[0], time_step=2 * TIME_STEP),))
    config = ForecastConfig(lead_time="12h", members=5, perturbation=LaggedConfig())
    together = Forecaster.in_turn(forecaster, slow).run(analysis, TIMES[6], config)
    alone = [
        own.run(analysis, TIMES[6], config.model_copy(update={"every": "12h", "members": n_members}))
        for own, n_members in ((forecaster, 5), (slow, 4))
    ]
    for number in range(5):
        expected = alone[number % 2].sel(number=number)
        np.testing.assert_allclose(
            together["temperature"].sel(number=number), expected["temperature"], rtol=1e-5, err_msg=str(number)
        )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"members": 4}, "lagged member 3 starts from the analysis of 2020-02-26T18.*the first is of 2020-02-27T00"),
        ({"members": 2, "perturbation": LaggedConfig(interval="4h")}, "lagged member 1 starts from .* 2020-02-27T08"),
    ],
)
def test_older_analysis_that_is_not_there_is_one_line_before_anything_is_written(
    forecaster, analysis, asked, message, tmp_path
):
    config = ForecastConfig(**{"lead_time": "6h", "perturbation": LaggedConfig(), **asked})
    with pytest.raises(UserError, match=message) as caught:
        forecaster.run(analysis, TIMES[2], config, tmp_path / "forecast.zarr")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_lag_that_no_steps_add_up_to_is_one_line_before_anything_is_written(forecaster, tmp_path):
    hourly = make_analysis(TIMES[0] + np.arange(25) * HOUR)
    config = ForecastConfig(lead_time="6h", members=2, perturbation=LaggedConfig(interval="4h"))
    with pytest.raises(UserError, match="4h cannot be reached by steps of 6h") as caught:
        forecaster.run(hourly, TIMES[2], config, tmp_path / "forecast.zarr")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_member_of_an_analysis_ensemble_is_the_forecast_from_its_analysis(network_forecaster):
    analyses = make_members(4)
    config = ForecastConfig(lead_time="12h", members=4, batch=3, perturbation=AnalysisEnsembleConfig())
    forecast = to_array(network_forecaster.run(analyses, TIMES[[2, 3]], config), SPEC)
    for number in range(4):
        own = network_forecaster.forecast(analyses.isel(number=number), TIMES[[2, 3]], "12h")
        np.testing.assert_allclose(forecast[:, :, number], to_array(own, SPEC)[:, :, 0], atol=2e-3)


def test_spread_of_an_analysis_ensemble_can_be_inflated(forecaster):
    deviations = []
    for scale in (1.0, 3.0):
        config = ForecastConfig(lead_time="6h", members=4, perturbation=AnalysisEnsembleConfig(scale=scale))
        members = to_array(forecaster.run(make_members(4), TIMES[2], config), SPEC)[0, 0]
        deviations.append(members - members[0])
    np.testing.assert_allclose(deviations[1], 3 * deviations[0], atol=2e-3)


def test_members_beyond_the_analyses_are_refused(forecaster):
    config = ForecastConfig(members=5, perturbation=AnalysisEnsembleConfig())
    with pytest.raises(UserError, match=r"member 4 has no analysis: there are 3 \(numbers 0 \.\. 2\)") as caught:
        forecaster.run(make_members(3), TIMES[2], config)
    assert "\n" not in str(caught.value)


def test_analyses_without_members_are_refused(forecaster, analysis):
    config = ForecastConfig(members=2, perturbation=AnalysisEnsembleConfig())
    with pytest.raises(UserError, match="open the members of an analysis ensemble"):
        forecaster.run(analysis, TIMES[2], config)


def test_gap_in_one_members_analysis_is_refused(forecaster):
    analyses = make_members(3)
    analyses["temperature"][2, 2, 0, 1, 1] = np.nan
    config = ForecastConfig(lead_time="6h", members=3, perturbation=AnalysisEnsembleConfig())
    with pytest.raises(UserError, match="missing values of temperature_500"):
        forecaster.run(analyses, TIMES[2], config)


def test_era5_ensemble_of_data_assimilations(shared):
    analyses = open_files(shared("reanalysis/era5_eda_zt_850_500_3deg_20170101.grib"))
    spec = spec_of(analyses)
    array = to_array(analyses, spec)
    moments = [a.astype(np.float32) for a in (array.mean((0, 1, 3, 4)), array.std((0, 1, 3, 4)))]
    time_step = np.timedelta64(12 * 3600 * 10**9, "ns")
    valid, period = np.ones(spec.shape, bool), make_statistics().period
    statistics = Statistics(spec, *moments, 0.1 * moments[1], valid, time_step, period, 4)

    still = make_forecaster().suites[0].models[0].step
    still.damping.set_value(np.float32(1))
    model = Model(still, time_step, Forcings(("longitude",), spec.grid, TIME_STEP), Provenance({}, "none"))
    config = ForecastConfig(lead_time="12h", members=10, perturbation=AnalysisEnsembleConfig())
    forecast = forecaster_of((model,), Normalizer(statistics)).run(analyses, analyses["time"].values[1], config)
    moved = np.roll(array[1], 1, axis=-1)
    members = to_array(forecast, spec)[0, 0]
    np.testing.assert_allclose((members - members[0]).std(), (moved - moved[0]).std(), rtol=1e-3)
