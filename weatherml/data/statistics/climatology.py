"""A smooth climatology: harmonics of the year times harmonics of the day at each grid point."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import xarray as xr

from weatherml.data.blocks import Progress
from weatherml.data.period import select, usual_step
from weatherml.data.statistics.accumulators.harmonics import Harmonics
from weatherml.data.statistics.engine.gathering import Gathering
from weatherml.data.statistics.engine.streaming import MEMORY
from weatherml.data.statistics.labels import labelled_spec
from weatherml.errors import UserError
from weatherml.references import as_slice
from weatherml.state import Channel, StateSpec, to_dataset
from weatherml.storage.files import netcdf_in_place
from weatherml.storage.locations import local_path
from weatherml.times import Periods, parse_times, write_periods


@dataclass(frozen=True, eq=False)
class Climatology:
    """The expected state at any time, by least squares on harmonics of the tropical year and of the UTC day.

    Attributes:
        spec: What the channels are.
        coefficients: float32 `[term, channel, lat, lon]` in SI units; NaN where a value of the period was.
        n_annual: Harmonics of the year; 0 for a planet without seasons.
        n_diurnal: Harmonics of the day that the time step resolves.
        period: What it was fitted on.
        store: Digest of the store that holds it; empty where it is not known.
    """

    spec: StateSpec
    coefficients: np.ndarray
    n_annual: int
    n_diurnal: int
    period: Periods
    store: str = ""

    @classmethod
    def fit(
        cls,
        dataset: xr.Dataset,
        spec: StateSpec,
        period: Periods,
        n_annual: int = 2,
        n_diurnal: int = 1,
        progress: Progress | None = None,
        memory: int = MEMORY,
    ) -> Self:
        """Fit to the analyses of a period, reading them once, block by block, and holding the coefficients once.

        Harmonics of the day that the step cannot resolve are left out: at 6-hourly steps all beyond two. So are
        harmonics of the year of which the period covers too little: one needs 150 days, two need 255.

        Raises:
            UserError: The dataset has no such channel or no time in the period.
        """
        dataset = select(dataset, period)
        times = dataset["time"].values
        harmonics = Harmonics(n_annual, n_diurnal).resolved_by(times)
        steps = (usual_step(times) if len(times) > 1 else np.timedelta64(1, "h"),)
        coefficients = np.empty((harmonics.n_terms, *spec.shape), np.float32)
        for group, sums in Gathering(spec, harmonics, steps, memory).run(dataset, progress):
            coefficients[:, group] = sums.coefficients()
        period, store = write_periods(period), str(dataset.attrs.get("digest", ""))
        return cls(spec, coefficients, harmonics.n_annual, harmonics.n_diurnal, period, store)

    @property
    def harmonics(self) -> Harmonics:
        """What the coefficients are multiplied with."""
        return Harmonics(self.n_annual, self.n_diurnal)

    def array_at(self, times: np.ndarray) -> np.ndarray:
        """Return the climatology as float32 `[*times, channel, lat, lon]` for `datetime64` times of any shape."""
        basis = self.terms_at(times)
        flat = basis @ self.coefficients.reshape(len(self.coefficients), -1)
        return np.reshape(flat, (*basis.shape[:-1], *self.spec.shape))

    def terms_at(self, times: np.ndarray) -> np.ndarray:
        """Return what the coefficients are multiplied with, float32 `[*times, term]`, at `datetime64` times."""
        return self.harmonics.at(parse_times(times)).astype(np.float32)

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
        with writing(path, self.spec, self.harmonics, self.period, self.store) as write:
            write(slice(None), self.coefficients)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            UserError: The file is missing or holds something else.
        """
        try:
            with xr.open_dataset(local_path(path), engine="netcdf4") as file:
                record = json.loads(file.attrs["climatology"])
                spec = labelled_spec(file, path)
                coefficients = file["coefficients"].values
        except (OSError, KeyError) as error:
            raise UserError(
                f"{path} is no climatology ({error}); pass climatology.nc of a run, which weatherml statistics writes"
            ) from None
        period, store = write_periods(record["period"]), record.get("store", "")
        return cls(spec, coefficients, record["n_annual"], record["n_diurnal"], period, store)


@contextmanager
def writing(
    path: str | Path, spec: StateSpec, harmonics: Harmonics, period: Periods, store: str = ""
) -> Iterator[Callable[[slice, np.ndarray], None]]:
    """Yield what writes the coefficients of some channels in place; the file appears once all are written.

    Of 69 channels at 0.25 degrees they are 4.3 GB, which are not to be held to be written.

    Args:
        path: Of the NetCDF file.
        spec: All channels.
        harmonics: What the coefficients are multiplied with.
        period: What they are fitted on.
        store: Digest of the store that holds it.
    """
    record = {"n_annual": harmonics.n_annual, "n_diurnal": harmonics.n_diurnal, "period": period, "store": store}
    dims = {
        "term": harmonics.n_terms,
        "channel": spec.n_channels,
        "latitude": spec.shape[1],
        "longitude": spec.shape[2],
    }
    with netcdf_in_place(local_path(path)) as file:
        for name, size in dims.items():
            file.createDimension(name, size)
        file.setncatts({"climatology": json.dumps(record), "spec": spec.to_json()})
        file.createVariable("channel", str, ("channel",))[:] = np.array(spec.names, object)
        for name in ("latitude", "longitude"):
            file.createVariable(name, "f8", (name,))[:] = getattr(spec.grid, name)
        coefficients = file.createVariable("coefficients", "f4", tuple(dims), fill_value=np.float32(np.nan))
        coefficients.set_auto_mask(False)

        def write(channels: slice, values: np.ndarray) -> None:
            coefficients[:, channels] = values

        yield write
