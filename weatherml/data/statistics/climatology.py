"""A smooth climatology: harmonics of the year times harmonics of the day at each grid point."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import xarray as xr

from weatherml.data.blocks import Progress, iterate_blocks
from weatherml.data.period import select, usual_step
from weatherml.errors import UserError
from weatherml.locations import local_path
from weatherml.references import as_slice
from weatherml.state import Channel, StateSpec, to_dataset
from weatherml.storage.files import write_netcdf
from weatherml.times import Period, parse_times, write_period

_DAY = np.timedelta64(1, "D") / np.timedelta64(1, "ns")
_DAYS_A_YEAR = 365.2425

# Normal equations hold [term, channel, lat, lon] in float64; channels are fitted in groups of this size.
_GROUP_BYTES = 2**30

# Half a year determines one annual harmonic well (condition number 22) and a second poorly (511); 60 days leave even
# the first to chance (2400). Beyond this number the harmonics, not the mean, are drawn towards zero.
_ILL_POSED = 1e3
_RIDGE = 1e-3


@dataclass(frozen=True, eq=False)
class Climatology:
    """The expected state at any time, by least squares on harmonics of the tropical year and of the UTC day.

    Attributes:
        spec: What the channels are.
        coefficients: float32 `[term, channel, lat, lon]` in SI units; NaN where a value of the period was.
        n_annual: Harmonics of the year; 0 for a planet without seasons.
        n_diurnal: Harmonics of the day that the time step resolves.
        period: What it was fitted on.
    """

    spec: StateSpec
    coefficients: np.ndarray
    n_annual: int
    n_diurnal: int
    period: tuple[str, str]

    @classmethod
    def fit(
        cls,
        dataset: xr.Dataset,
        spec: StateSpec,
        period: Period,
        n_annual: int = 2,
        n_diurnal: int = 1,
        progress: Progress | None = None,
    ) -> Self:
        """Fit to the analyses of a period, reading them once, block by block.

        Harmonics of the day that the time step cannot resolve are left out (all of them from 12-hourly steps on).
        Where the period covers so little of the year that the annual harmonics are ill-posed, a ridge draws them
        towards zero.

        Raises:
            UserError: The dataset has no such channel or no time in the period.
        """
        dataset = select(dataset, period)
        times = dataset["time"].values
        n_diurnal = min(n_diurnal, _resolved_diurnal(times))
        inverse = _inverse(_basis(times, n_annual, n_diurnal))
        groups, harmonics = list(_groups(spec, len(inverse))), (n_annual, n_diurnal)
        told = [_part_of(progress, position, len(groups)) for position in range(len(groups))]
        parts = [_fit(dataset, part, inverse, harmonics, tell) for part, tell in zip(groups, told, strict=True)]
        return cls(spec, np.concatenate(parts, axis=1), n_annual, n_diurnal, write_period(period))

    def array_at(self, times: np.ndarray) -> np.ndarray:
        """Return the climatology as float32 `[*times, channel, lat, lon]` for `datetime64` times of any shape."""
        basis = self.terms_at(times)
        flat = basis @ self.coefficients.reshape(len(self.coefficients), -1)
        return np.reshape(flat, (*basis.shape[:-1], *self.spec.shape))

    def terms_at(self, times: np.ndarray) -> np.ndarray:
        """Return what the coefficients are multiplied with, float32 `[*times, term]`, at `datetime64` times."""
        return _basis(parse_times(times), self.n_annual, self.n_diurnal).astype(np.float32)

    def at(self, times: np.ndarray) -> xr.Dataset:
        """Return the climatology at `times` [time] as a canonical dataset."""
        times = parse_times(times)
        return to_dataset(self.array_at(times), self.spec, {"time": times})

    def only(self, variables: Mapping[str, Sequence[int]]) -> Self:
        """Return the climatology of some variables at some levels in hPa (none where it has one height): no copy.

        Raises:
            UserError: It has no such channel.
        """
        wanted = [Channel(name, level) for name, levels in variables.items() for level in levels or (None,)]
        places = as_slice(np.array([self.spec.index(channel) for channel in wanted]))
        return replace(self, spec=StateSpec(tuple(wanted), self.spec.grid), coefficients=self.coefficients[:, places])

    def save(self, path: str | Path) -> None:
        """Write one NetCDF file."""
        horizontal = {"latitude": list(self.spec.grid.latitude), "longitude": list(self.spec.grid.longitude)}
        dims = ("term", "channel", "latitude", "longitude")
        record = {"n_annual": self.n_annual, "n_diurnal": self.n_diurnal, "period": self.period}
        file = xr.Dataset(
            {"coefficients": (dims, self.coefficients)},
            {"channel": list(self.spec.names), **horizontal},
            {"climatology": json.dumps(record), "spec": self.spec.to_json()},
        )
        write_netcdf(local_path(path), file)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            UserError: The file is missing or holds something else.
        """
        try:
            with xr.open_dataset(local_path(path), engine="netcdf4") as file:
                record = json.loads(file.attrs["climatology"])
                spec = StateSpec.from_json(file.attrs["spec"])
                coefficients = file["coefficients"].values
        except (OSError, KeyError) as error:
            raise UserError(
                f"{path} is no climatology ({error}); pass climatology.nc of a run, which weatherml statistics writes"
            ) from None
        return cls(spec, coefficients, record["n_annual"], record["n_diurnal"], tuple(record["period"]))


def year_angle(times: np.ndarray) -> np.ndarray:
    """Return the phase of the mean Gregorian year, radians, float64, zero at 2000-01-01."""
    days = (times - np.datetime64("2000-01-01", "ns")).astype(np.float64) / _DAY
    return 2 * np.pi * days / _DAYS_A_YEAR


def _basis(times: np.ndarray, n_annual: int, n_diurnal: int) -> np.ndarray:
    """Return products of annual and diurnal harmonics, float64 `[*times, term]`; term 0 is the constant."""
    day = (times - times.astype("datetime64[D]")) / np.timedelta64(1, "D")
    annual, diurnal = _harmonics(year_angle(times), n_annual), _harmonics(2 * np.pi * day, n_diurnal)
    return np.reshape(annual[..., :, None] * diurnal[..., None, :], (*times.shape, -1))


def _harmonics(angle: np.ndarray, n: int) -> np.ndarray:
    terms = [function(k * angle) for k in range(1, n + 1) for function in (np.cos, np.sin)]
    return np.stack([np.ones_like(angle), *terms], axis=-1)


def _resolved_diurnal(times: np.ndarray) -> int:
    """Return how many harmonics of the day lie below the Nyquist frequency of the times."""
    if len(times) < 2:
        return 0
    half_day = np.timedelta64(12, "h") / usual_step(times)
    return max(0, int(np.ceil(half_day)) - 1)


def _inverse(basis: np.ndarray) -> np.ndarray:
    """Return `(XᵀX)⁻¹` of the basis `[time, term]`, with a ridge on all but the constant where it is ill-posed."""
    gram = basis.T @ basis
    if np.linalg.cond(gram) > _ILL_POSED:
        gram[1:, 1:] += _RIDGE * len(basis) * np.eye(len(gram) - 1)
    return np.linalg.inv(gram)


def _groups(spec: StateSpec, n_terms: int) -> Iterator[StateSpec]:
    n_rows, n_columns = spec.grid.shape
    size = max(1, _GROUP_BYTES // (8 * n_terms * n_rows * n_columns))
    for start in range(0, spec.n_channels, size):
        yield StateSpec(spec.channels[start : start + size], spec.grid)


def _part_of(progress: Progress | None, position: int, n_parts: int) -> Progress | None:
    """Return what tells of one of several parts of the same length."""
    if progress is None:
        return None
    return lambda done, total: progress(position * total + done, n_parts * total)


def _fit(
    dataset: xr.Dataset,
    spec: StateSpec,
    inverse: np.ndarray,
    harmonics: tuple[int, int],
    progress: Progress | None,
) -> np.ndarray:
    """Return the coefficients of one group of channels, float32 `[term, channel, lat, lon]`."""
    right_side, origin = np.zeros((len(inverse), int(np.prod(spec.shape)))), None
    for times, array in iterate_blocks(dataset, spec, progress):
        flat = array.reshape(len(times), -1).astype(np.float64)
        origin = flat[0] if origin is None else origin  # sums of departures keep digits that sums of 5e5 m2 s-2 lose
        right_side += _basis(times, *harmonics).T @ (flat - origin)
    coefficients = inverse @ right_side
    coefficients[0] += origin
    return coefficients.reshape(-1, *spec.shape).astype(np.float32)
