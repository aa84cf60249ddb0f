"""Laws of proposals: what is reckoned divides everything, fits, and needs no more devices than it must."""

import re
from dataclasses import replace

import pytest
from tiny_experiment import CONFIG

from weatherml.config import from_mapping
from weatherml.experiment import ExperimentConfig
from weatherml.parallel.hardware.accelerators import Devices
from weatherml.plan.planning import Plan, StagePlan, ValidationPlan, changed
from weatherml.plan.problem import Problem, parse_grid
from weatherml.plan.proposal import Candidate, candidates, in_less, on_more, proposed

GIB = 2**30
ALONE = {"data": 1, "fsdp": 1, "member": 1, "lat": 1, "lon": 1, "tensor": 1}
MEMORY = {
    "weights": 1 * GIB,
    "moments": 2 * GIB,
    "average": 1 * GIB,
    "batch": 1 * GIB,
    "loss weights and masks": 0,
    "next batch": 1 * GIB,
    "gradient": 1 * GIB,
    "activations": 160 * GIB,
}


@pytest.fixture(scope="module")
def problem():
    """Return a training of batches of 4 on 8 x 16 points."""
    return Problem.of(from_mapping(ExperimentConfig, CONFIG, "test"), None, parse_grid("8x16"))


def asked(room, count=1):
    stage = StagePlan(1, 4, 6, 1e12, {"matrix products": 1.0, "memory": 0.5})
    return Plan(
        Devices(count, "h200"),
        "",
        ALONE,
        (8, 16),
        3,
        "grid",
        {"all": 2**28},
        MEMORY,
        room,
        {},
        (stage,),
        1,
        0.1,
        ValidationPlan(1, 8, 2, 0.5),
    )


def testcandidates_divide_devices_batch_and_rows_and_are_configurations(problem):
    found = list(candidates(problem, asked(10 * GIB), 8))
    assert len({candidate.changes for candidate in found}) == len(found) > 10
    for candidate in found:
        training = changed(problem.config, candidate.changes).training
        data, fsdp, _, lat, lon, tensor = training.mesh.shape(8)
        assert data * fsdp * lat * lon * tensor == 8 and 4 % (data * fsdp) == 0 and 8 % lat == 0 and 16 % lon == 0
        assert 4 // (data * fsdp) % training.device_memory.accumulate == 0
    assert any("spatial=[1,2]" in change for candidate in found for change in candidate.changes)


def test_what_a_stage_validations_or_the_network_forbid_is_not_proposed():
    stages = [{"n_steps": 6, "learning_rate": 0.002}, {"n_steps": 2, "learning_rate": 0.002, "batch_size": 2}]
    memory = {"remat": "blocks", "between_blocks": "bfloat16", "accumulate": 2}
    training = CONFIG["training"] | {"stages": stages, "batch_size": 8, "device_memory": memory}
    config = from_mapping(ExperimentConfig, CONFIG | {"training": training}, "test")
    stricter = Problem.of(config, None, parse_grid("8x16"))
    assert not list(candidates(stricter, asked(10 * GIB), 3))  # a tensor of three splits nothing
    found = list(candidates(stricter, asked(10 * GIB), 4))
    assert found
    for candidate in found:
        stricter.with_config(changed(config, candidate.changes)).require_devices(4)


def test_a_proposal_that_is_refused_all_the_same_is_passed_over(problem, monkeypatch):
    refused = Candidate(("training.batch_size=4", "training.mesh.fsdp=3"), 1, 0.1)
    monkeypatch.setattr("weatherml.plan.proposal.candidates", lambda *_: iter([refused]))
    assert proposed(problem, asked(200 * GIB)).plan is None


def test_more_devices_need_less_memory_of_each_and_savings_too(problem):
    two, eight = (min(c.needed for c in candidates(problem, asked(GIB), n)) for n in (2, 8))
    assert eight < two / 2
    by_remat = {c.changes[-2]: c.needed for c in candidates(problem, asked(GIB), 1) if c.changes[-1].endswith("=1")}
    kept, again = by_remat["training.device_memory.remat=none"], by_remat["training.device_memory.remat=blocks"]
    assert kept == sum(MEMORY.values()) and again < kept / 2


@pytest.mark.parametrize(("room", "count"), [(14 * GIB, 2), (7 * GIB, 4), (2 * GIB, 32)])
def test_the_fewest_devices_on_which_something_fits_are_told(problem, room, count):
    devices, candidate = on_more(problem, asked(room))
    assert candidate.needed <= room
    assert devices.count == count
    assert all(c.needed > room for c in candidates(problem, asked(room), count // 2))


def test_smaller_batches_that_fit_the_same_devices_are_told(problem):
    room = int(14.5 * GIB)  # a sample at a time takes 8 beside the state, and batches of 4 and of 2 take 2 and 1
    assert all(one.needed > room for one in candidates(problem, asked(room), 1))
    batch_size, candidate = in_less(problem, asked(room))
    assert candidate.needed <= room
    assert batch_size == changed(problem.config, candidate.changes).training.batch_size == 2


def test_nothing_is_promised_that_fits_nowhere(problem):
    assert on_more(problem, asked(1)) is None and in_less(problem, asked(1)) is None


def test_a_mesh_that_a_stage_names_alone_is_changed_with_that_of_the_others():
    one = {"n_steps": 6, "learning_rate": 0.002}
    training = CONFIG["training"] | {"stages": [one, one | {"rollout": 2, "mesh": {"data": 4}}], "batch_size": 8}
    problem = Problem.of(
        from_mapping(ExperimentConfig, CONFIG | {"training": training}, "test"), None, parse_grid("8x16")
    )
    plan = asked(400 * GIB, 4)
    stages = tuple(replace(plan.stages[0], mesh=ALONE | {"data": 4}, memory=MEMORY) for _ in range(2))
    for candidate in candidates(problem, replace(plan, stages=stages), 4):
        layouts = problem.with_config(changed(problem.config, candidate.changes)).require_devices(4)
        assert layouts[0].mesh.shape == layouts[1].mesh.shape, candidate.changes


def test_stages_with_meshes_of_their_own_are_proposed_meshes_of_their_own():
    one = {"n_steps": 6, "learning_rate": 0.002}
    stages = [one, one | {"rollout": 12, "batch_size": 2, "mesh": {"data": 2, "spatial": [1, 2]}}]
    memory = {"remat": "blocks", "accumulate": 2}
    training = CONFIG["training"] | {"stages": stages, "device_memory": memory, "batch_size": 8}
    own = Problem.of(from_mapping(ExperimentConfig, CONFIG | {"training": training}, "test"), None, parse_grid("8x16"))
    laid = [dict(mesh=ALONE | mesh, memory=MEMORY) for mesh in ({"data": 4}, {"data": 2, "lon": 2})]
    plan = asked(400 * GIB, 4)
    plan = replace(plan, stages=tuple(replace(plan.stages[0], **where) for where in laid))
    found = list(candidates(own, plan, 4))
    assert found
    for candidate in found:
        assert all(re.match(r"training\.stages\.[01]\.mesh\.", change) for change in candidate.changes)
        changed_ = own.with_config(changed(own.config, candidate.changes))
        layouts = changed_.require_devices(4)
        assert layouts[0].mesh.shape["data"] * layouts[0].mesh.shape["fsdp"] in (1, 2, 4)
        assert layouts[1].mesh.shape["data"] * layouts[1].mesh.shape["fsdp"] == 1  # of two samples, one after another
        assert changed_.config.training.device_memory == own.config.training.device_memory


def test_pangu_at_its_published_size_is_proposed_bands_of_longitude():
    told = CONFIG | {
        "model": {"name": "pangu"},
        "channels": [f"{name}{level}" for name in ("z", "t", "q", "u", "v") for level in (500, 850)] + ["msl"],
        "training": CONFIG["training"] | {"batch_size": 2},
    }
    pangu = Problem.of(from_mapping(ExperimentConfig, told, "test"), None, parse_grid("721x1440"))
    found = {change for one in candidates(pangu, asked(GIB), 6) for change in one.changes if "spatial" in change}
    assert found == {"training.mesh.spatial=1", "training.mesh.spatial=[1,3]"}
