"""Batches: every member once, in a slot of its own, which stays whatever else is computed."""

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


def slots_by_member(batches):
    """(init, number) -> slot."""
    return {
        (part.init, number): slot
        for batch in batches
        for part in batch
        for number, slot in zip(part.numbers, part.slots, strict=True)
    }


@given(n_inits, n_members, n_slots, n_models)
def test_every_member_is_computed_once(n_init, n_member, n_slot, n_model):
    batches = plan_batches(init_times(n_init), np.arange(n_member), n_slot, n_model)
    found = [(part.init, number) for batch in batches for part in batch for number in part.numbers]
    assert sorted(found) == [(init, number) for init in range(n_init) for number in range(n_member)]


@given(n_inits, n_members, n_slots, n_models)
def test_no_two_members_of_a_batch_share_a_slot(n_init, n_member, n_slot, n_model):
    for batch in plan_batches(init_times(n_init), np.arange(n_member), n_slot, n_model):
        slots = [slot for part in batch for slot in part.slots]
        assert len(set(slots)) == len(slots)
        assert set(slots) <= set(range(n_slot))


@given(n_inits, n_members, n_slots, n_models, st.data())
def test_member_keeps_its_slot_whatever_else_is_computed(n_init, n_member, n_slot, n_model, data):
    whole = slots_by_member(plan_batches(init_times(n_init), np.arange(n_member), n_slot, n_model))
    init = data.draw(st.integers(0, n_init - 1))
    numbers = np.array(sorted(data.draw(st.sets(st.integers(0, n_member - 1), min_size=1))))
    part = slots_by_member(plan_batches(init_times(n_init)[[init]], numbers, n_slot, n_model))
    assert part == {(0, number): whole[init, number] for number in numbers.tolist()}


@given(n_inits, st.integers(1, 4), n_slots, n_models)
def test_no_slot_idles_where_slots_divide_the_members_of_a_model(n_init, n_batch, n_slot, n_model):
    batches = plan_batches(init_times(n_init), np.arange(n_batch * n_slot * n_model), n_slot, n_model)
    assert len(batches) == n_init * n_batch * n_model


@given(n_inits, st.sets(st.integers(0, 23), min_size=1), n_slots, n_models)
def test_a_batch_is_of_one_model_and_batches_of_a_model_follow_each_other(n_init, asked, n_slot, n_model):
    batches = plan_batches(init_times(n_init), np.array(sorted(asked)), n_slot, n_model)
    for batch in batches:
        assert {number % n_model for part in batch for number in part.numbers} == {model_of(batch, n_model)}
    models = [model_of(batch, n_model) for batch in batches]
    assert models == sorted(models)


def test_initial_times_of_deterministic_forecasts_share_batches():
    assert len(plan_batches(init_times(100), np.array([0]), 8)) < 25


@given(n_inits, st.sets(st.integers(0, 23), min_size=1), st.integers(2, 12), n_models)
def test_members_of_a_split_batch_have_the_slots_of_the_smaller_batch(n_init, asked, n_slot, n_model):
    numbers, smaller = np.array(sorted(asked)), smaller_batch(n_slot)
    expected = slots_by_member(plan_batches(init_times(n_init), numbers, smaller, n_model))
    batches = plan_batches(init_times(n_init), numbers, n_slot, n_model)
    split = [own for batch in batches for own in split_batch(batch, smaller, n_model)]
    assert slots_by_member(split) == expected
    parts = [part for own in split for part in own]
    places = [(part.init, place) for part in parts for place in part.places]
    assert sorted(places) == [(init, i) for init in range(n_init) for i in range(len(numbers))]
    assert all(tuple(numbers[list(part.places)]) == part.numbers for part in parts)
    for own in split:
        slots = [slot for part in own for slot in part.slots]
        assert len(set(slots)) == len(slots)


@pytest.mark.parametrize(("batch", "expected"), [(16, 8), (10, 5), (9, 3), (5, 1), (2, 1)])
def test_smaller_batch_divides(batch, expected):
    assert smaller_batch(batch) == expected


@given(st.sets(st.integers(0, 23), min_size=1), st.integers(1, 9), n_models)
def test_no_chunk_belongs_to_two_batches(asked, n_slot, n_model):
    numbers = np.array(sorted(asked))
    length = members_per_chunk(numbers, n_slot, n_model)
    owners = {}
    for position, batch in enumerate(plan_batches(init_times(2), numbers, n_slot, n_model)):
        for part in batch:
            for place in part.places:
                owners.setdefault((part.init, place // length), set()).add(position)
    assert all(len(batches) == 1 for batches in owners.values())


def test_members_of_whole_batches_share_chunks():
    assert members_per_chunk(np.arange(23), 10) == 10
    assert members_per_chunk(np.array([3, 4]), 10) == 2
    assert members_per_chunk(np.array([3, 14]), 10) == 1
