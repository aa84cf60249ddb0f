"""Laws of a run: phases are done once, and again when what they read has changed."""

import json
from contextlib import contextmanager

import pytest
from tiny_experiment import CONFIG

from weatherml.config import apply_overrides, from_mapping
from weatherml.errors import UserError
from weatherml.experiment import PHASES, Experiment, ExperimentConfig
from weatherml.experiment.judging.judgement import CONTROL, ENSEMBLE
from weatherml.storage.locks import alone_in


def build(*overrides):
    return from_mapping(ExperimentConfig, apply_overrides(CONFIG, overrides))


def fingerprints(*overrides):
    experiment = Experiment(build(*overrides), "nowhere")
    return {phase: experiment.inputs(phase) for phase in PHASES}


def changed(*overrides):
    before, after = fingerprints(), fingerprints(*overrides)
    return {phase for phase in PHASES if before[phase] != after[phase]}


BASELINES = ["persistence", "damped persistence", "climatology"]
AFTER_FORECAST = {"forecast", "evaluate", "extremes", "report"}


@pytest.mark.parametrize(
    ("override", "phases"),
    [
        ("title=Another", {"report"}),
        ("extremes.quantile=0.9", {"extremes", "report"}),
        ("forecast.members=4", AFTER_FORECAST),
        ("init_every=12h", AFTER_FORECAST),
        ("model.depth=2", {"train", *AFTER_FORECAST}),
        ("seed=1", {"train", *AFTER_FORECAST}),
        ("climatology.n_annual=1", {"statistics", "train", *AFTER_FORECAST}),
        ("source.seed=1", set(PHASES)),
        ("check.ignore=[spike]", {"check", "report"}),
        ("training.memory=2GiB", set()),
    ],
)
def test_a_change_concerns_what_reads_it_and_what_follows(override, phases):
    assert changed(override) == phases


def test_every_setting_is_read_by_one_phase():
    read = [key for phase in PHASES.values() for key in phase.reads]
    assert sorted(read) == sorted(ExperimentConfig.model_fields)


def test_every_phase_needs_only_earlier_ones():
    order = list(PHASES)
    for name, phase in PHASES.items():
        assert all(order.index(before) < order.index(name) for before in (*phase.needs, *phase.waits_for))


def test_phases_follow_one_another_in_the_ledger(tiny_run):
    entries = Experiment(build(), tiny_run.folder).ledger.entries()
    assert list(entries) == list(PHASES)
    # Each phase had a process of its own, whose memory the next does not inherit.
    assert entries["check"]["peak_memory_bytes"] < entries["ingest"]["peak_memory_bytes"]
    assert entries["extremes"]["peak_memory_bytes"] < entries["train"]["peak_memory_bytes"]


def test_every_phase_tells_how_far_it_is(tiny_run, tmp_path):
    told = {}

    @contextmanager
    def progress(phase):
        told[phase] = []
        yield lambda done, total, news="": told[phase].append((done, total))

    redone = ("first_look.png", "findings.txt", "statistics.nc", "scores.nc", "verdict.nc", "report.html")
    Experiment(build(), tiny_run.copy_to(tmp_path / "run", redone), progress).run()
    assert list(told) == ["look", "check", "statistics", "evaluate", "extremes", "report"]
    for phase, news in told.items():
        assert all(0 <= done <= total > 0 for done, total in news), phase
        assert [done for done, _ in news] == sorted(done for done, _ in news), phase
        assert len(news) > 1, phase


def test_the_folder_holds_the_resolved_configuration(tiny_run):
    content = json.loads((tiny_run.folder / "config.json").read_text())
    assert from_mapping(ExperimentConfig, content) == build()


def test_a_changed_forecast_setting_redoes_the_forecast_and_not_the_training(tiny_run, tmp_path):
    folder = tiny_run.copy_to(tmp_path / "run")
    before = {phase: entry["inputs"] for phase, entry in Experiment(build(), folder).ledger.entries().items()}
    weights = (folder / "training" / "checkpoints" / "best" / "weights.npz").stat().st_mtime_ns
    experiment = Experiment(build("forecast.members=2", "forecast.lead_time=12h"), folder)
    experiment.run("evaluate")
    assert dict(experiment.forecast.sizes)["number"] == 2
    assert experiment.scores.sizes["lead_time"] == 2
    assert (folder / "training" / "checkpoints" / "best" / "weights.npz").stat().st_mtime_ns == weights
    after = {phase: entry["inputs"] for phase, entry in experiment.ledger.entries().items()}
    assert {phase for phase in PHASES if before[phase] != after[phase]} == {"forecast", "evaluate"}


def test_a_forecast_that_was_interrupted_gives_way_to_another(tiny_run, tmp_path):
    folder = tiny_run.copy_to(tmp_path / "run")
    (folder / "forecast.zarr").rename(folder / ".forecast.zarr.partial")
    experiment = Experiment(build("forecast.members=1", "forecast.lead_time=6h"), folder)
    experiment.run("forecast")
    assert experiment.forecast.sizes["number"] == 1
    assert not (folder / ".forecast.zarr.partial").exists()


def page_of(experiment):
    return experiment.run().read_text()


def test_members_without_the_control_are_judged_as_an_ensemble_and_no_member_as_the_control(tiny_run, tmp_path):
    overrides = ("forecast.numbers=[1, 2]", "forecast.channels=null", "extremes=null", "forecast.lead_time=12h")
    experiment = Experiment(build(*overrides), tiny_run.copy_to(tmp_path / "run", ("verdict.nc", "report.html")))
    page = page_of(experiment)
    assert experiment.scores["system"].values.tolist() == [ENSEMBLE, *BASELINES]
    assert experiment.scores.sizes["channel"] == 3  # all channels, since none are named
    assert "The ensemble mean of" in page
    assert "The deterministic forecast of" not in page
    assert "the configuration names no event" in page
    assert not (experiment.folder / "verdict.nc").exists()
    with pytest.raises(UserError, match=r"no event is judged; name one: extremes\.channel"):
        experiment.run("extremes")


def test_members_that_stop_are_counted_and_left_out(tiny_run, tmp_path):
    wild = "forecast.perturbation={name: spherical, scale: 1000}"
    experiment = Experiment(build(wild, "forecast.lead_time=12h"), tiny_run.copy_to(tmp_path / "run"))
    page = page_of(experiment)
    assert experiment.scores["system"].values.tolist() == [CONTROL, *BASELINES]
    assert experiment.scores.attrs["n_stopped"] == 2
    assert "2 of 3 members stopped" in page
    assert "left out of all scores: number 1, 2." in page


def test_a_forecast_without_a_member_left_says_what_to_do(tiny_run, tmp_path):
    experiment = Experiment(
        build("forecast.numbers=[1]", "forecast.perturbation={name: spherical, scale: 1000}"),
        tiny_run.copy_to(tmp_path / "run"),
    )
    with pytest.raises(UserError, match=r"all members stopped.*; train the model longer"):
        experiment.run("evaluate")


def test_two_roads_in_one_folder_do_not_meet(tmp_path):
    met = []

    def perform(phase, inputs, results, report):
        with pytest.raises(UserError, match=f"another process is at work in {tmp_path}; wait for it"):
            Experiment(build(), tmp_path).run("ingest")
        met.append(phase)

    Experiment(build(), tmp_path, perform=perform).run("ingest")
    assert met == ["ingest"]
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_who_only_reads_results_is_in_nobodys_way(tiny_run):
    with alone_in(tiny_run.folder, "experiment.lock", "busy"):
        assert Experiment(build(), tiny_run.folder).run("evaluate").exists()


def test_another_model_is_not_trained_over_the_first(tiny_run, tmp_path):
    folder = tiny_run.copy_to(tmp_path / "run")
    with pytest.raises(UserError, match=r"trained with model\.width = 8, now it is 16"):
        Experiment(build("model.width=16"), folder).run("train")
    assert json.loads((folder / "config.json").read_text())["model"]["width"] == 8


def test_other_data_are_not_ingested_over_the_first(tiny_run, tmp_path):
    folder = tiny_run.copy_to(tmp_path / "run")
    with pytest.raises(UserError, match="was made from other data"):
        Experiment(build("source.seed=3"), folder).run("ingest")
