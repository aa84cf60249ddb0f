"""Each member is its own: the same bits whoever else and whatever leads are asked for, with models of two steps."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_forecast import (
    SPEC,
    TIME_STEP,
    TIMES,
    NoisyAdvection,
    forecaster_of,
    make_forecaster,
    make_statistics,
    plausible,
)

from weatherml.checkpoint import Provenance
from weatherml.config import from_mapping
from weatherml.forecast import ForecastConfig
from weatherml.forecast.perturbation.base import registry
from weatherml.forecast.perturbation.noise_conditioned import ConditionedStep
from weatherml.forecast.rollout.model import Model
from weatherml.models import NoiseMapsConfig
from weatherml.state import to_array, to_dataset

N_MEMBERS, INITS = 7, TIMES[7:9]
PARTS = {"combined": {"parts": ["spherical", {"name": "combined", "parts": ["bred", "sppt"]}, "noise_conditioned"]}}
LEADS = {("2d", "6h"): range(8), ("30h", "6h"): range(5), ("2d", "12h"): range(1, 8, 2), ("30h", "30h"): [4]}
"""By longest lead and spacing, which of eight leads there are."""


@functools.cache
def forecaster():
    """Models of 6 and 24 hours that are told random maps."""
    plain = make_forecaster()
    step = ConditionedStep(NoisyAdvection(), NoiseMapsConfig(lengths=(3000,)).build(SPEC.grid))
    forcings = plain.suites[0].models[0].forcings
    models = tuple(Model(step, n * TIME_STEP, forcings, Provenance({}, "none"), is_told_maps=True) for n in (1, 4))
    return forecaster_of(models, plain.suites[0].normalizer)


@functools.cache
def analysis(has_members):
    array = plausible(np.random.default_rng(3).normal(0, 10, (len(TIMES), N_MEMBERS, *SPEC.shape)))
    array[..., ~make_statistics().valid] = np.nan
    made = to_dataset(array, SPEC, {"time": TIMES, "number": np.arange(N_MEMBERS)})
    return made if has_members else made.isel(number=0)


@functools.cache
def forecast(name, numbers, inits, lead_time, every):
    """Fields `[init, lead, number, channel, lat, lon]`."""
    asked = {
        "lead_time": lead_time,
        "every": every,
        "members": N_MEMBERS,
        "numbers": numbers,
        "batch": 3,
        "perturbation": {"name": name, **PARTS.get(name, {})},
    }
    made = forecaster().run(
        analysis(name == "analysis_ensemble"), INITS[list(inits)], from_mapping(ForecastConfig, asked)
    )
    return to_array(made, SPEC)


@pytest.mark.parametrize("name", list(registry))
@settings(max_examples=6, derandomize=True)
@given(
    numbers=st.lists(st.integers(0, N_MEMBERS - 1), min_size=1, max_size=4, unique=True),
    inits=st.sampled_from([(0,), (1,), (0, 1)]),
    leads=st.sampled_from(list(LEADS)),
)
def test_member_is_the_same_bits_whatever_else_is_asked_for(name, numbers, inits, leads):
    whole = forecast(name, tuple(range(N_MEMBERS)), (0, 1), "2d", "6h")
    some = forecast(name, tuple(numbers), inits, *leads)
    np.testing.assert_array_equal(some, whole[list(inits)][:, LEADS[leads]][:, :, sorted(numbers)])
