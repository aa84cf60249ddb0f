"""The compiled rollout: chunks change nothing, memory stays flat, and one member's failure stays its own."""

import gc

import jax
import numpy as np
import pytest
import tiny_forecast
from tiny_forecast import SPEC, TIME_STEP, TIMES, Advection, Explosion, make_analysis, make_forecaster

from weatherml.forecast import ForecastConfig
from weatherml.forecast.analyses import Analyses
from weatherml.forecast.guards import GuardsConfig
from weatherml.forecast.plan import batches
from weatherml.forecast.plan.batches import Layout, outputs_per_chunk
from weatherml.forecast.rollout.setup import RolloutSetup
from weatherml.forecast.run.stream import OutputStream, Stream
from weatherml.state import to_array, to_dataset

OUTPUT_BYTES = 4 * 3 * int(np.prod(SPEC.shape))
"""Of three slots."""


class Discard:
    """An output that keeps nothing."""

    done = frozenset()
    most_batches = 1

    def write(self, start, places, values):
        pass

    def end_batches(self, batches, failures):
        self.done = self.done.union(batches)


def most_bytes_alive(n_leads, n_members):
    """The most that device arrays took while a forecast ran, four leads and three members at a time."""
    forecaster = make_forecaster(Advection())
    config = ForecastConfig(members=n_members, perturbation="spherical", batch=3)
    layout = Layout(SPEC, TIMES[:1], np.arange(1, n_leads + 1) * TIME_STEP, np.arange(n_members), (4, 3))
    analyses = Analyses(make_analysis(), forecaster.suites[0].normalizer)
    initial_states = tiny_forecast.initial_states(config, TIMES[:1], analyses, forecaster)
    setup = RolloutSetup(forecaster.suites[0], config, layout, initial_states)
    gc.collect()  # of what other tests have left
    at_start, alive = bytes_alive(), []
    OutputStream(Stream([setup]), Discard(), lambda done, total: alive.append(bytes_alive())).run()
    return max(alive) - at_start


def bytes_alive():
    return sum(array.nbytes for array in jax.live_arrays())


@pytest.mark.parametrize(("n_leads", "n_members"), [(240, 3), (24, 30)], ids=["leads", "members"])
def test_memory_is_constant_in(n_leads, n_members):
    before, chunk = most_bytes_alive(24, 3), 4 * OUTPUT_BYTES  # one more of which may wait for a thread that is late
    assert most_bytes_alive(n_leads, n_members) <= before + chunk + OUTPUT_BYTES


@pytest.mark.parametrize("n_outputs", [1, 2, 3])
def test_chunk_size_changes_nothing(network_forecaster, analysis, monkeypatch, n_outputs):
    config = ForecastConfig(lead_time="30h", members=3, perturbation="spherical", batch=3)
    whole = network_forecaster.run(analysis, TIMES[0], config)
    monkeypatch.setattr(batches, "CHUNK_BYTES", n_outputs * OUTPUT_BYTES)
    chunked = network_forecaster.run(analysis, TIMES[0], config)
    np.testing.assert_array_equal(to_array(chunked, SPEC), to_array(whole, SPEC))


@pytest.mark.parametrize(("n_outputs", "fitting", "expected"), [(40, 23, 20), (5, 4, 3), (7, 100, 7), (6, 0.3, 1)])
def test_chunks_fit_and_are_nearly_equal(n_outputs, fitting, expected, monkeypatch):
    monkeypatch.setattr(batches, "CHUNK_BYTES", int(fitting * 1000))
    assert outputs_per_chunk(n_outputs, 1000) == expected


@pytest.fixture(scope="module")
def exploded():
    """Forecasts from two initial times, of which the second starts with one value above one standard deviation."""
    forecaster = make_forecaster(Explosion())
    statistics, analysis = forecaster.suites[0].normalizer.statistics, make_analysis()
    calm = np.where(statistics.valid, statistics.mean[:, None, None], np.nan).astype(np.float32)
    array = to_array(analysis, SPEC)
    array[:] = calm
    array[1, 2, 3, 8] += 2 * statistics.std[2]
    analysis = to_dataset(array, SPEC, {"time": TIMES})
    config = ForecastConfig(lead_time="18h", batch=3, guards=GuardsConfig(bounds=False))
    return forecaster.run(analysis, TIMES[:2], config)


def test_failed_member_is_nan_in_every_channel_from_then_on(exploded):
    fields = to_array(exploded, SPEC)[1, :, 0]
    assert np.isfinite(fields[0, 0]).all()
    assert np.isnan(fields[1:]).all()


def test_failed_member_leaves_the_others_alone(exploded):
    valid = make_forecaster().suites[0].normalizer.statistics.valid
    assert np.isfinite(to_array(exploded, SPEC)[0][:, :, valid]).all()


def test_failed_member_is_listed_once(exploded):
    which, when = "init_time 2020-02-27T06:00 number 0", "at 2020-02-27T18:00 (lead 12h)"
    assert exploded.attrs["failed"] == [f"{which} {when} by temperature_850, which is no longer finite"]
