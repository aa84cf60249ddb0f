"""Quantiles at each place and season: what is extreme there at that time of the year."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import xarray as xr

from weatherml.data.statistics.accumulators.day_sketches import CENTRES, N_BINS, DaySketches
from weatherml.data.statistics.accumulators.days import N_DAYS, day_of_year
from weatherml.data.statistics.labels import chosen, labelled_spec
from weatherml.data.statistics.windowed_climatology import declare, put
from weatherml.errors import UserError
from weatherml.locations import local_path
from weatherml.state import StateSpec, to_array
from weatherml.storage.files import netcdf_in_place
from weatherml.times import Periods, parse_times, write_periods
from weatherml.wording import listed


@dataclass(frozen=True, eq=False)
class QuantileClimatology:
    """Quantiles of 61 days around each twelfth day of the year, of all hours and years; between them a straight line.

    Attributes:
        dataset: Dims (quantile, season, level, latitude, longitude), SI units, opened lazily.
        spec: Channels.
        period: What they are of.
        rank_error: By which share of the values in a window the rank of a quantile may be off at most.
        store: Digest of the store that holds it; empty where it is not known.
    """

    dataset: xr.Dataset
    spec: StateSpec
    period: Periods
    rank_error: float
    store: str = ""

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

    def array_at(self, times: np.ndarray) -> np.ndarray:
        """Return the one quantile as float32 `[*times, channel, lat, lon]` for `datetime64` times of any shape."""
        times = parse_times(times)
        return to_array(self.at(times.ravel()), self.spec).reshape(*times.shape, *self.spec.shape)

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

    def only(self, variables: Mapping[str, Sequence[int]]) -> Self:
        """Return the quantiles of some variables at some levels in hPa (none where it has one height)."""
        dataset, spec = chosen(self.dataset, self.spec, variables)
        return replace(self, dataset=dataset, spec=spec)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Open what `writing_quantiles` wrote, lazily.

        Raises:
            UserError: The file is missing or holds something else.
        """
        try:
            dataset = xr.open_dataset(local_path(path), engine="netcdf4")
            told, spec = json.loads(dataset.attrs["quantile_climatology"]), labelled_spec(dataset, path)
        except (OSError, KeyError) as error:
            raise UserError(
                f"{path} is no climatology of quantiles ({error}); pass quantile_climatology.nc of a run whose"
                " configuration has climatology.quantiles"
            ) from None
        return cls(dataset, spec, write_periods(told["period"]), told["rank_error"], told["store"])


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
            file.setncatts({"quantile_climatology": json.dumps(record), "spec": spec.to_json()})

        yield write
