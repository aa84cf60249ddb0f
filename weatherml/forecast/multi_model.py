"""Ensembles of several models: members take turns among them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import xarray as xr

from weatherml.errors import UserError
from weatherml.forecast.destination import Destination
from weatherml.forecast.ensemble import ForecastConfig
from weatherml.forecast.forecaster import Forecaster
from weatherml.forecast.init_times import InitTimes
from weatherml.forecast.itinerary import Itinerary
from weatherml.forecast.order import Order
from weatherml.forecast.stream import Progress


@dataclass(frozen=True, eq=False)
class MultiModelForecaster:
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

    def run(
        self,
        analysis: xr.Dataset,
        init_time: InitTimes,
        config: ForecastConfig,
        output: str | Path | None = None,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> xr.Dataset:
        """Make the forecasts that `config` asks for; arguments, result and errors are those of `Forecaster.run`.

        Of several models the attributes `model_digest`, `provenance` and `diagnostics` are JSON lists by model.
        """
        destination = Destination(None if output is None else Path(output), overwrite)
        return Order.of(self.forecasters, analysis, init_time, config).stream(destination, progress).finish()

    def run_share(
        self,
        analysis: xr.Dataset,
        init_time: InitTimes,
        config: ForecastConfig,
        destination: Destination,
        progress: Progress | None = None,
    ) -> bool:
        """Make a share of the forecasts, as `Forecaster.run_share`; return whether they are whole."""
        return Order.of(self.forecasters, analysis, init_time, config).make_share(destination, progress)

    def request(self, analysis: xr.Dataset, init_time: InitTimes, config: ForecastConfig) -> str:
        """Return what the attribute `request` of a forecast is; as `Forecaster.request`."""
        return Order.of(self.forecasters, analysis, init_time, config).request

    def _require_agreement(self, position: int) -> None:
        first, spec = self.forecasters[0].output_spec, self.forecasters[position].output_spec
        differing = sorted(set(first.names) ^ set(spec.names))
        if differing:
            raise UserError(f"models 0 and {position} differ in channel {differing[0]!r}, which one of them lacks")
        if spec.grid != first.grid:
            raise UserError(f"models 0 and {position} lie on different grids, {first.grid.shape} and {spec.grid.shape}")
