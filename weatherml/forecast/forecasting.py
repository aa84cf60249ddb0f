"""What can be asked of everything that makes forecasts."""

from abc import ABC, abstractmethod
from pathlib import Path

import xarray as xr

from weatherml.forecast.config import ForecastConfig
from weatherml.forecast.init_times import InitTimes
from weatherml.forecast.output.target import Destination
from weatherml.forecast.run.request import Order
from weatherml.forecast.run.stream import Progress


class Forecasting(ABC):
    """Makes the forecasts of an order."""

    @abstractmethod
    def _order(self, analysis: xr.Dataset, init_time: InitTimes, config: ForecastConfig) -> Order:
        """Return what is asked for, once it is known to be there."""

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
            The forecast (of several models with the attributes `model_digest`, `provenance` and `diagnostics` as JSON
            lists), or the statistics of its members; those that left plausible bounds are NaN from then on, where
            later leads come from that state, do not count in statistics, and are listed in the attribute `failed`.

        Raises:
            UserError: The analyses are of another grid, lack a channel, an initial time or a value; a lead cannot
                be reached; or the output exists or has no room.
        """
        destination = Destination(None if output is None else Path(output), overwrite)
        return self._order(analysis, init_time, config).stream(destination, progress).finish()

    def run_share(
        self,
        analysis: xr.Dataset,
        init_time: InitTimes,
        config: ForecastConfig,
        destination: Destination,
        progress: Progress | None = None,
    ) -> bool:
        """Make a share of the forecasts; processes that are given the other shares, now or later, make the rest.

        They need nothing in common but the file system. The one that finds all members written gives the store its
        name.

        Args:
            analysis: Canonical analyses that hold the initial times.
            init_time: One or more.
            config: Leads, members, and what is kept.
            destination: A store, and the share.
            progress: Told how much is written.

        Returns:
            Whether the forecast is whole.

        Raises:
            UserError: As `run`; or another process has this share.
        """
        return self._order(analysis, init_time, config).make_share(destination, progress)

    def request(self, analysis: xr.Dataset, init_time: InitTimes, config: ForecastConfig) -> str:
        """Return what the attribute `request` of a forecast is; see `run`.

        Raises:
            UserError: The analyses are of another grid, or lack a channel, an initial time or a value.
        """
        return self._order(analysis, init_time, config).request
