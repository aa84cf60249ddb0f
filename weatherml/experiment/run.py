"""The whole road in one folder: every phase done once, and again only when what it reads has changed."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from weatherml.data.statistics.assembly import extend_parts, make_part, merge_parts
from weatherml.data.store.ingest import IngestOptions, IngestReport
from weatherml.experiment.config import ExperimentConfig
from weatherml.experiment.feasibility import require_pictures
from weatherml.experiment.ledger import digest_of
from weatherml.experiment.phases import OF_THE_MACHINE, PHASES
from weatherml.experiment.results import Results
from weatherml.experiment.work import Perform, Report, fit_of, ingest
from weatherml.experiment.work import perform as perform_here
from weatherml.storage.files import write_bytes
from weatherml.storage.locks import alone_in
from weatherml.storage.share import WHOLE, Share


class Progress(Protocol):
    """Draws how far a phase is."""

    def __call__(self, phase: str) -> AbstractContextManager[Report]:
        """Open a bar; what it yields is called with the number done, the number of all, and perhaps news."""


@contextmanager
def silent(phase: str) -> Iterator[Report]:
    """Draw nothing."""
    yield lambda done, total, news="": None


class Experiment(Results):
    """One configuration, the folder of its results, and the way from one to the other."""

    def __init__(
        self,
        config: ExperimentConfig,
        folder: str | Path,
        progress: Progress = silent,
        perform: Perform = perform_here,
    ) -> None:
        """Compute nothing yet.

        Args:
            config: What to do.
            folder: Where the results are and go.
            progress: Draws how far each phase is.
            perform: Does a phase: in this process, or in one of its own (`perform_apart`), which bounds the memory of
                a whole road by that of its largest phase.
        """
        super().__init__(config, folder)
        self._progress, self._perform = progress, perform

    def run(self, last: str = "report") -> Path:
        """Do what is not done yet of a phase and of those it needs; return where its output is.

        Raises:
            UserError: The data or the configuration do not allow it, or another process is at work in the folder.
        """
        if last == "report":
            require_pictures()
        if not self._is_done(last):  # who only reads is in nobody's way
            with self._alone():
                self._do(last)
        return self.path(last)

    def ingest(self, options: IngestOptions) -> IngestReport:
        """Write the store, or a share of it, as `options` say; several processes may be at work on shares at once.

        Raises:
            UserError: As `run`, and as `weatherml.ingest`.
        """
        if options.share != WHOLE:  # whoever asks for the whole next finds it done, and enters it into the ledger
            with self._progress("ingest") as report:
                return ingest(self, report, options)
        with self._alone(), self._progress("ingest") as report, self.ledger.timing("ingest", self.inputs("ingest")):
            done = ingest(self, report, options)
        self._note_config()
        return done

    def statistics_part(self, share: Share, memory: int) -> Path:
        """Write a part of the statistics; several processes may be at work on parts at once.

        Raises:
            UserError: The store is not there, or as `weatherml.data.statistics.assembly.make_part`.
        """
        with self._progress("statistics") as report:
            return make_part(self.store, fit_of(self), share, self.folder, report, memory)

    def statistics_of_parts(self, memory: int, extend: bool = False) -> None:
        """Write climatology and statistics from their parts, which are extended first if that is wanted.

        Raises:
            UserError: As `weatherml.data.statistics.assembly.merge_parts`.
        """
        inputs = self.inputs("statistics")
        with self._alone(), self._progress("statistics") as report, self.ledger.timing("statistics", inputs):
            if extend:
                extend_parts(self.store, fit_of(self), self.folder, report, memory)
            else:
                merge_parts(self.store, fit_of(self), self.folder, memory)
        self._note_config()

    def _do(self, last: str) -> None:
        for needed in self._needs(last):
            self._do(needed)
        inputs = self.inputs(last)
        if not (self.ledger.is_done(last, inputs) and self.path(last).exists()):
            with self._progress(last) as report:
                self._perform(last, inputs, self, report)
            self._note_config()

    def _alone(self) -> AbstractContextManager[None]:
        busy = f"another process is at work in {self.folder}; wait for it, or choose another folder"
        return alone_in(self.folder, "experiment.lock", busy)

    def _note_config(self) -> None:
        write_bytes(self.folder / "config.json", self.config.model_dump_json(indent=1).encode())

    def _is_done(self, phase: str) -> bool:
        """Return whether a phase and those that it needs are done."""
        own = self.ledger.is_done(phase, self.inputs(phase)) and self.path(phase).exists()
        return own and all(map(self._is_done, self._needs(phase)))

    def inputs(self, phase: str) -> str:
        """Return a fingerprint of all that a phase depends on."""
        reads = set(PHASES[phase].reads)
        own = self.config.model_dump(mode="json", include=reads, exclude=OF_THE_MACHINE)
        return digest_of(phase, own, [self.inputs(needed) for needed in PHASES[phase].needs])

    def _needs(self, phase: str) -> list[str]:
        """Return the phases that come before a phase; where no event is named there is no verdict."""
        before = (*PHASES[phase].waits_for, *PHASES[phase].needs)
        return [name for name in before if name != "extremes" or self.config.extremes is not None]
