"""Waves: every member once, in a slot of its own, which stays whatever else is computed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weatherml.forecast.plan.batches import members_per_chunk, model_of, plan_batches, smaller_batch, split_batch

HOUR = np.timedelta64(3600 * 10**9, "ns")

n_inits, n_members, n_slots = st.integers(1, 5), st.integers(1, 23), st.integers(1, 9)
n_models = st.integers(1, 4)


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


@given(n_inits, n_members, n_slots, n_models)
def test_every_member_is_computed_once(n_init, n_member, n_slot, n_model):
    waves = plan_batches(init_times(n_init), np.arange(n_member), n_slot, n_model)
    found = [(block.init, number) for wave in waves for block in wave for number in block.numbers]
    assert sorted(found) == [(init, number) for init in range(n_init) for number in range(n_member)]


@given(n_inits, n_members, n_slots, n_models)
def test_no_two_members_of_a_wave_share_a_slot(n_init, n_member, n_slot, n_model):
    for wave in plan_batches(init_times(n_init), np.arange(n_member), n_slot, n_model):
        slots = [slot for block in wave for slot in block.slots]
        assert len(set(slots)) == len(slots)
        assert set(slots) <= set(range(n_slot))


@given(n_inits, n_members, n_slots, n_models, st.data())
def test_member_keeps_its_slot_whatever_else_is_computed(n_init, n_member, n_slot, n_model, data):
    whole = seats(plan_batches(init_times(n_init), np.arange(n_member), n_slot, n_model))
    init = data.draw(st.integers(0, n_init - 1))
    numbers = np.array(sorted(data.draw(st.sets(st.integers(0, n_member - 1), min_size=1))))
    part = seats(plan_batches(init_times(n_init)[[init]], numbers, n_slot, n_model))
    assert part == {(0, number): whole[init, number] for number in numbers.tolist()}


@given(n_inits, st.integers(1, 4), n_slots, n_models)
def test_no_slot_idles_where_slots_divide_the_members_of_a_model(n_init, n_wave, n_slot, n_model):
    waves = plan_batches(init_times(n_init), np.arange(n_wave * n_slot * n_model), n_slot, n_model)
    assert len(waves) == n_init * n_wave * n_model


@given(n_inits, st.sets(st.integers(0, 23), min_size=1), n_slots, n_models)
def test_a_wave_is_of_one_model_and_waves_of_a_model_follow_each_other(n_init, asked, n_slot, n_model):
    waves = plan_batches(init_times(n_init), np.array(sorted(asked)), n_slot, n_model)
    for wave in waves:
        assert {number % n_model for block in wave for number in block.numbers} == {model_of(wave, n_model)}
    models = [model_of(wave, n_model) for wave in waves]
    assert models == sorted(models)


def test_initial_times_of_deterministic_forecasts_share_waves():
    assert len(plan_batches(init_times(100), np.array([0]), 8)) < 25


@given(n_inits, st.sets(st.integers(0, 23), min_size=1), st.integers(2, 12), n_models)
def test_members_of_a_split_wave_have_the_slots_of_the_smaller_batch(n_init, asked, n_slot, n_model):
    numbers, smaller = np.array(sorted(asked)), smaller_batch(n_slot)
    expected = seats(plan_batches(init_times(n_init), numbers, smaller, n_model))
    waves = plan_batches(init_times(n_init), numbers, n_slot, n_model)
    parts = [part for wave in waves for part in split_batch(wave, smaller, n_model)]
    assert seats(parts) == expected
    blocks = [block for part in parts for block in part]
    places = [(block.init, place) for block in blocks for place in block.places]
    assert sorted(places) == [(init, i) for init in range(n_init) for i in range(len(numbers))]
    assert all(tuple(numbers[list(block.places)]) == block.numbers for block in blocks)
    for part in parts:
        slots = [slot for block in part for slot in block.slots]
        assert len(set(slots)) == len(slots)


@pytest.mark.parametrize(("batch", "expected"), [(16, 8), (10, 5), (9, 3), (5, 1), (2, 1)])
def test_smaller_batch_divides(batch, expected):
    assert smaller_batch(batch) == expected


@given(st.sets(st.integers(0, 23), min_size=1), st.integers(1, 9), n_models)
def test_no_chunk_belongs_to_two_waves(asked, n_slot, n_model):
    numbers = np.array(sorted(asked))
    length = members_per_chunk(numbers, n_slot, n_model)
    owners = {}
    for position, wave in enumerate(plan_batches(init_times(2), numbers, n_slot, n_model)):
        for block in wave:
            for place in block.places:
                owners.setdefault((block.init, place // length), set()).add(position)
    assert all(len(waves) == 1 for waves in owners.values())


def test_members_of_whole_waves_share_chunks():
    assert members_per_chunk(np.arange(23), 10) == 10
    assert members_per_chunk(np.array([3, 4]), 10) == 2
    assert members_per_chunk(np.array([3, 14]), 10) == 1
