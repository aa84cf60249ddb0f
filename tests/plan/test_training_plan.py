"""Laws of plans: what they say is what the step of the training takes."""

import json

import pytest
from compiled_programs import MESH, compiled, validating
from tiny_experiment import CONFIG, done, refused, write_config

from weatherml.cli.printing.training_plan import print_plan
from weatherml.config import from_mapping
from weatherml.experiment import ExperimentConfig
from weatherml.parallel.hardware.accelerators import CALL, Devices, accelerators
from weatherml.parallel.programs.traffic import Work
from weatherml.plan.compiling import Exchange
from weatherml.plan.estimate import Machine, memory_by_part
from weatherml.plan.planning import Plan, StagePlan, ValidationPlan, memory_of, validation_of, with_data
from weatherml.plan.problem import Problem, parse_grid


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """Return what the verb says of the tiny experiment on two devices that share its weights."""
    config = write_config(tmp_path_factory.mktemp("plan") / "tiny.yaml")
    told = done(
        "plan", config, "training.mesh.fsdp=2", "--devices", "2xh200", "--grid", "8x16", "--json", "--no-propose"
    )
    return json.loads(told)


def test_weights_and_moments_are_halved_where_two_devices_share_them(planned):
    n_parameters = sum(planned["parameters"].values())
    memory = planned["memory_bytes"]
    assert 0.5 * 4 * n_parameters <= memory["weights"] < 0.7 * 4 * n_parameters  # vectors lie whole
    assert memory["average"] == memory["gradient"] == memory["weights"]
    assert memory["moments"] == pytest.approx(2 * memory["weights"], abs=100)
    channels, batch = planned["channels"], CONFIG["training"]["batch_size"]
    assert memory["batch"] == memory["next batch"] == 4 * (batch // 2) * 2 * channels * 8 * 16
    assert planned["needed_bytes"] == sum(memory.values()) < planned["room_bytes"]


def test_devices_that_share_weights_gather_them_and_reduce_their_gradient(planned):
    sent = planned["sent_bytes"]
    weights = 4 * sum(planned["parameters"].values())
    assert 0.3 * weights < sent["all-gather along fsdp"] < 0.6 * weights  # half of what is in parts, once
    assert sent["reduce-scatter along fsdp"] == pytest.approx(sent["all-gather along fsdp"])
    assert sent["all-reduce along fsdp"] < 0.2 * weights  # vectors lie whole


def test_days_and_loading_follow_from_the_time_of_steps(planned):
    (stage,) = planned["stages"]
    assert stage["step_seconds"] == pytest.approx(sum(stage["seconds"].values()))
    validation = planned["validation"]
    assert 0 < validation["seconds"] < stage["step_seconds"]
    assert (validation["rollout"], validation["n_times"]) == (1, 2)  # of six steps every third
    validated = 2 * (validation["n_batches"] + 1) * validation["seconds"]
    assert planned["days"] == pytest.approx((stage["n_steps"] * stage["step_seconds"] + validated) / 86400)
    delivered = 4 * stage["batch_size"] * 2 * planned["channels"] * 8 * 16
    assert planned["loading_bytes_per_second"] == pytest.approx(delivered / stage["step_seconds"])


def test_stages_with_meshes_of_their_own_are_planned_by_mesh(tmp_path):
    one = {"n_steps": 6, "learning_rate": 0.002}
    longer = one | {"rollout": 2, "n_steps": 2, "batch_size": 2, "mesh": {"fsdp": 2}}
    config = write_config(tmp_path / "tiny.yaml", training=CONFIG["training"] | {"stages": [one, longer]})
    told = json.loads(done("plan", config, "--devices", "2xh200", "--grid", "8x16", "--json", "--no-propose"))
    first, second = told["stages"]
    assert (first["mesh"]["data"], first["mesh"]["fsdp"]) == (2, 1)
    assert (second["mesh"]["data"], second["mesh"]["fsdp"]) == (1, 2)
    assert second["memory_bytes"]["weights"] < 0.7 * first["memory_bytes"]["weights"]
    assert set(first["sent_bytes"]) == {"all-reduce along data"} and "all-gather along fsdp" in second["sent_bytes"]
    field = 4 * told["channels"] * 8 * 16
    assert (first["memory_bytes"]["batch"], second["memory_bytes"]["batch"]) == (2 * 2 * field, 3 * field)
    assert told["needed_bytes"] == max(first["needed_bytes"], second["needed_bytes"])
    assert told["validation"]["rollout"] == 2 and told["validation"]["n_times"] == 3  # of eight steps every third


def test_the_plan_that_is_printed_tells_stages_with_their_mesh_and_memory(capsys):
    stages = [
        StagePlan(
            rollout, 4, 6, 1e12, {"memory": 1.0}, MESH | mesh, {"weights": n * 2**20}, {"all-reduce along data": n}
        )
        for rollout, mesh, n in ((1, {"data": 4, "fsdp": 1}, 100), (12, {"lat": 2}, 300), (2, {"lat": 2}, 300))
    ]
    validation, laid = ValidationPlan(12, 8, 2, 0.5), (MESH, (8, 16), 3, "grid", {"all": 2**28}, {"weights": 1}, 2**30)
    plan = Plan(Devices(4, "h200"), "an H200", *laid, {}, tuple(stages), 1, 0.1, validation)
    print_plan(plan, None, as_json=False)
    told = capsys.readouterr().out
    assert "4xh200, an H200; stage 1: mesh data 4; stages 2, 3: mesh fsdp 2 x lat 2\n" in told
    assert "stage 1: a device sends 100 B a step" in told and "stages 2, 3: a device sends 300 B a step" in told
    rows = [line.split() for line in told.splitlines()]
    assert ["weights", "100", "MiB", "9.8%", "300", "MiB", "29.3%"] in rows
    assert ["mesh", "data", "4", "fsdp", "2", "x", "lat", "2", "fsdp", "2", "x", "lat", "2"] in rows


def test_without_data_or_grid_the_plan_asks_for_one(tmp_path):
    source = {"name": "files", "paths": [str(tmp_path / "nothing.nc")]}
    config = write_config(tmp_path / "nothing.yaml", source=source)
    assert "weatherml plan CONFIG --grid 721x1440" in refused("plan", config, "--devices", "h200")
    assert "rows x columns" in refused("plan", config, "--grid", "721")
    assert "multiple of 3 devices" in refused(
        "plan", config, "--grid", "8x16", "--devices", "4xh200", "training.mesh.fsdp=3"
    )


def test_time_is_that_of_products_by_their_types_memory_and_links():
    h200 = accelerators()["h200"]
    near = compiled(exchanges=(Exchange("all-reduce", ("fsdp",), 9e9),))
    spent = Machine(h200, None, 2).seconds(near, 0)
    on_device = {"tensorfloat32": 1.5e9, "float32": 0.5e9}  # of 4e9 the device computes 2e9
    assert spent["matrix products"] == pytest.approx(sum(n / (0.5 * h200.flops[kind]) for kind, n in on_device.items()))
    assert spent["memory"] == pytest.approx(7e6 / (0.75 * h200.bandwidth))
    assert spent["exchange within a node"] == pytest.approx(9e9 / (0.7 * h200.link))
    assert spent["exchange between nodes"] == 0
    longer = Machine(h200, None, 2).seconds(near, 1)
    assert longer["exchange within a node"] == spent["exchange within a node"]  # of weights
    assert longer["matrix products"] == pytest.approx(2 * spent["matrix products"])


def test_the_start_of_a_kernel_is_hidden_by_one_that_takes_as_long():
    h200 = accelerators()["h200"]
    longest = int(CALL * 0.75 * h200.bandwidth).bit_length()
    calls = {
        size: Machine(h200, None, 2).seconds(compiled(work=Work({"rows": {64: 2e9}}, {}, {}, 100, 0, {size: 10})), 0)[
            "calls"
        ]
        for size in (1, longest - 1, longest + 1)
    }
    assert calls[1] == pytest.approx(10 * CALL, rel=1e-4)
    assert 0 < calls[longest - 1] < 0.9 * calls[1] and calls[longest + 1] == 0


def test_activations_are_sent_in_every_step_of_a_rollout_and_gradients_once():
    mesh, h200 = MESH | {"fsdp": 1, "lat": 4}, accelerators()["h200"]
    exchanges = (Exchange("all-to-all", ("lat",), 1e6), Exchange("all-reduce", ("lat",), 1e4))
    one, two = (Machine(h200, None, 4).seconds(compiled(mesh=mesh, exchanges=exchanges), stage) for stage in (0, 1))
    gradient = 2 * 3 / 4 * 4000
    sent = [seconds["exchange within a node"] * 0.7 * h200.link for seconds in (one, two)]
    assert sent == [pytest.approx(1e6 + 1e4), pytest.approx(2 * (1e6 + 1e4) - gradient)]


def test_what_reaches_beyond_a_node_takes_the_network():
    h200 = accelerators()["h200"]
    mesh = MESH | {"data": 4, "fsdp": 8}
    exchanges = (Exchange("all-gather", ("fsdp",), 1e9), Exchange("all-reduce", ("data",), 2e9))
    spent = Machine(h200, None, 32).seconds(compiled(mesh=mesh, exchanges=exchanges), 0)
    assert spent["exchange within a node"] == pytest.approx(1e9 / (0.7 * h200.link))
    assert spent["exchange between nodes"] == pytest.approx(2e9 / (0.7 * h200.network))


def test_more_parts_of_a_batch_lengthen_rings_and_change_nothing_else_of_a_device():
    small = compiled(
        mesh=MESH | {"data": 2},
        exchanges=(Exchange("all-reduce", ("data",), 100.0), Exchange("all-gather", ("fsdp",), 7.0)),
    )
    large = with_data(small, 16)
    assert [one.n_bytes for one in large.exchanges] == [pytest.approx(100 * (15 / 16) / (1 / 2)), 7.0]
    assert large.counts[0]["tensorfloat32"] == 8 * small.counts[0]["tensorfloat32"]
    assert (large.work, large.resident, large.temporary) == (small.work, small.resident, small.temporary)


def test_memory_by_part_is_all_that_the_program_takes_and_the_batch_that_waits():
    own = compiled()
    parts = memory_by_part(own)
    assert sum(parts.values()) == sum(own.resident.values()) + own.temporary + own.resident["batch"]
    assert parts["gradient"] == parts["weights"]


def test_validations_that_take_more_than_a_step_are_planned_for():
    problem = Problem.of(from_mapping(ExperimentConfig, CONFIG, "test"), None, parse_grid("8x16"))
    own = compiled(validating=validating(batch=65 * 10**5, temporary=10**6))  # a step takes 1 + 5 beside its state
    assert sum(memory_of(problem, own).values()) - sum(memory_by_part(own).values()) == 15 * 10**5
    small = compiled()
    assert memory_of(problem, small) == memory_by_part(small)


def test_a_validation_takes_its_own_program_and_more_parts_of_a_batch_change_nothing_of_a_device():
    problem = Problem.of(from_mapping(ExperimentConfig, CONFIG, "test"), None, parse_grid("8x16"))
    sums = (Exchange("all-reduce", ("data",), 100.0),)
    own = compiled(mesh=MESH | {"data": 2}, validating=validating(exchanges=sums))
    h200 = accelerators()["h200"]
    spent = validation_of(problem, own, Machine(h200, None, 4)).seconds
    products, moved = 1e9 / (0.5 * h200.flops["tensorfloat32"]), 2e6 / (0.75 * h200.bandwidth)
    sent = 100 / (0.7 * h200.link)
    assert spent == pytest.approx(products + moved + 40 * CALL + sent, rel=1e-4)
    larger = validation_of(problem, with_data(own, 4), Machine(h200, None, 8)).seconds
    assert larger == pytest.approx(spent + sent / 2)


def test_the_heaviest_stage_is_planned_for():
    stages = [
        {"n_steps": 6, "learning_rate": 0.002},
        {"n_steps": 2, "rollout": 12, "learning_rate": 0.002, "batch_size": 2},
    ]
    config = from_mapping(ExperimentConfig, CONFIG | {"training": CONFIG["training"] | {"stages": stages}}, "test")
    problem = Problem.of(config, None, parse_grid("8x16"))
    assert problem.batch_sizes == (4, 2) and problem.heaviest_stage == 0
    assert problem.spec.grid.shape == (8, 16)


def test_more_devices_than_are_compiled_for_are_planned_with_fewer_parts_of_a_batch(tmp_path):
    config = write_config(tmp_path / "tiny.yaml")
    words = ("plan", config, "--devices", "128xh200", "--grid", "8x16", "--json", "--no-propose")
    stages = "training.stages=[{n_steps: 6, learning_rate: 0.002}, {n_steps: 2, learning_rate: 0.001, batch_size: 128}]"
    told = json.loads(done(*words, "training.batch_size=256", stages))
    assert told["mesh"]["data"] == 128 and [stage["batch_size"] for stage in told["stages"]] == [256, 128]
    gradient = 4 * sum(told["parameters"].values())
    assert told["sent_bytes"]["all-reduce along data"] > 0.99 * 2 * gradient * 127 / 128
    assert "multiple of the number of devices (128)" in refused(*words, "training.batch_size=192")


def test_parts_of_a_batch_are_never_so_few_that_nothing_is_sent_between_them(tmp_path, monkeypatch):
    monkeypatch.setattr("weatherml.plan.planning._MOST_VIRTUAL", 1)
    config = write_config(tmp_path / "tiny.yaml")
    told = json.loads(done("plan", config, "--devices", "2xh200", "--grid", "8x16", "--json", "--no-propose"))
    assert told["sent_bytes"]["all-reduce along data"] > 0.99 * 4 * sum(told["parameters"].values())
