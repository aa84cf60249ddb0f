"""The batch that fits: the largest whose needs are met, with few looks at what it needs."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from flax import nnx
from tiny_forecast import (
    SPEC,
    TIME_STEP,
    TIMES,
    make_analysis,
    make_climatology,
    make_forecaster,
    make_network_step,
    replaced,
)

from weatherml.forecast import ForecastConfig
from weatherml.forecast.plan import batches
from weatherml.forecast.plan.batches import fitting_batch
from weatherml.forecast.rollout.device import DeviceRollout
from weatherml.forecast.run import request
from weatherml.parallel import local_devices


@pytest.mark.parametrize(
    ("room", "expected"), [(100, 12), (99, 11), (52, 6), (51, 5), (27, 2), (3, 1)], ids=lambda value: str(value)
)
def test_batch_is_the_largest_that_fits(room, expected):
    assert fitting_batch(12, lambda n: (4, 8 * n), room) == expected


@pytest.mark.parametrize(("most", "room"), [(10, 4), (7, 6)])
def test_a_batch_need_not_divide_the_one_that_was_wished_for(most, room):
    assert fitting_batch(most, lambda n: (0, n), room) == room


def test_what_fits_at_once_is_looked_at_once():
    looked = []
    fitting_batch(8, lambda n: (looked.append(n) or 0, n), 8)
    assert looked == [8]


def test_needs_that_do_not_shrink_in_proportion_are_looked_at_again():
    looked = []
    assert fitting_batch(8, lambda n: (looked.append(n) or 0, n + 2), 5) == 3
    assert looked == [8, 4, 3]


def test_what_did_not_fit_is_not_kept(monkeypatch):
    monkeypatch.setattr(request, "device_room", lambda device: 0)
    asked = make_forecaster()._request(make_analysis(), TIMES[0], ForecastConfig(members=2, perturbation="gaussian"))
    assert asked._fitting_batch() == 1
    assert len(asked._setups(1)) == 1 and list(asked._made) == [1]


def test_models_that_wait_take_memory_of_their_own():
    """What members add is at least what they add to one model, and every model has its weights on the device."""
    forecaster = make_forecaster(make_network_step(), make_climatology())
    (model,) = forecaster.suites[0].models
    models = (replace(model, time_step=2 * TIME_STEP), model)

    def needs(models, hours):
        config = ForecastConfig(lead_time=f"{hours}h", every=f"{hours}h")
        asked = replaced(forecaster, models=models)._request(make_analysis(), TIMES[0], config)
        return DeviceRollout(local_devices()[0], asked._setups(1)[0]).needed_bytes(1)

    (fixed, added), (fixed_of_both, added_of_both) = needs(models[:1], 12), needs(models, 18)
    weights = sum(leaf.nbytes for leaf in jax.tree.leaves(nnx.state(model.step)))
    assert fixed_of_both == fixed + weights
    assert 0 < added <= added_of_both


def test_programs_that_told_what_they_need_are_not_compiled_again(caplog, monkeypatch):
    # Seven members, as no other test has: programs of one shape are compiled once in a process.
    monkeypatch.setattr(batches, "CHUNK_BYTES", 2 * 4 * 7 * int(np.prod(SPEC.shape)))
    config = ForecastConfig(lead_time="30h", members=7, perturbation="gaussian")
    with jax.log_compiles(), caplog.at_level("WARNING"):
        found = make_forecaster(make_network_step()).run(make_analysis(), TIMES[:2], config)
    compiled = [line for line in caplog.messages if "Finished XLA compilation of jit(advance)" in line]
    assert found.attrs["batch"] == 7
    assert len(compiled) == 1
