"""Ensembles of several models: members take turns among them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import xarray as xr

from weatherml.errors import UserError
from weatherml.forecast.config import ForecastConfig
from weatherml.forecast.forecaster import Forecaster
from weatherml.forecast.forecasting import Forecasting
from weatherml.forecast.init_times import InitTimes
from weatherml.forecast.plan.lead_plan import Itinerary
from weatherml.forecast.run.request import Order


@dataclass(frozen=True, eq=False)
class MultiModelForecaster(Forecasting):
    """Makes ensembles whose member k is made by forecaster k modulo their number; with one, what that makes alone.

    Members keep their own numbers for everything random, so they differ by model and by perturbation, and number 0 is
    the control, of the first model. The default spacing of leads is the longest among the time steps of forecasters.

    Attributes:
        forecasters: Of checkpoints of different seeds, ages or networks.

    Raises:
        UserError: There are none, or they do not give the same channels on the same grid.
    """

    forecasters: tuple[Forecaster, ...]

    def __post_init__(self) -> None:
        if not self.forecasters:
            raise UserError("an ensemble of several models needs at least one; pass forecasters")
        for position in range(1, len(self.forecasters)):
            self._require_agreement(position)

    @classmethod
    def load(cls, *paths: str | Path, diagnostics: Sequence[str | Path] = ()) -> Self:
        """Read the checkpoints of models, each of which reaches every lead alone, and of diagnostics for them all.

        Raises:
            UserError: A checkpoint is missing or incomplete, or does not agree with the first.
        """
        return cls(tuple(Forecaster.load(path, diagnostics=diagnostics) for path in paths))

    def itineraries(self, config: ForecastConfig) -> list[Itinerary]:
        """Return which step each forecaster takes when.

        Raises:
            UserError: A lead cannot be reached by the steps of one.
        """
        lead_times = config.lead_times(max(forecaster.time_step for forecaster in self.forecasters))
        return [Itinerary.to(lead_times, forecaster.models) for forecaster in self.forecasters]

    def _order(self, analysis: xr.Dataset, init_time: InitTimes, config: ForecastConfig) -> Order:
        return Order.of(self.forecasters, analysis, init_time, config)

    def _require_agreement(self, position: int) -> None:
        first, spec = self.forecasters[0].output_spec, self.forecasters[position].output_spec
        differing = sorted(set(first.names) ^ set(spec.names))
        if differing:
            raise UserError(f"models 0 and {position} differ in channel {differing[0]!r}, which one of them lacks")
        if spec.grid != first.grid:
            raise UserError(f"models 0 and {position} lie on different grids, {first.grid.shape} and {spec.grid.shape}")
