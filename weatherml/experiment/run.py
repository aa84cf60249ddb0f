"""The whole road in one folder: every phase done once, and again only when what it reads has changed."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import xarray as xr

from weatherml.checkpoint import Checkpoint, Provenance
from weatherml.data.atomic import write_bytes, write_netcdf
from weatherml.data.check import check_dataset
from weatherml.data.climatology import Climatology
from weatherml.data.files import FileSource
from weatherml.data.finding import Finding
from weatherml.data.forcings import Forcings
from weatherml.data.ingest import ingest
from weatherml.data.loader import Samples
from weatherml.data.normalization import Normalizer
from weatherml.data.period import select
from weatherml.data.simulated import PlanetConfig, SimulatedSource
from weatherml.data.source import Source
from weatherml.data.statistics import Statistics, compute_statistics
from weatherml.data.store import open_store
from weatherml.errors import UserError
from weatherml.experiment.config import ExperimentConfig
from weatherml.experiment.feasibility import Holdings, initial_times, require_feasible
from weatherml.experiment.judgement import judge_event, judge_skill
from weatherml.experiment.ledger import Ledger, digest_of
from weatherml.forecast import Forecaster, open_forecast
from weatherml.state import StateSpec, spec_of
from weatherml.training import Run, train


class Progress(Protocol):
    """Draws how far a phase is."""

    def __call__(self, phase: str) -> AbstractContextManager[Callable[..., None]]:
        """Open a bar; what it yields is called with the number done, the number of all, and perhaps news."""


@contextmanager
def silent(phase: str) -> Iterator[Callable[..., None]]:
    """Draw nothing."""
    yield lambda done, total, news="": None


@dataclass(frozen=True)
class Phase:
    """A part of the road.

    Attributes:
        needs: The phases whose results it reads.
        reads: The keys of the configuration it reads.
        output: What it leaves in the folder.
    """

    needs: tuple[str, ...]
    reads: tuple[str, ...]
    output: str


PHASES: dict[str, Phase] = {
    "ingest": Phase((), ("source",), "data.zarr"),
    "check": Phase(("ingest",), (), "findings.txt"),
    "statistics": Phase(("check",), ("channels", "periods", "climatology", "time_step", "reference"), "statistics.nc"),
    "train": Phase(
        ("statistics",), ("forcings", "model", "prediction", "training", "seed"), "training/checkpoints/last"
    ),
    "forecast": Phase(("train",), ("forecast", "init_every"), "forecast.zarr"),
    "evaluate": Phase(("forecast",), (), "scores.nc"),
    "extremes": Phase(("forecast",), ("extremes",), "verdict.nc"),
    "report": Phase(("evaluate", "extremes"), ("title",), "report.html"),
}
"""The road, in order."""


class Experiment:
    """One configuration and the folder of its results."""

    def __init__(self, config: ExperimentConfig, folder: str | Path, progress: Progress = silent) -> None:
        """Compute nothing yet.

        Args:
            config: What to do.
            folder: Where the results are and go.
            progress: Draws how far each phase is.
        """
        self.config = config
        self.folder = Path(folder)
        self.ledger = Ledger(self.folder / "phases.json")
        self._progress = progress

    def path(self, phase: str) -> Path:
        """Return where the output of a phase is."""
        return self.folder / PHASES[phase].output

    def run(self, last: str = "report") -> Path:
        """Do what is not done yet of a phase and of those it needs; return where its output is.

        Raises:
            UserError: The data or the configuration do not allow it.
        """
        for needed in PHASES[last].needs:
            self.run(needed)
        inputs = self.inputs(last)
        if not (self.ledger.is_done(last, inputs) and self.path(last).exists()):
            with self._progress(last) as report, self.ledger.timing(last, inputs):
                getattr(self, f"_{last}")(report)
            write_bytes(self.folder / "config.json", self.config.model_dump_json(indent=1).encode())
        return self.path(last)

    def inputs(self, phase: str) -> str:
        """Return a fingerprint of all that a phase depends on."""
        own = self.config.model_dump(mode="json", include=set(PHASES[phase].reads))
        return digest_of(phase, own, [self.inputs(needed) for needed in PHASES[phase].needs])

    @cached_property
    def store(self) -> xr.Dataset:
        """The ingested analyses, lazy."""
        return open_store(self.path("ingest"))

    @cached_property
    def spec(self) -> StateSpec:
        """What the model's state is."""
        return spec_of(self.store, self.config.channels)

    @cached_property
    def climatology(self) -> Climatology:
        """Of the training period."""
        return Climatology.load(self.folder / "climatology.nc")

    @cached_property
    def statistics(self) -> Statistics:
        """Of the training period."""
        return Statistics.load(self.path("statistics"))

    @property
    def training(self) -> Run:
        """Checkpoints and metrics."""
        return Run(self.folder / "training")

    def findings(self) -> list[Finding]:
        """Return what is to be said of the ingested data."""
        return check_dataset(self.store)

    def source(self) -> Source:
        """Build the source of the data."""
        if isinstance(self.config.source, PlanetConfig):
            return SimulatedSource(self.config.source, self.folder / "planet")
        return FileSource(self.config.source)

    def init_times(self) -> np.ndarray:
        """Return the initial times that are judged, `datetime64[ns]` [init_time]."""
        return initial_times(self.config, self.store["time"].values)

    def _ingest(self, report: Callable[..., None]) -> None:
        source = self.source()
        require_feasible(self.config, Holdings.of_source(source))
        ingest(source, self.path("ingest"), report)

    def _check(self, report: Callable[..., None]) -> None:
        findings = self.findings()
        write_bytes(self.path("check"), "".join(f"{finding}\n" for finding in findings).encode())
        errors = [finding for finding in findings if finding.severity == "error"]
        if errors:
            raise UserError(f"{self.path('ingest')}: {errors[0].subject}: {errors[0].message}")

    def _statistics(self, report: Callable[..., None]) -> None:
        require_feasible(self.config, Holdings.of_store(self.store))
        periods, harmonics = self.config.periods, self.config.climatology
        climatology = Climatology.fit(self.store, self.spec, periods.training, harmonics.n_annual, harmonics.n_diurnal)
        reference = climatology if self.config.reference == "climatology" else None
        time_step = self.config.step_of(self.store["time"].values)
        statistics = compute_statistics(self.store, self.spec, periods.training, reference, time_step)
        climatology.save(self.folder / "climatology.nc")
        statistics.save(self.path("statistics"))

    def _train(self, report: Callable[..., None]) -> None:
        reference = self.climatology if self.config.reference == "climatology" else None
        normalizer = Normalizer(self.statistics, reference)
        forcings = Forcings(self.config.forcings, self.spec.grid, self.statistics.time_step, self._static_fields())
        provenance = Provenance(self.config.model_dump(mode="json"), str(self.store.attrs["digest"]))
        start = Checkpoint.initialize(
            self.config.model, forcings, normalizer, provenance, self.config.seed, self.config.prediction
        )
        training, validation = (
            Samples(self.store, normalizer, forcings, 1, period)
            for period in (self.config.periods.training, self.config.periods.validation)
        )
        train(self.config.training, start, training, validation, self.training.directory, report)

    def _forecast(self, report: Callable[..., None]) -> None:
        forecaster = Forecaster.load(self.training.best_checkpoint)
        forecaster.run(self.store, self.init_times(), self.config.forecast, self.path("forecast"), True, report)

    def _evaluate(self, report: Callable[..., None]) -> None:
        training = select(self.store, self.config.periods.training)
        scores = judge_skill(self.forecast, self.store, training, self.climatology, report)
        write_netcdf(self.path("evaluate"), scores)

    def _extremes(self, report: Callable[..., None]) -> None:
        verdict = judge_event(self.forecast, self.store, self.config.extremes, self.config.periods.training, report)
        write_netcdf(self.path("extremes"), verdict)

    def _report(self, report: Callable[..., None]) -> None:
        # Only this phase draws: an installation without the extra `plot` can do all others.
        from weatherml.experiment.report import write_experiment_report

        write_experiment_report(self.path("report"), self)

    def _static_fields(self) -> xr.Dataset | None:
        """Return the fields without time, which travel with the checkpoint where a forcing reads them."""
        static = self.store.drop_vars([name for name, field in self.store.data_vars.items() if "time" in field.dims])
        return static.drop_dims("time", errors="ignore").load() if static.data_vars and self.config.forcings else None

    @property
    def forecast(self) -> xr.Dataset:
        """The forecasts of the test period, lazy."""
        return open_forecast(self.path("forecast"))

    @property
    def scores(self) -> xr.Dataset:
        """Of the model and of the baselines, `(system, bound, channel, lead_time)`."""
        return xr.load_dataset(self.path("evaluate"), engine="netcdf4", decode_timedelta=True)

    @property
    def verdict(self) -> xr.Dataset:
        """On the event."""
        return xr.load_dataset(self.path("extremes"), engine="netcdf4", decode_timedelta=True)
