"""The whole road in one folder: every phase done once, and again only when what it reads has changed."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from weatherml.data.statistics.assembly import extend_parts, make_part, merge_parts
from weatherml.data.store.ingest import IngestOptions, IngestReport
from weatherml.experiment.config import ExperimentConfig
from weatherml.experiment.feasibility import require_pictures
from weatherml.experiment.results import Results
from weatherml.experiment.running.apart import perform_apart
from weatherml.experiment.running.work import Perform, Report, fit_of, ingest
from weatherml.experiment.running.work import perform as perform_here
from weatherml.parallel import Processes
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
        if not self.is_done(last):  # who only reads is in nobody's way
            with self.alone():
                self._do(last)
        return self.path(last)

    def train_with(self, processes: Processes) -> Path:
        """Train as one of several processes, each of which calls this; what a training needs must be done before.

        Raises:
            UserError: It is not, the processes do not meet, or another program is at work in the folder.
        """
        with self._progress("train") if processes.is_first else silent("train") as report:
            perform_apart("train", self.inputs("train"), self, report, processes)
        return self.training.best_checkpoint

    def ingest(self, options: IngestOptions) -> IngestReport:
        """Write the store, or a share of it, as `options` say; several processes may be at work on shares at once.

        Raises:
            UserError: As `run`, and as `weatherml.ingest`.
        """
        if options.share != WHOLE:  # whoever asks for the whole next finds it done, and enters it into the ledger
            with self._progress("ingest") as report:
                return ingest(self, report, options)
        with self.alone(), self._progress("ingest") as report, self.ledger.timing("ingest", self.inputs("ingest")):
            done = ingest(self, report, options)
        self.note_config()
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
        with self.alone(), self._progress("statistics") as report, self.ledger.timing("statistics", inputs):
            if extend:
                extend_parts(self.store, fit_of(self), self.folder, report, memory)
            else:
                merge_parts(self.store, fit_of(self), self.folder, memory)
        self.note_config()

    def _do(self, last: str) -> None:
        for needed in self.needs(last):
            self._do(needed)
        inputs = self.inputs(last)
        if not (self.ledger.is_done(last, inputs) and self.path(last).exists()):
            with self._progress(last) as report:
                self._perform(last, inputs, self, report)
            self.note_config()
