"""What a run has left in its folder, opened where it is asked for."""

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
from weatherml.experiment.ledger import Ledger
from weatherml.experiment.phases import PHASES
from weatherml.products import open_forecast, without_stopped
from weatherml.state import StateSpec, spec_of
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
