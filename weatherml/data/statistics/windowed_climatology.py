"""The climatology of WeatherBench 2: for each hour and day of the year, a mean over a window of days and all years."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from weatherml.data.statistics.accumulators.days import N_DAYS, DaySums
from weatherml.data.statistics.file_climatology import FileClimatology, declare, put
from weatherml.errors import UserError
from weatherml.references import HourlyReference
from weatherml.state import StateSpec
from weatherml.storage.files import netcdf_in_place
from weatherml.times import Periods, parse_times

WINDOW_DAYS = 61
"""Of WeatherBench 2 (Rasp et al. 2024, doi:10.1029/2023MS004019)."""
_PIECE_BYTES = 2**26


def window_weights(days: int) -> np.ndarray:
    """Return weights that fall linearly from 1 on the day itself to 0 at both ends of a window, `[day]`.

    Raises:
        UserError: The number of days is even, or below 3.
    """
    if days < 3 or days % 2 == 0 or days > N_DAYS:
        raise UserError(f"a window of {days} days has no middle, or no width; choose an odd number from 3 to 365")
    half = days // 2
    weights: np.ndarray = 1 - np.abs(np.arange(-half, half + 1)) / half
    return weights


@dataclass(frozen=True, eq=False)
class WindowedClimatology(FileClimatology):
    """Means by hour and day of the year: dims (hour, dayofyear, level, latitude, longitude), days from 1 to 366.

    Attributes:
        window_days: Width of the window.
    """

    window_days: int

    RECORD = "windowed_climatology"
    WANTED = (
        "climatology by hour and day of the year; pass windowed_climatology.nc of a run whose configuration has"
        " climatology.window_days"
    )

    def at(self, times: np.ndarray) -> xr.Dataset:
        """Return the climatology at `times` [time] as a canonical dataset, as lazy as the file.

        Raises:
            UserError: It has no such hour.
        """
        return HourlyReference(self.dataset, "hour").at(parse_times(times))


@contextmanager
def writing_windowed(
    path: Path, spec: StateSpec, window_days: int, period: Periods, store: str = ""
) -> Iterator[Callable[[DaySums], None]]:
    """Yield what writes the climatology of some channels in place; the file appears once all are written.

    Args:
        path: Of the NetCDF file.
        spec: All channels.
        window_days: Width of the window.
        period: What is summed.
        store: Digest of the store.
    """
    weights = window_weights(window_days)
    record = {"period": period, "window_days": window_days, "store": store}
    with netcdf_in_place(path) as file:

        def write(sums: DaySums) -> None:
            if "hour" not in file.dimensions:
                declare(file, spec, {"hour": sums.hours, "dayofyear": np.arange(1, N_DAYS + 1)})
                file.setncatts({WindowedClimatology.RECORD: json.dumps(record), "spec": spec.to_json()})
            n_rows, n_columns = spec.grid.shape
            height = max(1, _PIECE_BYTES // (8 * n_columns * N_DAYS * len(sums.hours)))
            for position, channel in enumerate(sums.spec.channels):
                for row in range(0, n_rows, height):
                    rows = slice(row, min(row + height, n_rows))
                    put(file, spec, channel, rows, sums.windowed(weights, position, rows))

        yield write
