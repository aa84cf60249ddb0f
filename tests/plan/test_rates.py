"""Laws of the time that rates of a machine give a program."""

import json
from dataclasses import asdict

import pytest

from weatherml.parallel.programs.traffic import Work
from weatherml.plan.calibration import Rates

RATES = Rates(
    products={"rows": {16: 1e9, 64: 3e9}, "gradients": {16: 5e8}, "batched": {16: 2e8}},
    moved={
        "streamed": {2**20: 8e9, 2**24: 4e9},
        "transposed": {2**20: 1e9},
        "summed": {2**20: 2e9},
        "joined": {1: 1e8},
    },
    transcendentals=1e9,
    calls=1e6,
    arrays=5e5,
)
NOTHING = Work({}, {}, {}, 0)


def spent(**work):
    return RATES.seconds(Work(**(asdict(NOTHING) | work)), 0)


@pytest.mark.parametrize(("width", "rate"), [(1, 1e9), (16, 1e9), (32, 2e9), (64, 3e9), (4096, 3e9)])
def test_a_product_is_between_those_that_were_measured(width, rate):
    assert spent(products={"rows": {width: 6e9}})["matrix products"] == pytest.approx(6e9 / rate)


def test_kinds_of_products_and_ways_through_arrays_have_rates_of_their_own():
    products = {kind: {16: 1e9} for kind in ("rows", "gradients", "batched")}
    assert spent(products=products)["matrix products"] == pytest.approx(1 + 2 + 5)
    moved = {kind: {20: 8e8} for kind in ("streamed", "transposed", "summed", "joined")}
    assert spent(moved=moved)["memory"] == pytest.approx(0.1 + 0.8 + 0.4 + 8)


def test_products_wait_for_what_no_cache_holds_and_for_nothing_else():
    near, far = (spent(product_moved={size: 8e9})["matrix products"] for size in (20, 24))
    assert near == 0
    assert far == pytest.approx(8e9 / 4e9 - 8e9 / 8e9)


def test_instructions_and_arrays_that_a_program_is_given_are_calls():
    assert spent(n_instructions=3000, n_arguments=1000)["calls"] == pytest.approx(3e-3 + 2e-3)


def test_rates_and_work_survive_json():
    assert Rates.from_json(json.loads(json.dumps(asdict(RATES)))) == RATES
    work = Work({"rows": {64: 2e9}}, {20: 1e6}, {"joined": {3: 8.0}}, 5, 7, {4: 2})
    assert Work.from_json(json.loads(json.dumps(asdict(work)))) == work
