"""Members: which slot computes them, their random numbers, and that they are the same whatever else runs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_forecast import SPEC, TIMES

from weatherml.errors import UserError
from weatherml.forecast import ForecastConfig
from weatherml.forecast.ensemble import member_keys, parse_duration, plan_waves
from weatherml.state import to_array

HOUR = np.timedelta64(3600 * 10**9, "ns")
ASKED = dict(lead_time="18h", members=7, perturbation="spherical", batch=3, seed=4)

n_inits, n_members, n_slots = st.integers(1, 5), st.integers(1, 23), st.integers(1, 9)


def init_times(n):
    return np.datetime64("1969-12-30T06", "ns") + np.arange(n) * 18 * HOUR


def seats(waves):
    """(init, number) -> slot."""
    return {
        (block.init, number): slot
        for wave in waves
        for block in wave
        for number, slot in zip(block.numbers, block.slots, strict=True)
    }


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


@given(n_inits, n_members, n_slots)
def test_every_member_is_computed_once(n_init, n_member, n_slot):
    waves = plan_waves(init_times(n_init), np.arange(n_member), n_slot)
    found = [(block.init, number) for wave in waves for block in wave for number in block.numbers]
    assert sorted(found) == [(init, number) for init in range(n_init) for number in range(n_member)]


@given(n_inits, n_members, n_slots)
def test_no_two_members_of_a_wave_share_a_slot(n_init, n_member, n_slot):
    for wave in plan_waves(init_times(n_init), np.arange(n_member), n_slot):
        slots = [slot for block in wave for slot in block.slots]
        assert len(set(slots)) == len(slots)
        assert set(slots) <= set(range(n_slot))


@given(n_inits, n_members, n_slots, st.data())
def test_member_keeps_its_slot_whatever_else_is_computed(n_init, n_member, n_slot, data):
    whole = seats(plan_waves(init_times(n_init), np.arange(n_member), n_slot))
    init = data.draw(st.integers(0, n_init - 1))
    numbers = np.array(sorted(data.draw(st.sets(st.integers(0, n_member - 1), min_size=1))))
    part = seats(plan_waves(init_times(n_init)[[init]], numbers, n_slot))
    assert part == {(0, number): whole[init, number] for number in numbers.tolist()}


@given(n_inits, st.integers(1, 4), n_slots)
def test_no_slot_idles_where_slots_divide_members(n_init, n_wave, n_slot):
    waves = plan_waves(init_times(n_init), np.arange(n_wave * n_slot), n_slot)
    assert len(waves) == n_init * n_wave


def test_initial_times_of_deterministic_forecasts_share_waves():
    assert len(plan_waves(init_times(100), np.array([0]), 8)) < 25


def test_keys_differ_by_seed_initial_time_member_and_step():
    far = np.array(["1969-12-31T23", "2020-01-01T00", "2020-01-01T01", "500000-01-01T00"], "datetime64[h]")
    draws = [
        tuple(np.asarray(member_keys(seed, far, np.full(len(far), number), step)._base_array[i]).tolist())
        for seed in (0, 1)
        for number in (0, 1)
        for step in (0, 1)
        for i in range(len(far))
    ]
    assert len(set(draws)) == 2 * 2 * 2 * len(far)


def test_leads_are_multiples_of_every():
    config = ForecastConfig(lead_time="2d", every="16h")
    assert (config.lead_times(8 * HOUR) == np.array([16, 32, 48]) * HOUR).all()


@pytest.mark.parametrize(("text", "minutes"), [("90min", 90), ("36h", 2160), (" 10 d ", 14400)])
def test_duration_is_read(text, minutes):
    assert parse_duration(text) == np.timedelta64(minutes, "m")


@pytest.mark.parametrize("text", ["0h", "-6h", "1.5d", "6", "6 hours"])
def test_other_duration_is_refused(text):
    with pytest.raises(UserError, match="must be a positive whole number with d, h or min"):
        parse_duration(text)


@pytest.mark.parametrize("numbers", [(7,), (-1, 2), ()])
def test_number_outside_the_ensemble_is_refused(numbers):
    with pytest.raises(UserError, match=r"numbers must lie in 0 \.\. 6"):
        ForecastConfig(**ASKED, numbers=numbers).member_numbers()
