"""What a run has left in its folder, opened where it is asked for."""

from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path

import numpy as np
import xarray as xr

from weatherml.data.quality.finding import Finding
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.data.statistics.climatology import Climatology
from weatherml.data.store.opening import open_store
from weatherml.errors import UserError
from weatherml.experiment.config import ExperimentConfig
from weatherml.experiment.feasibility import initial_times
from weatherml.experiment.ledger import Ledger, digest_of
from weatherml.experiment.phases import OF_THE_MACHINE, PHASES
from weatherml.products import open_forecast, without_stopped
from weatherml.state import StateSpec, spec_of
from weatherml.storage.files import write_bytes
from weatherml.storage.locks import alone_in
from weatherml.training import Run


class Results:
    """A configuration and the folder of what came of it; every part is there once its phase is done."""

    def __init__(self, config: ExperimentConfig, folder: str | Path) -> None:
        """Open nothing yet.

        Args:
            config: What was done.
            folder: Where it is.
        """
        self.config = config
        self.folder = Path(folder)
        self.ledger = Ledger(self.folder / "phases.json")

    def path(self, phase: str) -> Path:
        """Return where the output of a phase is."""
        return self.folder / PHASES[phase].output

    @cached_property
    def store(self) -> xr.Dataset:
        """The ingested analyses, lazy."""
        return open_store(self.path("ingest"))

    @cached_property
    def spec(self) -> StateSpec:
        """What the model's state is."""
        return spec_of(self.store, self.config.channels)

    @property
    def sampled(self) -> StateSpec:
        """What is learned from: the state, and after it what a diagnostic learns to give."""
        return StateSpec((*self.spec.channels, *self.config.outputs), self.spec.grid)

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
        """Return what is to be said of the ingested data, as the check has written it."""
        lines = self.path("check").read_text().splitlines()
        return [Finding.parse(line) for line in lines]

    def init_times(self) -> np.ndarray:
        """Return the initial times that are judged, `datetime64[ns]` [init_time]."""
        return initial_times(self.config, self.store["time"].values)

    @property
    def forecast(self) -> xr.Dataset:
        """The forecasts of the test period, lazy."""
        return open_forecast(self.path("forecast"))

    @cached_property
    def judged(self) -> xr.Dataset:
        """The forecasts without the members that have stopped at any initial time.

        Raises:
            UserError: All members have stopped.
        """
        try:
            return without_stopped(self.forecast)
        except UserError as error:
            raise error.within(f"{self.path('forecast')}: ") from None

    @property
    def n_stopped(self) -> int:
        """How many members are not judged, since guards have stopped them."""
        return int(self.forecast.sizes["number"] - self.judged.sizes["number"])

    @property
    def scores(self) -> xr.Dataset:
        """Of the model and of the baselines, `(system, bound, channel, lead_time)`."""
        return xr.load_dataset(self.path("evaluate"), engine="netcdf4", decode_timedelta=True)

    @property
    def verdict(self) -> xr.Dataset:
        """On the event."""
        return xr.load_dataset(self.path("extremes"), engine="netcdf4", decode_timedelta=True)

    def inputs(self, phase: str) -> str:
        """Return a fingerprint of all that a phase depends on."""
        reads = set(PHASES[phase].reads)
        own = self.config.model_dump(mode="json", include=reads, exclude=OF_THE_MACHINE)
        if phase == "statistics" and self.config.outputs:
            own |= {"outputs": [str(channel) for channel in self.config.outputs]}
        return digest_of(phase, own, [self.inputs(needed) for needed in PHASES[phase].needs])

    def needs(self, phase: str) -> list[str]:
        """Return the phases that come before a phase; where no event is named there is no verdict."""
        before = (*PHASES[phase].waits_for, *PHASES[phase].needs)
        return [name for name in before if name != "extremes" or self.config.extremes is not None]

    def is_done(self, phase: str) -> bool:
        """Return whether a phase and those that it needs are done."""
        own = self.ledger.is_done(phase, self.inputs(phase)) and self.path(phase).exists()
        return own and all(map(self.is_done, self.needs(phase)))

    def alone(self) -> AbstractContextManager[None]:
        """Keep other programs from working in the folder meanwhile.

        Raises:
            UserError: One does.
        """
        busy = f"another process is at work in {self.folder}; wait for it, or choose another folder"
        return alone_in(self.folder, "experiment.lock", busy)

    def note_config(self) -> None:
        """Write down what is done in the folder."""
        write_bytes(self.folder / "config.json", self.config.model_dump_json(indent=1).encode())
