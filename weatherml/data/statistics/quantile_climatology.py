"""Quantiles at each place and season: what is extreme there at that time of the year."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import xarray as xr

from weatherml.data.statistics.accumulators.day_sketches import BINS_A_WINDOW, CENTRES, N_BINS, DaySketches
from weatherml.data.statistics.accumulators.days import N_DAYS, day_of_year
from weatherml.data.statistics.file_climatology import FileClimatology, declare, put
from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.state import StateSpec
from weatherml.storage.files import netcdf_in_place
from weatherml.times import Periods, parse_times


@dataclass(frozen=True, eq=False)
class QuantileClimatology(FileClimatology):
    """Quantiles of 61 days around each twelfth day of the year, of all hours and years; between them a straight line.

    Dims (quantile, season, level, latitude, longitude). `array_at` is of the one that is left by `of`.

    Attributes:
        rank_error: By which share of the values in a window the rank of a quantile may be off at most.
    """

    rank_error: float

    RECORD = "quantile_climatology"
    WANTED = (
        "climatology of quantiles; pass quantile_climatology.nc of a run whose configuration has climatology.quantiles"
    )

    @property
    def probabilities(self) -> tuple[float, ...]:
        """Rising, between 0 and 1."""
        return tuple(map(float, self.dataset["quantile"].values))

    @property
    def window_days(self) -> int:
        """How many days around each twelfth day of the year count."""
        return round(BINS_A_WINDOW * N_DAYS / N_BINS)

    def at(self, times: np.ndarray) -> xr.Dataset:
        """Return the quantiles at `times` [time], dims (time, quantile, ...); without `quantile` where there is one."""
        times = parse_times(times)
        place = (day_of_year(times) + 0.5 - CENTRES[0]) * N_BINS / N_DAYS
        before = np.floor(place).astype(int)
        share = xr.DataArray((place - before).astype(np.float32), dims="time")
        first, second = (
            self.dataset.isel(season=xr.DataArray(bins % N_BINS, dims="time")).drop_vars("season")
            for bins in (before, before + 1)
        )
        between = (first + share * (second - first)).assign_coords(time=times)
        between = between.squeeze("quantile", drop=True) if between.sizes["quantile"] == 1 else between
        return between.transpose("time", "quantile", ..., missing_dims="ignore")

    def of(self, probability: float) -> Self:
        """Return one of the quantiles.

        Raises:
            UserError: It is not there.
        """
        known = self.dataset["quantile"].values
        if not np.isclose(known, probability).any():
            there = listed(f"{q:g}" for q in known)
            raise UserError(f"there is no quantile {probability}, only {there}; choose one of them")
        position = int(np.abs(known - probability).argmin())
        return replace(self, dataset=self.dataset.isel(quantile=[position]))


@contextmanager
def writing_quantiles(
    path: Path, spec: StateSpec, probabilities: Sequence[float], period: Periods, store: str = ""
) -> Iterator[Callable[[DaySketches], None]]:
    """Yield what writes the quantiles of some channels in place; the file appears once all are written.

    Args:
        path: Of the NetCDF file.
        spec: All channels.
        probabilities: Rising, between 0 and 1.
        period: What is summed.
        store: Digest of the store.
    """
    with netcdf_in_place(path) as file:
        errors: list[float] = []

        def write(sketches: DaySketches) -> None:
            if "season" not in file.dimensions:
                declare(file, spec, {"quantile": np.array(probabilities), "season": np.arange(N_BINS)})
            for number in range(N_BINS):
                window = sketches.window(number)
                errors.append(window.rank_error / window.n_members)
                quantiles = window.quantiles(probabilities)
                for position, channel in enumerate(sketches.spec.channels):
                    put(file, spec, channel, slice(None), quantiles[:, position], (slice(None), number))
            record = {"period": period, "rank_error": max(errors), "store": store}
            file.setncatts({QuantileClimatology.RECORD: json.dumps(record), "spec": spec.to_json()})

        yield write
