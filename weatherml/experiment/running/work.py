"""What is done in each phase of the road: rooms put together, nothing computed here."""

import io
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple, Protocol

import xarray as xr

from weatherml.checkpoint import Checkpoint, Provenance
from weatherml.data.loading.room import Room, batch_bytes
from weatherml.data.loading.samples import Samples
from weatherml.data.period import select
from weatherml.data.quality.check import check_dataset
from weatherml.data.statistics.accumulators.harmonics import Harmonics
from weatherml.data.statistics.channel_statistics import require_current
from weatherml.data.statistics.engine.streaming import MEMORY
from weatherml.data.statistics.fitting import Fit, fit
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.data.store.ingest import IngestOptions, IngestReport
from weatherml.data.store.ingest import ingest as write_store
from weatherml.data.store.opening import verify
from weatherml.errors import UserError
from weatherml.experiment.climate import Climate
from weatherml.experiment.config import ExperimentConfig
from weatherml.experiment.diagnosis import load_stepper, untrained
from weatherml.experiment.feasibility import Holdings, require_feasible
from weatherml.experiment.fine_tuning import fine_tuned, load_start
from weatherml.experiment.judging.judgement import judge_event, judge_skill
from weatherml.experiment.results import Results
from weatherml.forecast import Forecaster
from weatherml.forecast.diagnosed import diagnose
from weatherml.parallel import hull, together
from weatherml.process.memory import parse_memory
from weatherml.storage.files import write_bytes, write_netcdf
from weatherml.training import diagnostic_normalizer
from weatherml.training import train as train_model

Report = Callable[..., None]
"""Told the number done, the number of all, and perhaps news."""


class Perform(Protocol):
    """Does a phase whose inputs have a fingerprint, and enters it into the ledger."""

    def __call__(self, phase: str, inputs: str, results: Results, report: Report) -> None:
        """Do it, and tell `report` how far it is."""


def ingest(results: Results, report: Report, options: IngestOptions = IngestOptions()) -> IngestReport:  # noqa: B008
    """Write the data to a checked store, or a share of it."""
    source = results.config.source.source(results.folder)
    if not options.grow and options.refresh is None:  # what is added need not be all that is trained on
        require_feasible(results.config, Holdings.of_source(source))
    return write_store(source, results.path("ingest"), report, options=options)


def look(results: Results, report: Report) -> None:
    """Draw the last of the data on a map, so that there is something to see long before the report."""
    # This phase and the report draw: an installation without the extra `plot` can do all others.
    from weatherml.experiment.judging.report import draw_last

    report(0, 1)
    picture = io.BytesIO()
    draw_last(results).savefig(picture, format="png")
    write_bytes(results.path("look"), picture.getvalue())
    report(1, 1, str(results.path("look").resolve()))


def check(results: Results, report: Report) -> None:
    """Write what is to be said of the data, and stop where they are wrong, or not as they were written."""
    store = results.path("ingest")
    damaged = verify(store)
    if damaged:
        others = f", with {len(damaged) - 1} more" if damaged[1:] else ""
        raise UserError(
            f"{store}/{damaged[0]} is missing or damaged{others}; mend with weatherml check {store} --files --repair"
        )
    findings = check_dataset(results.store, report, results.config.check.ignore)
    write_bytes(results.path("check"), "".join(f"{finding}\n" for finding in findings).encode())
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        text = f"{results.path('ingest')}: {errors[0].subject}: {errors[0].message}"
        raise UserError(text, f"where this is known, pass it over with check.ignore=[{errors[0].rule}]")


def statistics(results: Results, report: Report, memory: int = MEMORY) -> None:
    """Write climatology and statistics of the training period."""
    require_feasible(results.config, Holdings.of_store(results.store))
    wanted = fit_of(results)
    fit(results.store, wanted, results.folder, report, memory)
    found = results.climatology.n_annual
    if found < wanted.harmonics.n_annual:
        told = f"the training period covers too little of the year for climatology.n_annual={wanted.harmonics.n_annual}"
        report(1, 1, f"{told}: the climatology has {found}")


def fit_of(results: Results) -> Fit:
    """Return what climatology and statistics are fitted on."""
    config = results.config
    harmonics = Harmonics(config.climatology.n_annual, config.climatology.n_diurnal)
    step = config.step_of(results.store["time"].values)
    return Fit(
        results.sampled,
        config.periods.training,
        harmonics,
        step,
        config.reference == "climatology",
        config.climatology.window_days,
        config.climatology.quantiles,
    )


def train(results: Results, report: Report) -> None:
    """Train the model, from where an earlier run of this phase left it."""
    lesson = together(lambda: taught(results))
    train_model(results.config.training, *lesson.own, results.training.directory, report, lesson.stepper)


class Lesson(NamedTuple):
    """What a training is given.

    Attributes:
        own: The model before training, and what it learns from and is chosen by.
        stepper: Of whose forecasts a diagnostic is trained; None of analyses, and of what steps itself.
    """

    own: tuple[Checkpoint, Samples, Samples]
    stepper: Checkpoint | None


def taught(results: Results) -> Lesson:
    """Return what the training of an experiment is given."""
    config = results.config
    period, step = config.periods.training, config.step_of(results.store["time"].values)
    require_current(results.statistics, select(results.store, period), results.sampled, step, period)
    path = config.stepper
    stepper = None if path is None else load_stepper(config, path, results.spec, step)
    start = _start(results, stepper)
    normalizer = diagnostic_normalizer(start) if config.outputs else start.normalizer
    forcings = start.forcings if stepper is None else stepper.forcings
    return Lesson((start, *_samples(config, results.store, normalizer, forcings)), stepper)


def _start(results: Results, stepper: Checkpoint | None) -> Checkpoint:
    """Return the model before its training: with random weights, or those of the checkpoint that it begins with."""
    config, statistics = results.config, results.statistics
    if config.outputs:
        statistics = statistics.only(results.spec.channels)
    provenance = Provenance(config.model_dump(mode="json"), str(results.store.attrs["digest"]))
    if config.start is not None:
        known = load_start(config, config.start, results.spec, statistics.time_step)
        return fine_tuned(known, config, statistics, provenance)
    if config.outputs:
        return untrained(config, statistics, stepper, provenance)
    normalizer = Normalizer(statistics, results.climatology if config.reference == "climatology" else None)
    forcings = Forcings(config.forcings, results.spec.grid, statistics.time_step, _static_fields(results))
    return Checkpoint.initialize(config.model, forcings, normalizer, provenance, config.seed, config.prediction)


_FOR_VALIDATION = 8
"""Part of the memory of a training in half of which the validation period is held where it fits."""


def _samples(
    config: ExperimentConfig, store: xr.Dataset, normalizer: Normalizer, forcings: Forcings
) -> tuple[Samples, Samples]:
    """Return the samples of the training and of the validation period, which share the memory of the training.

    Of processes that share fields, each reads the bands of latitude that it computes in any stage.
    """
    memory, training, grid = parse_memory(config.training.memory), config.training, normalizer.spec.grid
    portions = [layout.portion for layout in training.lay_out(config.model, grid.shape)]
    rows = hull(portion.rows.of(grid.n_lat) for portion in portions)
    batches = training.shared_batches([portion.n_parts for portion in portions])
    largest = max(batch_bytes(normalizer.spec, forcings, size, rollout) // parts for size, rollout, parts in batches)
    room = Room(memory // _FOR_VALIDATION, largest)
    validation = Samples(store, normalizer, forcings, 1, config.periods.validation, room, rows)
    room = Room(memory - validation.held_bytes, largest)
    return Samples(store, normalizer, forcings, 1, config.periods.training, room, rows), validation


def forecast(results: Results, report: Report) -> None:
    """Forecast from every initial time of the test period, or diagnose its analyses."""
    config, best, path = results.config, results.training.best_checkpoint, results.path("forecast")
    if not config.has_forecasts:
        diagnose(Checkpoint.load(best), results.store, results.init_times(), path, report)
        return
    asked = config.forecast
    if config.stepper is None:
        forecaster = Forecaster.load(best)
    else:
        forecaster = Forecaster.load(config.stepper, diagnostics=[best])
        asked = asked.model_copy(update={"channels": tuple(map(str, config.kept_channels))})
    forecaster.run(results.store, results.init_times(), asked, path, True, report)


def evaluate(results: Results, report: Report) -> None:
    """Score the forecasts and the baselines."""
    training, climatology = select(results.store, results.config.periods.training), results.climatology
    climate = Climate.of(results.config, climatology.n_annual)
    scores = judge_skill(results.judged, results.store, training, climatology, report, climate=climate)
    write_netcdf(results.path("evaluate"), scores.assign_attrs(n_stopped=results.n_stopped))


def extremes(results: Results, report: Report) -> None:
    """Judge the forecasts of an event."""
    config = results.config
    if config.extremes is None:
        raise UserError("extremes is left out, so no event is judged; name one: extremes.channel=t850")
    judgement = judge_event(results.judged, results.store, config.extremes, config.periods.training, report)
    write_netcdf(results.path("extremes"), judgement)


def write_page(results: Results, report: Report) -> None:
    """Write the page that a person opens at the end."""
    from weatherml.experiment.judging.report import write_experiment_report

    write_experiment_report(results.path("report"), results, report)


WORK: Mapping[str, Callable[[Results, Report], object]] = MappingProxyType(
    {
        "ingest": ingest,
        "look": look,
        "check": check,
        "statistics": statistics,
        "train": train,
        "forecast": forecast,
        "evaluate": evaluate,
        "extremes": extremes,
        "report": write_page,
    }
)
"""Of every phase."""


def perform(phase: str, inputs: str, results: Results, report: Report) -> None:
    """Do a phase in this process, and enter it into the ledger.

    Args:
        phase: Its name.
        inputs: Fingerprint of what it reads.
        results: The configuration and the folder.
        report: Told how far it is.
    """
    with results.ledger.timing(phase, inputs):
        WORK[phase](results, report)


def perform_within(memory: int) -> Perform:
    """Return what does a phase in this process, and holds at most `memory` bytes of the data for statistics."""

    def perform_phase(phase: str, inputs: str, results: Results, report: Report) -> None:
        do = partial(statistics, memory=memory) if phase == "statistics" else WORK[phase]
        with results.ledger.timing(phase, inputs):
            do(results, report)

    return perform_phase


def _static_fields(results: Results) -> xr.Dataset | None:
    """Return the fields without time, which travel with the checkpoint where a forcing reads them."""
    store = results.store
    static = store.drop_vars([name for name, field in store.data_vars.items() if "time" in field.dims])
    wanted = static.data_vars and results.config.forcings
    return static.drop_dims("time", errors="ignore").load() if wanted else None
