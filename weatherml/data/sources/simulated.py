"""A simulated planet as a source of data: weather without a download, the same for the same configuration."""

import hashlib
import io
from collections import OrderedDict
from collections.abc import Sequence
from datetime import date
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field, model_validator

from weatherml.data.sources.config import SourceConfig
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.registry import nearest
from weatherml.state import with_metadata
from weatherml.storage.files import write_bytes
from weatherml.times import LAST_DAY, DateText, parse_time, parse_times
from weatherml.variables import LEVEL_SETS, VARIABLES

if TYPE_CHECKING:
    from dinosaur.primitive_equations import State

    from weatherml.data.sources.planet import Planet

_VARIABLES = (
    "geopotential",
    "temperature",
    "u_component_of_wind",
    "v_component_of_wind",
    "mean_sea_level_pressure",
    "surface_pressure",
)
_RAIN = {1: "total_precipitation", 6: "total_precipitation_6hr", 12: "total_precipitation_12hr"}
"""Precipitation between two outputs, by the hours between them."""
_GROUND = "geopotential_at_surface"
_SEGMENT = 120  # output steps between two restart files
_MEMORY = 2**28  # bytes of fields; more than all variables of one file of a store, which are read one by one


class PlanetConfig(SourceConfig):
    """What the planet is and which of its days are observed.

    Attributes:
        name: Tag of this source.
        truncation: Highest wavenumber; 21 gives a Gaussian grid of 32 x 64, 31 one of 48 x 96.
        n_levels: Equally thick sigma levels of the dynamics.
        levels: Pressure levels of the output in hPa, rising.
        seed: Decides the weather; the climate is the same for all.
        mountain_height: Height of the highest mountain in m.
        spin_up_days: Days from the resting start to the first that is observed.
        start: Date of the first observed field, 00 UTC.
        days: Number of observed days.
        time_step_hours: Time between two fields.
        water: Whether vapour evaporates, is carried by the wind and rains out: `specific_humidity`, and precipitation
            over the time between two fields. The weather is the same, for water heats no air.
    """

    name: Literal["simulated"] = "simulated"
    truncation: int = Field(default=21, ge=5, le=106)
    n_levels: int = Field(default=8, ge=5, le=40)
    levels: tuple[int, ...] = Field(default=LEVEL_SETS["planet"], min_length=1)
    seed: int = Field(default=0, ge=0, lt=2**32)
    mountain_height: float = Field(default=2000.0, ge=0, le=4000)
    spin_up_days: int = Field(default=200, ge=0)
    start: DateText = date(2000, 1, 1)
    days: int = Field(default=2192, ge=1)
    time_step_hours: Literal[1, 2, 3, 6, 12] = 6
    water: bool = False

    @property
    def rain(self) -> str | None:
        """Name of the precipitation between two fields; None on a dry planet."""
        return _RAIN[self.time_step_hours] if self.water else None

    @model_validator(mode="after")
    def _rain_has_a_name(self) -> Self:
        if self.water and self.time_step_hours not in _RAIN:
            raise ValueError(
                f"water: precipitation over {self.time_step_hours} hours has no name; set time_step_hours to 1, 6 or 12"
            )
        return self

    @model_validator(mode="after")
    def _levels_rise_within_the_atmosphere(self) -> Self:
        if list(self.levels) != sorted(set(self.levels)) or not 100 <= self.levels[0] <= self.levels[-1] <= 1000:
            raise ValueError("levels must rise within 100 .. 1000 hPa")
        return self

    @model_validator(mode="after")
    def _days_can_be_told(self) -> Self:
        if self.days > (LAST_DAY - self.start).days:
            raise ValueError(f"{self.days} days from {self.start} end after the year {LAST_DAY.year}; observe fewer")
        return self

    def open(self, folder: Path) -> "SimulatedSource":
        """Return the planet as a source, whose restart files lie in `folder`/planet."""
        return SimulatedSource(self, folder / "planet")


class SimulatedSource:
    """The planet as a `Source`: it is simulated where it is read, and goes on from where it stopped.

    The simulation is sequential. Its exact state is kept under `cache` at the end of every segment, so an interrupted
    reading continues, and a period read again is simulated again from the state before it, bit for bit on the same
    machine. Reading forward in time is cheapest; what was read last stays in memory.
    """

    name = "simulated"

    def __init__(self, config: PlanetConfig, cache: Path):
        """Simulate nothing yet.

        Args:
            config: The planet.
            cache: Folder for restart states; other planets may share it.
        """
        self.config = config
        self._states = Path(cache) / self._fingerprint({"levels", "spin_up_days", "start", "days"})[:16]
        self._segments: OrderedDict[int, dict[str, npt.NDArray[np.float32]]] = OrderedDict()

    @cached_property
    def grid(self) -> LatLonGrid:
        """The Gaussian grid of the dynamics."""
        n_lat = 2 * -(-(3 * self.config.truncation + 1) // 4)
        return LatLonGrid.gaussian(n_lat, 2 * n_lat)

    @property
    def levels(self) -> tuple[int, ...]:
        """Pressure levels in hPa."""
        return self.config.levels

    def digest(self) -> str:
        """Fingerprint of the configuration and of the code that carries the planet forward."""
        return self._fingerprint(set())

    def times(self) -> npt.NDArray[np.datetime64]:
        """Valid times of all observed fields."""
        n_times = self.config.days * 24 // self.config.time_step_hours
        return self._start + np.arange(n_times) * self._time_step

    def variables(self) -> tuple[str, ...]:
        """Canonical names of the fields."""
        rain = self.config.rain
        return (*_VARIABLES, *(() if rain is None else ("specific_humidity", rain)), _GROUND)

    def read(self, times: npt.NDArray[np.datetime64], variables: Sequence[str]) -> xr.Dataset:
        """Simulate what is not in memory and return the named fields.

        Raises:
            UserError: A variable or a time is not of this planet.
        """
        times = parse_times(times)
        steps = self._steps(times)
        self._require(variables)
        segments, offsets = np.divmod(steps, _SEGMENT)
        fields = {name: self._allocate(name, len(steps)) for name in variables if name != _GROUND}
        for segment in np.unique(segments) if fields else ():
            wanted = segments == segment
            content = self._segment(int(segment))
            for name, field in fields.items():
                field[wanted] = content[name][offsets[wanted]]
        dataset = self._dataset(fields, times)
        if _GROUND in variables:
            dataset[_GROUND] = (("latitude", "longitude"), self._planet.surface_geopotential())
        return with_metadata(dataset)

    def _fingerprint(self, unused: set[str]) -> str:
        code = [Path(__file__).with_name(name).read_text() for name in ("planet.py", "vertical.py", "water.py")]
        libraries = [f"{name} {version(name)}" for name in ("dinosaur", "jaxlib")]
        text = "\n".join([self.config.origin_json(unused), *libraries, *code])
        return hashlib.sha256(text.encode()).hexdigest()

    def _steps(self, times: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
        """Return output steps since the resting start."""
        strange = times[~np.isin(times, self.times())]
        if strange.size:
            known = self.times()
            raise UserError(
                f"the planet has no time {strange[0]}; it has {known[0]} .. {known[-1]}"
                f" every {self.config.time_step_hours} h"
            )
        spin_up = self.config.spin_up_days * 24 // self.config.time_step_hours
        steps: npt.NDArray[np.int64] = (times - self._start) // self._time_step + spin_up
        return steps

    def _require(self, variables: Sequence[str]) -> None:
        for name in variables:
            if name not in self.variables():
                raise UserError(f"the planet has no variable {name!r}{nearest(name, self.variables())}")

    def _allocate(self, name: str, n_times: int) -> npt.NDArray[np.float32]:
        levels = (len(self.levels),) if VARIABLES[name].vertical == "pressure" else ()
        return np.empty((n_times, *levels, *self.grid.shape), np.float32)

    def _dataset(self, fields: dict[str, npt.NDArray[np.float32]], times: npt.NDArray[np.datetime64]) -> xr.Dataset:
        coords = {
            "time": times,
            "level": np.asarray(self.levels, np.int32),
            "latitude": np.asarray(self.grid.latitude),
            "longitude": np.asarray(self.grid.longitude),
        }
        dims = {3: ("time", "latitude", "longitude"), 4: tuple(coords)}
        dataset = xr.Dataset({name: (dims[field.ndim], field) for name, field in fields.items()})
        named = {*dataset.dims, "latitude", "longitude"}
        return dataset.assign_coords({dim: values for dim, values in coords.items() if dim in named})

    def _segment(self, index: int) -> dict[str, npt.NDArray[np.float32]]:
        """Return the fields of one segment, simulated from the nearest state before it where not in memory."""
        if index not in self._segments:
            for missing in range(self._latest_state(index), index + 1):
                self._simulate(missing)
        self._segments.move_to_end(index)
        return self._segments[index]

    def _simulate(self, index: int) -> None:
        state, fields = self._planet.run(self._load(index), _SEGMENT)
        if not np.isfinite(fields["temperature"][-1]).all():
            raise UserError(f"the simulation became unstable after step {index * _SEGMENT}; lower mountain_height")
        self._save(index + 1, self._planet.to_arrays(state))
        self._segments[index] = {name: np.asarray(field) for name, field in fields.items()}
        size = sum(field.nbytes for field in self._segments[index].values())
        while len(self._segments) > max(1, _MEMORY // size):
            self._segments.popitem(last=False)

    def _latest_state(self, index: int) -> int:
        return next((i for i in range(index, 0, -1) if self._path(i).exists()), 0)

    def _load(self, index: int) -> "State":
        if index == 0:
            return self._planet.initial_state(self.config.seed)
        with np.load(self._path(index)) as arrays:
            return self._planet.from_arrays(arrays)

    def _save(self, index: int, arrays: dict[str, npt.NDArray[np.float32]]) -> None:
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **arrays)
        write_bytes(self._path(index), content.getvalue())

    def _path(self, index: int) -> Path:
        return self._states / f"state_{index:05d}.npz"

    @cached_property
    def _planet(self) -> "Planet":
        # jax and the dynamical core take seconds to import; configuring and describing the source needs neither.
        from weatherml.data.sources.planet import Planet
        from weatherml.parallel import require_devices

        require_devices()
        c = self.config
        return Planet(c.truncation, c.n_levels, c.levels, c.mountain_height, c.time_step_hours, c.rain)

    @property
    def _start(self) -> np.datetime64:
        return parse_time(self.config.start)

    @property
    def _time_step(self) -> np.timedelta64:
        return np.timedelta64(self.config.time_step_hours, "h")
