"""Climatology and statistics of a training period, out of the same sums, into files."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from weatherml.data.blocks import Progress
from weatherml.data.period import select, stride_of, time_step_of
from weatherml.data.statistics.accumulators.day_sketches import BySeason, require_seasons
from weatherml.data.statistics.accumulators.days import ByDay, require_windows
from weatherml.data.statistics.accumulators.harmonics import Harmonics
from weatherml.data.statistics.accumulators.sums import Sums
from weatherml.data.statistics.channel_statistics import Statistics, joined, statistics_of
from weatherml.data.statistics.climatology import writing
from weatherml.data.statistics.engine.gathering import Gathering, Recipe
from weatherml.data.statistics.engine.streaming import MEMORY
from weatherml.data.statistics.quantile_climatology import writing_quantiles
from weatherml.data.statistics.windowed_climatology import window_weights, writing_windowed
from weatherml.state import StateSpec
from weatherml.storage.locations import local_folder
from weatherml.times import Periods, write_periods


@dataclass(frozen=True)
class Fit:
    """What is fitted on which times.

    Attributes:
        spec: Channels.
        period: The training period, or several.
        harmonics: Of the climatology, as far as the time step resolves them.
        time_step: Of the model; the data's own when None.
        of_anomalies: Whether the statistics are of anomalies from the climatology, not of values.
        window_days: Width of the windows of a climatology by hour and day of the year; None for none.
        quantiles: Probabilities of a climatology of quantiles; none where there are none.
    """

    spec: StateSpec
    period: Periods
    harmonics: Harmonics
    time_step: np.timedelta64 | None = None
    of_anomalies: bool = False
    window_days: int | None = None
    quantiles: tuple[float, ...] = ()

    def gathering(
        self, dataset: xr.Dataset, memory: int = MEMORY, n_tasks: int = 1, others: tuple[Recipe, ...] = ()
    ) -> Gathering:
        """Return what has to be summed.

        Args:
            dataset: Analyses of the period.
            memory: Bytes that may be held.
            n_tasks: Tasks of dask; 1 for none.
            others: What else is made of the same blocks.

        Raises:
            UserError: The time step is no multiple of the data's.
        """
        times = dataset["time"].values
        step = time_step_of(times) if self.time_step is None else self.time_step
        stride_of(times, step)
        return Gathering(self.spec, self.harmonics.resolved_by(times), (step,), memory, n_tasks, others)

    def others(self, folder: Path) -> tuple[Recipe, ...]:
        """Return what climatologies of windows and of quantiles are made of."""
        by_day = () if self.window_days is None else (ByDay(folder),)
        return (*by_day, *((BySeason(),) if self.quantiles else ()))


def fit(
    dataset: xr.Dataset,
    wanted: Fit,
    folder: str | Path,
    progress: Progress | None = None,
    memory: int = MEMORY,
    n_tasks: int = 1,
) -> Statistics:
    """Write `climatology.nc` and `statistics.nc` of a period, reading it once.

    Args:
        dataset: Canonical analyses.
        wanted: What is fitted.
        folder: Where the files go.
        progress: Told how much is read, and how much there is to read.
        memory: Bytes that may be held; coefficients are written as channels are done.
        n_tasks: Tasks of dask that read; 1 for none.

    Returns:
        The statistics.

    Raises:
        UserError: As `compute_statistics` and `require_all_year`, and where the memory does not hold one channel.
    """
    folder, chosen = local_folder(folder), select(dataset, wanted.period)
    gathering = wanted.gathering(chosen, memory, n_tasks, wanted.others(folder))
    require_all_year(chosen["time"].values, wanted.window_days, wanted.quantiles)
    groups, store = gathering.run(chosen, progress), str(chosen.attrs.get("digest", ""))
    return write_fit(groups, wanted, gathering.harmonics, folder, store)


def require_all_year(times: np.ndarray, window_days: int | None, quantiles: tuple[float, ...]) -> None:
    """Require that a period has times all year round where its climatologies need them, before it is read.

    Args:
        times: Of the period, `datetime64[ns]` [time].
        window_days: As in `Fit`.
        quantiles: As in `Fit`.

    Raises:
        UserError: Some part of the year holds none.
    """
    if window_days is not None:
        require_windows(times, window_weights(window_days))
    if quantiles:
        require_seasons(times)


def write_fit(
    groups: Iterable[tuple[slice, Sums]], wanted: Fit, harmonics: Harmonics, folder: Path, store: str
) -> Statistics:
    """Write climatology and statistics of sums that come group of channels by group.

    Args:
        groups: Positions of channels, and their sums.
        wanted: What is fitted.
        harmonics: Of the sums.
        folder: Where the files go.
        store: Digest of the store.
    """
    period, parts = write_periods(wanted.period), []
    with ExitStack() as files:
        write = files.enter_context(writing(folder / "climatology.nc", wanted.spec, harmonics, period, store))
        write_others = [files.enter_context(file) for file in _other_files(wanted, folder, period, store)]
        for channels, sums in groups:
            coefficients = sums.coefficients()
            write(channels, coefficients)
            for write_other, other in zip(write_others, sums.others, strict=True):
                write_other(other)
            reference = coefficients if wanted.of_anomalies else None
            parts.append(statistics_of(sums, period, sums.steps[0], reference))
    statistics = joined(parts, wanted.spec, store)
    statistics.save(folder / "statistics.nc")
    return statistics


def _other_files(
    wanted: Fit, folder: Path, period: Periods, store: str
) -> Iterator[AbstractContextManager[Callable[[Any], None]]]:
    """Yield the files of what `Fit.others` asks for, in the same order."""
    if wanted.window_days is not None:
        yield writing_windowed(folder / "windowed_climatology.nc", wanted.spec, wanted.window_days, period, store)
    if wanted.quantiles:
        yield writing_quantiles(folder / "quantile_climatology.nc", wanted.spec, wanted.quantiles, period, store)
