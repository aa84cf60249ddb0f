"""Several perturbations at once: a sum of independent parts."""

import numpy as np
import pytest
from tiny_forecast import SPEC, TIMES, make_analysis, make_forecaster

from weatherml.errors import UserError
from weatherml.forecast import (
    AnalysisEnsembleConfig,
    CombinedConfig,
    ForecastConfig,
    GaussianConfig,
    SphericalConfig,
    SpptConfig,
)
from weatherml.state import to_array, to_dataset


def differences(perturbation, analysis=None):
    """Members less the control after one step, `[member, channel, lat, lon]`; advection is linear."""
    config = ForecastConfig(lead_time="6h", members=4, batch=2, perturbation=perturbation)
    analysis = make_analysis() if analysis is None else analysis
    members = to_array(make_forecaster().run(analysis, TIMES[0], config), SPEC)[0, 0]
    return members[1:] - members[0]


def test_combination_of_one_is_that_one():
    np.testing.assert_allclose(
        differences(CombinedConfig(parts=(GaussianConfig(),))), differences(GaussianConfig()), atol=1e-3
    )


def test_first_part_is_what_it_is_alone_and_the_second_is_independent():
    both = differences(CombinedConfig(parts=(GaussianConfig(scale=0.3), GaussianConfig(scale=0.2))))
    first = differences(GaussianConfig(scale=0.3))
    second = both - first
    valid = np.isfinite(first)
    assert np.std(second[valid]) == pytest.approx(np.std(first[valid]) * 2 / 3, rel=0.05)
    assert abs(np.corrcoef(first[valid], second[valid])[0, 1]) < 0.05


def test_combinations_within_combinations_draw_as_if_all_parts_lay_side_by_side():
    one, two, three = (GaussianConfig(scale=scale) for scale in (0.1, 0.2, 0.3))
    expected = differences(CombinedConfig(parts=(one, two, three)))
    for parts in ((one, CombinedConfig(parts=(two, three))), (CombinedConfig(parts=(one, two)), three)):
        np.testing.assert_allclose(differences(CombinedConfig(parts=parts)), expected, atol=2e-3)


def test_scale_and_amplitude_multiply_those_of_the_parts():
    part = SphericalConfig(scale=0.1, amplitude={"t500": 0.5})
    combined = CombinedConfig(scale=2.0, amplitude={"temperature": 3.0}, parts=(part,))
    expected = SphericalConfig(scale=0.2, amplitude={"t500": 1.5, "t850": 3.0})
    np.testing.assert_allclose(differences(combined), differences(expected), atol=2e-3)


def test_initial_states_and_tendencies_are_both_perturbed():
    parts = SphericalConfig(scale=0.01), SpptConfig(scale=0.01)
    both = differences(CombinedConfig(parts=parts))
    np.testing.assert_allclose(both, sum(map(differences, parts)), atol=0.02)


def test_members_of_analyses_may_be_a_part():
    array = to_array(make_analysis(), SPEC)[:, None] + np.arange(4, dtype=np.float32)[:, None, None, None]
    analysis = to_dataset(array, SPEC, {"time": TIMES, "number": np.arange(4)})
    found = differences(CombinedConfig(parts=(AnalysisEnsembleConfig(), SphericalConfig(scale=0.0))), analysis)
    np.testing.assert_allclose(found[:, :4].mean((1, 2, 3)), 0.9 * np.arange(1, 4), rtol=1e-3)


def test_no_parts_are_refused():
    with pytest.raises((UserError, ValueError), match="parts"):
        CombinedConfig(parts=())
