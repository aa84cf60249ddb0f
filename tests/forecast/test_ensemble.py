"""Members: which slot computes them, their random numbers, and that they are the same whatever else runs."""

import numpy as np
import pytest
from tiny_forecast import SPEC, TIMES

from weatherml.errors import UserError
from weatherml.forecast import ForecastConfig
from weatherml.forecast.perturbation.base import member_keys, step_keys
from weatherml.state import to_array

HOUR = np.timedelta64(3600 * 10**9, "ns")
ASKED = dict(lead_time="18h", members=7, perturbation="spherical", batch=3, seed=4)


def test_member_alone_is_bit_equal_to_the_same_member_of_the_ensemble(network_forecaster, analysis):
    together = network_forecaster.run(analysis, TIMES[:2], ForecastConfig(**ASKED))
    alone = network_forecaster.run(analysis, TIMES[1], ForecastConfig(**ASKED, numbers=(5,)))
    expected = together.sel(number=[5], init_time=TIMES[[1]])
    np.testing.assert_array_equal(to_array(alone, SPEC), to_array(expected, SPEC))


def test_member_does_not_depend_on_the_size_of_the_ensemble(network_forecaster, analysis):
    few = network_forecaster.run(analysis, TIMES[0], ForecastConfig(**ASKED | {"members": 4}))
    many = network_forecaster.run(analysis, TIMES[0], ForecastConfig(**ASKED))
    np.testing.assert_array_equal(to_array(few, SPEC), to_array(many.isel(number=slice(4)), SPEC))


def test_another_seed_gives_other_members(forecaster, analysis):
    one, other = (
        forecaster.run(analysis, TIMES[0], ForecastConfig(**ASKED | {"seed": seed})).isel(number=2) for seed in (4, 5)
    )
    assert float(abs(one["temperature"] - other["temperature"]).max()) > 0.1


def test_keys_differ_by_seed_initial_time_member_and_step():
    far = np.array(["1969-12-31T23", "2020-01-01T00", "2020-01-01T01", "500000-01-01T00"], "datetime64[h]")
    draws = [
        tuple(np.asarray(step_keys(member_keys(seed, far, np.full(len(far), number)), step)._base_array[i]).tolist())
        for seed in (0, 1)
        for number in (0, 1)
        for step in (0, 1)
        for i in range(len(far))
    ]
    assert len(set(draws)) == 2 * 2 * 2 * len(far)


def test_leads_are_multiples_of_every():
    config = ForecastConfig(lead_time="2d", every="16h")
    assert (config.lead_times(8 * HOUR) == np.array([16, 32, 48]) * HOUR).all()


@pytest.mark.parametrize("numbers", [(7,), (-1, 2), (), (0, 10**30)])
def test_number_outside_the_ensemble_is_refused(numbers):
    with pytest.raises(UserError, match=r"numbers must lie in 0 \.\. 6"):
        ForecastConfig(**ASKED, numbers=numbers).member_numbers()
