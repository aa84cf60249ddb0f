"""The climatology of WeatherBench 2: for each hour and day of the year, a mean over a window of days and all years."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import netCDF4
import numpy as np
import xarray as xr

from weatherml.data.statistics.accumulators.days import N_DAYS, DaySums
from weatherml.data.statistics.labels import chosen, labelled_spec
from weatherml.errors import UserError
from weatherml.locations import local_path
from weatherml.references import HourlyReference
from weatherml.state import Channel, StateSpec, to_array
from weatherml.storage.files import netcdf_in_place
from weatherml.times import Periods, parse_times, write_periods
from weatherml.variables import find

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
class WindowedClimatology:
    """Means by hour and day of the year, opened lazily.

    Attributes:
        dataset: Dims (hour, dayofyear, level, latitude, longitude), days from 1 to 366, SI units.
        spec: Channels.
        period: What they are of.
        window_days: Width of the window.
        store: Digest of the store that holds it; empty where it is not known.
    """

    dataset: xr.Dataset
    spec: StateSpec
    period: Periods
    window_days: int
    store: str = ""

    def at(self, times: np.ndarray) -> xr.Dataset:
        """Return the climatology at `times` [time] as a canonical dataset, as lazy as the file.

        Raises:
            UserError: It has no such hour.
        """
        return HourlyReference(self.dataset, "hour").at(parse_times(times))

    def array_at(self, times: np.ndarray) -> np.ndarray:
        """Return the climatology as float32 `[*times, channel, lat, lon]` for `datetime64` times of any shape."""
        times = parse_times(times)
        return to_array(self.at(times.ravel()), self.spec).reshape(*times.shape, *self.spec.shape)

    def only(self, variables: Mapping[str, Sequence[int]]) -> Self:
        """Return the climatology of some variables at some levels in hPa (none where it has one height)."""
        dataset, spec = chosen(self.dataset, self.spec, variables)
        return replace(self, dataset=dataset, spec=spec)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Open what `writing_windowed` wrote, lazily.

        Raises:
            UserError: The file is missing or holds something else.
        """
        try:
            dataset = xr.open_dataset(local_path(path), engine="netcdf4")
            told, spec = json.loads(dataset.attrs["windowed_climatology"]), labelled_spec(dataset, path)
        except (OSError, KeyError) as error:
            raise UserError(
                f"{path} is no climatology by hour and day of the year ({error}); pass windowed_climatology.nc of a run"
                " whose configuration has climatology.window_days"
            ) from None
        return cls(dataset, spec, write_periods(told["period"]), told["window_days"], told["store"])


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
                file.setncatts({"windowed_climatology": json.dumps(record), "spec": spec.to_json()})
            n_rows, n_columns = spec.grid.shape
            height = max(1, _PIECE_BYTES // (8 * n_columns * N_DAYS * len(sums.hours)))
            for position, channel in enumerate(sums.spec.channels):
                for row in range(0, n_rows, height):
                    rows = slice(row, min(row + height, n_rows))
                    put(file, spec, channel, rows, sums.windowed(weights, position, rows))

        yield write


def declare(file: netCDF4.Dataset, spec: StateSpec, leading: Mapping[str, np.ndarray]) -> None:
    """Make room for canonical fields with other leading dimensions in an empty file."""
    levels = np.array(sorted(spec.levels), np.int32)
    horizontal = {"latitude": np.array(spec.grid.latitude), "longitude": np.array(spec.grid.longitude)}
    coordinates = {**leading, **({"level": levels} if len(levels) else {}), **horizontal}
    for name, values in coordinates.items():
        file.createDimension(name, len(values))
        file.createVariable(name, values.dtype, (name,))[:] = values
    for name, own in spec.variables.items():
        dims = (*leading, *(("level",) if own else ()), "latitude", "longitude")
        field = file.createVariable(name, "f4", dims, fill_value=np.float32(np.nan))
        field.set_auto_mask(False)
        field.setncatts({"units": find(name).units, "long_name": find(name).long_name})


def put(
    file: netCDF4.Dataset,
    spec: StateSpec,
    channel: Channel,
    rows: slice,
    values: np.ndarray,
    leading: tuple[slice | int, ...] = (slice(None), slice(None)),
) -> None:
    """Write rows of a channel, `[*leading, row, lon]`."""
    level = () if channel.level is None else (sorted(spec.levels).index(channel.level),)
    file[channel.variable][(*leading, *level, rows, slice(None))] = values
