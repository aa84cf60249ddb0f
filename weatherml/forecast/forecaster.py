"""From a checkpoint and analyses to forecasts in physical units."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import jax
import numpy as np
import xarray as xr
from flax import nnx

from weatherml.checkpoint import Checkpoint
from weatherml.config import from_mapping
from weatherml.data.normalization import Normalizer
from weatherml.durations import DurationLike
from weatherml.errors import UserError
from weatherml.forecast.config import ForecastConfig
from weatherml.forecast.forecasting import Forecasting
from weatherml.forecast.init_times import InitTimes
from weatherml.forecast.perturbation.base import PerturbationConfig
from weatherml.forecast.plan.lead_plan import Itinerary
from weatherml.forecast.rollout.diagnostics import Diagnostic
from weatherml.forecast.rollout.model import Model
from weatherml.forecast.run.request import Order
from weatherml.state import StateSpec


@dataclass(frozen=True, eq=False)
class Forecaster(Forecasting):
    """Models with what it takes to step physical fields forward.

    Forecasts are canonical datasets `(init_time, lead_time, number, level, latitude, longitude)` in SI units, with
    `valid_time`. The first lead is one spacing of the outputs: lead 0 would be the analysis itself. Number 0 is the
    unperturbed control, so a deterministic forecast is an ensemble of one.

    Attributes:
        models: One for each time step. Every lead is reached by the fewest calls (hierarchical temporal aggregation).
        normalizer: Says what the channels and the grid are.
        diagnostics: What forecasts hold beside the state.

    Raises:
        UserError: A diagnostic gives a channel of the state or of another diagnostic.
    """

    models: tuple[Model, ...]
    normalizer: Normalizer
    diagnostics: tuple[Diagnostic, ...] = ()

    def __post_init__(self) -> None:
        _ = self.output_spec  # refuses a channel that is given twice

    @classmethod
    def from_checkpoint(cls, *checkpoints: Checkpoint, diagnostics: Sequence[Checkpoint] = ()) -> Self:
        """Build from checkpoints in memory; see `load`."""
        normalizer = checkpoints[0].normalizer
        models = tuple(Model.from_checkpoint(checkpoint, normalizer) for checkpoint in checkpoints)
        fitted = tuple(Diagnostic.from_checkpoint(diagnostic, normalizer) for diagnostic in diagnostics)
        return cls(models, normalizer, fitted)

    @classmethod
    def load(cls, *paths: str | Path, diagnostics: Sequence[str | Path] = ()) -> Self:
        """Read the checkpoints of models and diagnostics.

        Args:
            paths: Models of different time steps and the same state; the first one's statistics normalise it.
            diagnostics: Of fields that follow from the state, such as precipitation, and are added to forecasts.

        Raises:
            UserError: A checkpoint is missing or incomplete, or does not fit the first.
        """
        if not paths:
            raise UserError("a forecast needs at least one model; pass a checkpoint")
        loaded = [Checkpoint.load(diagnostic) for diagnostic in diagnostics]
        return cls.from_checkpoint(*map(Checkpoint.load, paths), diagnostics=loaded)

    @property
    def spec(self) -> StateSpec:
        """What the channels are."""
        return self.normalizer.spec

    @property
    def output_spec(self) -> StateSpec:
        """What a forecast holds when all is kept: the channels of the state, then those of the diagnostics."""
        derived = [channel for diagnostic in self.diagnostics for channel in diagnostic.outputs]
        return StateSpec((*self.spec.channels, *derived), self.spec.grid)

    @property
    def time_step(self) -> np.timedelta64:
        """The shortest step of the models, `timedelta64[ns]`."""
        return min(model.time_step for model in self.models)

    def itinerary(self, config: ForecastConfig) -> Itinerary:
        """Return which model is called when.

        Raises:
            UserError: A lead cannot be reached by the models' steps.
        """
        return Itinerary.to(config.lead_times(self.time_step), self.models)

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
            analysis: Canonical analyses that hold the initial times.
            init_time: One or more.
            lead_time: The longest lead, such as `10d`, `36h` or a `timedelta`.
            members: Number 0, the unperturbed control, and `members - 1` perturbed ones.
            perturbation: By name, or with its parameters.
            seed: Of the perturbations.
            output: A zarr store to write to and open; the forecast is held in memory when None.

        Raises:
            UserError: As `run`.
        """
        named = perturbation if isinstance(perturbation, str) else perturbation.model_dump()
        asked = {"lead_time": lead_time, "members": members, "perturbation": named, "seed": seed}
        return self.run(analysis, init_time, from_mapping(ForecastConfig, asked, "ensemble"), output)

    def describe(self) -> dict[str, Any]:
        """Return what the attributes of a forecast tell of its models, as JSON values."""
        return {
            "model_digest": self._digest(),
            "provenance": [asdict(model.provenance) for model in self.models],
            "diagnostics": [asdict(diagnostic.provenance) for diagnostic in self.diagnostics],
        }

    def _order(self, analysis: xr.Dataset, init_time: InitTimes, config: ForecastConfig) -> Order:
        return Order.of((self,), analysis, init_time, config)

    def _digest(self) -> str:
        """Return a fingerprint of all that a forecast follows from beside the analysis."""
        statistics = self.normalizer.statistics
        digest = hashlib.sha256(self.output_spec.to_json().encode())
        modules = [*(model.step for model in self.models), *(diagnostic.network for diagnostic in self.diagnostics)]
        a_time = np.array(["2000-01-01"], "datetime64[ns]")  # forcings then tell their names and static fields
        told = [part for model in self.models for part in (model.forcings.at(a_time), model.time_step)]
        arrays = [*jax.tree.leaves([nnx.state(m) for m in modules]), statistics.mean, statistics.std, *told]
        if self.normalizer.climatology is not None:
            arrays.append(self.normalizer.climatology.coefficients)
        for array in arrays:
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()
