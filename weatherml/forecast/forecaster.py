"""From checkpoints and analyses to forecasts in physical units."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import xarray as xr

from weatherml.checkpoint import Checkpoint
from weatherml.config import Config, from_mapping
from weatherml.durations import DurationLike
from weatherml.errors import UserError, require_kind
from weatherml.forecast.analyses import InitTimes
from weatherml.forecast.config import ForecastConfig
from weatherml.forecast.output.target import OutputTarget
from weatherml.forecast.perturbation import PerturbationConfig
from weatherml.forecast.plan.lead_plan import LeadPlan
from weatherml.forecast.rollout.suite import Suite
from weatherml.forecast.run.request import ForecastRequest
from weatherml.forecast.run.stream import Progress
from weatherml.state import StateSpec


@dataclass(frozen=True, eq=False)
class Forecaster:
    """Models with what it takes to step physical fields forward.

    Forecasts are canonical datasets `(init_time, lead_time, number, level, latitude, longitude)` in SI units, with
    `valid_time`. The first lead is one spacing of the outputs: lead 0 would be the analysis itself. Number 0 is the
    unperturbed control, so a deterministic forecast is an ensemble of one.

    Of several suites, member k is made by suite k modulo their number. Members keep their own numbers for everything
    random, so they differ by model and by perturbation, and the control is of the first suite. The default spacing of
    leads is the longest among the time steps of suites.

    Attributes:
        suites: Each reaches every lead by itself: models of different time steps that step together.

    Raises:
        UserError: There is none, or they do not give the same channels on the same grid.
    """

    suites: tuple[Suite, ...]

    def __post_init__(self) -> None:
        if not self.suites:
            raise UserError("an ensemble of several models needs at least one; pass forecasters")
        for position in range(1, len(self.suites)):
            self._require_agreement(position)

    @classmethod
    def from_checkpoint(cls, *checkpoints: Checkpoint, diagnostics: Sequence[Checkpoint] = ()) -> Self:
        """Build from checkpoints in memory; see `load`."""
        return cls((Suite.from_checkpoint(*checkpoints, diagnostics=diagnostics),))

    @classmethod
    def load(cls, *paths: str | Path, diagnostics: Sequence[str | Path] = ()) -> Self:
        """Read the checkpoints of models and diagnostics.

        Args:
            paths: Models of different time steps and the same state; the first one's statistics normalise it.
            diagnostics: Of fields that follow from the state, such as precipitation, and are added to forecasts.

        Raises:
            UserError: A checkpoint is missing or incomplete, or does not fit the first.
        """
        return cls((Suite.load(*paths, diagnostics=diagnostics),))

    @classmethod
    def in_turn(cls, *forecasters: Self) -> Self:
        """Return what makes ensembles whose members take turns among forecasters; with one, what that makes alone.

        Args:
            forecasters: Of checkpoints of different seeds, ages or networks.

        Raises:
            UserError: There is none, or they do not give the same channels on the same grid.
        """
        return cls(tuple(suite for forecaster in forecasters for suite in forecaster.suites))

    @property
    def spec(self) -> StateSpec:
        """What the channels of the state are."""
        return self.suites[0].spec

    @property
    def time_step(self) -> np.timedelta64:
        """The default spacing of leads, `timedelta64[ns]`."""
        return max(suite.time_step for suite in self.suites)

    def lead_plans(self, config: ForecastConfig) -> list[LeadPlan]:
        """Return which model of each suite is called when.

        Raises:
            UserError: A lead cannot be reached by the steps of a suite.
        """
        _require_config(config)
        lead_times = config.lead_times(self.time_step)
        return [suite.plan(lead_times) for suite in self.suites]

    def forecast(
        self,
        analysis: xr.Dataset,
        init_time: InitTimes,
        lead_time: DurationLike = "10d",
        every: DurationLike | None = None,
        output: str | Path | None = None,
    ) -> xr.Dataset:
        """Make a deterministic forecast from each initial time.

        Args:
            analysis: Canonical analyses that hold the initial times.
            init_time: One or more.
            lead_time: The longest lead, such as `10d`, `36h` or a `timedelta`.
            every: Spacing of the leads that are kept; the shortest step when None.
            output: A zarr store to write to and open; the forecast is held in memory when None.

        Raises:
            UserError: As `run`.
        """
        asked = {"lead_time": lead_time, "every": every}
        return self.run(analysis, init_time, from_mapping(ForecastConfig, asked, "forecast"), output)

    def ensemble(
        self,
        analysis: xr.Dataset,
        init_time: InitTimes,
        lead_time: DurationLike = "10d",
        members: int = 20,
        perturbation: str | PerturbationConfig = "spherical",
        seed: int = 0,
        output: str | Path | None = None,
    ) -> xr.Dataset:
        """Make an ensemble forecast from each initial time; `run` has more to choose from.

        Args:
            analysis: As `forecast`.
            init_time: As `forecast`.
            lead_time: As `forecast`.
            members: Number 0, the unperturbed control, and `members - 1` perturbed ones.
            perturbation: By name, or with its parameters.
            seed: Of the perturbations.
            output: As `forecast`.

        Raises:
            UserError: As `run`.
        """
        named = perturbation.model_dump() if isinstance(perturbation, Config) else perturbation
        asked = {"lead_time": lead_time, "members": members, "perturbation": named, "seed": seed}
        return self.run(analysis, init_time, from_mapping(ForecastConfig, asked, "ensemble"), output)

    def run(
        self,
        analysis: xr.Dataset,
        init_time: InitTimes,
        config: ForecastConfig,
        output: str | Path | None = None,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> xr.Dataset:
        """Make the forecasts that `config` asks for, on all devices of this process.

        Args:
            analysis: Canonical analyses that hold the initial times.
            init_time: One or more.
            config: Leads, members, and what is kept.
            output: A zarr store to write to and open; the forecast is held in memory when None. A store appears when it
                is whole; the same call resumes an interrupted one.
            overwrite: Replace what is at `output`.
            progress: Told how much is written.

        Returns:
            The forecast (of several suites with the attributes `model_digest`, `provenance` and `diagnostics` as JSON
            lists), or the statistics of its members. Members that left plausible bounds are NaN from then on, where
            later leads come from that state, and do not count in statistics. They are listed in the attribute
            `failed`, and in the coordinates `stopped_lead`, `stopped_channel` and `stopped_value`.

        Raises:
            UserError: The analyses are of another grid, lack a channel, an initial time or a value; a lead cannot
                be reached; or the output exists or has no room.
        """
        target = OutputTarget(None if output is None else Path(output), overwrite)
        return self._request(analysis, init_time, config).make(target, progress)

    def iterate(self, analysis: xr.Dataset, init_time: InitTimes, config: ForecastConfig) -> Iterator[xr.Dataset]:
        """Yield the forecasts of `run` in pieces, as they are computed, in memory that does not grow.

        A piece holds some leads of some members of one initial time; pieces come in the order of computation, each
        once. While one is used, the next is computed. `xr.combine_by_coords` puts those of one suite together; of
        several, whose members take turns, those of each.

        Args:
            analysis: As `run`.
            init_time: As `run`.
            config: As `run`; `statistics` must be None.

        Raises:
            UserError: As `run`, before the first piece; or the device has too little memory for the batch.
        """
        _require_config(config)
        if config.statistics is not None:
            raise UserError("iterate gives members, from which statistics follow; leave statistics out, or call run")
        return self._request(analysis, init_time, config).iterate()

    def run_share(
        self,
        analysis: xr.Dataset,
        init_time: InitTimes,
        config: ForecastConfig,
        target: OutputTarget,
        progress: Progress | None = None,
    ) -> bool:
        """Make a share of the forecasts; processes that are given the other shares, now or later, make the rest.

        They need nothing in common but the file system. The one that finds all members written gives the store its
        name.

        Args:
            analysis: As `run`.
            init_time: As `run`.
            config: As `run`.
            target: A store, and the share.
            progress: As `run`.

        Returns:
            Whether the forecast is whole.

        Raises:
            UserError: As `run`; or another process has this share.
        """
        return self._request(analysis, init_time, config).make_share(target, progress)

    def request(self, analysis: xr.Dataset, init_time: InitTimes, config: ForecastConfig) -> str:
        """Return what the attribute `request` of a forecast is; see `run`.

        Raises:
            UserError: The analyses are of another grid, or lack a channel, an initial time or a value.
        """
        return self._request(analysis, init_time, config).identity

    def _request(self, analysis: xr.Dataset, init_time: InitTimes, config: ForecastConfig) -> ForecastRequest:
        _require_config(config)
        return ForecastRequest.of(self.suites, analysis, init_time, config)

    def _require_agreement(self, position: int) -> None:
        first, spec = self.suites[0].output_spec, self.suites[position].output_spec
        differing = sorted(set(first.names) ^ set(spec.names))
        if differing:
            raise UserError(f"models 0 and {position} differ in channel {differing[0]!r}, which one of them lacks")
        if not spec.grid.is_same(first.grid):
            raise UserError(f"models 0 and {position} lie on different grids, {first.grid.shape} and {spec.grid.shape}")


def _require_config(config: ForecastConfig) -> None:
    require_kind(config, ForecastConfig, "config", "pass weatherml.forecast.ForecastConfig(lead_time='5d', members=20)")
