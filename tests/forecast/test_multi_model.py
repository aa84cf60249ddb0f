"""Ensembles of several models: whose member is whose, how they are made, and that models must agree."""

import dataclasses
import json
import weakref

import device_program
import numpy as np
import pytest
import xarray as xr
from tiny_forecast import SPEC, TIMES, Advection, Echo, Explosion, make_forecaster, make_network_step, replaced

from weatherml.data.statistics.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.forecast import ForecastConfig, Forecaster, SphericalConfig
from weatherml.forecast.output.target import OutputTarget
from weatherml.forecast.rollout.device import DeviceRollout
from weatherml.grid import LatLonGrid
from weatherml.products.store import open_forecast
from weatherml.state import StateSpec
from weatherml.storage.share import Share

CONFIG = ForecastConfig(lead_time="12h", members=7, batch=2, perturbation=SphericalConfig())
STATISTICS = device_program.STATISTICS
FORECASTERS = tuple(make_forecaster(step) for step in (Advection(), make_network_step(), Echo()))
TOGETHER = Forecaster.in_turn(*FORECASTERS)


def asked(**changes):
    return ForecastConfig.model_validate(CONFIG.model_dump() | changes)


@pytest.fixture(scope="module")
def whole(analysis):
    return TOGETHER.run(analysis, TIMES[:2], CONFIG)


def test_member_is_that_of_its_own_forecaster(analysis, whole):
    """Bit for bit with one member at a time; another slot of a batch may differ by rounding."""
    assert whole["number"].values.tolist() == list(range(7))
    one_by_one = TOGETHER.run(analysis, TIMES[:2], asked(batch=1))
    for number in range(7):
        alone = FORECASTERS[number % 3].run(analysis, TIMES[:2], asked(numbers=(number,), batch=1))
        xr.testing.assert_equal(one_by_one.sel(number=[number]), alone)
        xr.testing.assert_allclose(whole.sel(number=[number]), alone, rtol=1e-5)


@pytest.mark.parametrize("numbers", [(4, 2), (0, 3, 4, 6), (5,)])
def test_chosen_members_are_those_of_the_whole_ensemble(analysis, whole, tmp_path, numbers):
    some = TOGETHER.run(analysis, TIMES[1], asked(numbers=numbers), tmp_path / "some.zarr")
    expected = whole.sel(number=sorted(numbers), init_time=TIMES[1:2])
    xr.testing.assert_equal(some.load(), expected)


def test_one_model_in_turn_is_that_model(analysis):
    alone = FORECASTERS[1].run(analysis, TIMES[:2], CONFIG)
    xr.testing.assert_identical(Forecaster.in_turn(*FORECASTERS[1:2]).run(analysis, TIMES[:2], CONFIG), alone)


def test_stored_members_are_those_in_memory(analysis, whole, tmp_path):
    stored = TOGETHER.run(analysis, TIMES[:2], CONFIG, tmp_path / "forecast.zarr")
    xr.testing.assert_identical(stored.load(), whole)


class Stop(Exception):
    """Ends a forecast from within."""


def stop(done, total):
    raise Stop


@pytest.mark.parametrize("statistics", [None, STATISTICS], ids=["members", "statistics"])
def test_an_interrupted_ensemble_goes_on_within_any_model(analysis, tmp_path, statistics):
    config = asked(statistics=statistics)
    expected = TOGETHER.run(analysis, TIMES[:2], config)
    path = tmp_path / "forecast.zarr"
    for _ in range(2):
        with pytest.raises(Stop):
            TOGETHER.run(analysis, TIMES[:2], config, path, progress=stop)
    done = []
    resumed = TOGETHER.run(analysis, TIMES[:2], config, path, progress=lambda n, total: done.append(n))
    xr.testing.assert_identical(resumed.load(), expected)
    assert done[0] > 12 and done[-1] == 2 * 2 * 7  # the first model has 12 fields


def test_shares_make_the_ensemble_together(analysis, whole, tmp_path):
    path = tmp_path / "forecast.zarr"
    shares = [OutputTarget(path, share=Share(index, 3)) for index in (2, 0, 1)]
    wholes = [TOGETHER.run_share(analysis, TIMES[:2], CONFIG, share) for share in shares]
    assert wholes == [False, False, True]
    xr.testing.assert_identical(open_forecast(path).load(), whole)


def test_one_model_at_a_time_lies_on_a_device(analysis, monkeypatch):
    alive, counts = weakref.WeakSet(), []

    class Watched(DeviceRollout):
        def __init__(self, device, setup):
            super().__init__(device, setup)
            alive.add(self)

    monkeypatch.setattr("weatherml.forecast.run.stream.DeviceRollout", Watched)
    count = lambda done, total: counts.append(len({id(own.setup) for own in alive}))  # noqa: E731
    TOGETHER.run(analysis, TIMES[:2], CONFIG, progress=count)
    assert max(counts) == 1


def test_statistics_are_of_all_models(analysis, whole):
    found = TOGETHER.run(analysis, TIMES[:2], asked(statistics={"mean": True, "maximum": True}))
    mean, maximum = whole["temperature"].mean("number"), whole["temperature"].max("number")
    np.testing.assert_allclose(found["temperature_mean"], mean.transpose(*found["temperature_mean"].dims), rtol=1e-6)
    np.testing.assert_array_equal(found["temperature_maximum"], maximum.transpose(*found["temperature_maximum"].dims))


def test_only_members_of_the_model_that_explodes_stop(analysis):
    together = Forecaster.in_turn(make_forecaster(Advection()), make_forecaster(Explosion()))
    failed = together.run(analysis, TIMES[0], CONFIG).attrs["failed"]
    assert [int(story.split("number ")[1].split()[0]) for story in failed] == [1, 3, 5]


def test_attributes_tell_of_every_model(analysis, whole):
    digests = [forecaster.forecast(analysis, TIMES[0], "6h").attrs["model_digest"] for forecaster in FORECASTERS]
    assert json.loads(whole.attrs["model_digest"]) == digests
    assert [len(models) for models in json.loads(whole.attrs["provenance"])] == [1, 1, 1]
    assert ForecastConfig.model_validate_json(whole.attrs["forecast_config"]) == CONFIG
    assert whole.attrs["failed"] == []


def test_request_tells_models_and_their_order_apart(analysis):
    found = [
        Forecaster.in_turn(*chosen).request(analysis, TIMES[0], CONFIG)
        for chosen in (FORECASTERS, FORECASTERS[::-1], FORECASTERS[:2], FORECASTERS[:1])
    ]
    assert len(set(found)) == 4
    assert found[3] == FORECASTERS[0].request(analysis, TIMES[0], CONFIG)


def test_leads_are_those_that_every_model_reaches(analysis):
    first = FORECASTERS[0]
    slower = dataclasses.replace(first.suites[0].models[0], time_step=2 * first.time_step)
    together = Forecaster.in_turn(first, replaced(first, models=(slower,)))
    made = together.run(analysis, TIMES[0], asked(lead_time="24h"))
    assert (made["lead_time"].values / first.time_step).tolist() == [2, 4]
    with pytest.raises(UserError, match="every 6h cannot be reached by steps of 12h"):
        together.run(analysis, TIMES[0], asked(every="6h"))


def on(spec):
    """The tiny forecaster with statistics of another state."""
    statistics = FORECASTERS[0].suites[0].normalizer.statistics
    n = spec.n_channels
    moments = {name: getattr(statistics, name)[:n] for name in ("mean", "std", "difference_std")}
    statistics = dataclasses.replace(statistics, spec=spec, valid=np.ones(spec.shape, bool), **moments)
    return replaced(FORECASTERS[0], normalizer=Normalizer(statistics))


@pytest.mark.parametrize(
    ("forecasters", "message"),
    [
        ((), "needs at least one"),
        ((FORECASTERS[0], on(StateSpec(SPEC.channels[:4], SPEC.grid))), "differ in channel 'sea_surface_temp"),
        ((FORECASTERS[0], on(StateSpec(SPEC.channels, LatLonGrid.regular(6, 12)))), r"different grids, \(8, 12\) and"),
    ],
)
def test_models_that_do_not_agree_are_refused(forecasters, message):
    with pytest.raises(UserError, match=message) as caught:
        Forecaster.in_turn(*forecasters)
    assert "\n" not in str(caught.value)
