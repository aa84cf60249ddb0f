"""Which part of ERA5 to fetch from the Climate Data Store."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator, model_validator

from weatherml.data.derived.derivations import DERIVATIONS, Sum
from weatherml.data.sources.cds.catalogue import FIRST_DAY, RESOLUTION, dataset_of
from weatherml.data.sources.config import SourceConfig
from weatherml.data.sources.times import ChosenTimes
from weatherml.durations import DurationText, parse_duration
from weatherml.errors import UserError
from weatherml.state import Channel, parse_channels
from weatherml.storage.locations import local_path
from weatherml.times import PeriodText, parse_period
from weatherml.variables import ChannelNames

if TYPE_CHECKING:
    from weatherml.data.sources.cds.source import CdsSource

_HOUR = np.timedelta64(1, "h")
_STEPS = (1, 2, 3, 4, 6, 8, 12, 24)  # hours that divide a day


class CdsConfig(SourceConfig):
    """ERA5 from the Climate Data Store.

    Attributes:
        channels: Fields, such as `z500` and `t2m`, or the names of sets of them, such as `pangu`.
        periods: First and last time of each period to fetch; all times of them are one source.
        every: Time between two analyses, of 1, 2, 3, 4, 6, 8, 12 or 24 hours; the first of a day is 00 UTC. What is
            summed up for `derive` is fetched every hour.
        grid: Distance between grid points in degrees, to which the service interpolates before anything is sent;
            ERA5's own 0.25 when None.
        area: North, west, south and east in degrees; the whole Earth when None.
        folder: Where the files lie, which other runs may share; a folder of the run when None.
        at_once: Requests that wait at the service at a time.
        fields_per_request: The most that one request asks for. A month of a few variables is what the service is
            quick with; beyond a limit of its own it refuses.
    """

    name: Literal["cds"] = "cds"
    channels: ChannelNames
    periods: tuple[PeriodText, ...] = Field(min_length=1)
    every: DurationText = "6h"
    grid: float | None = Field(default=None, ge=0.1, le=45)
    area: tuple[float, float, float, float] | None = None
    folder: str | None = None
    at_once: int = Field(default=8, ge=1, le=100)
    fields_per_request: int = Field(default=2000, ge=1, le=60_000)

    @field_validator("channels")
    @classmethod
    def _are_served(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for channel in parse_channels(names):
            dataset_of(channel.variable, channel.level)
        return names

    @field_validator("every")
    @classmethod
    def _divides_a_day(cls, every: str) -> str:
        if parse_duration(every) / _HOUR not in _STEPS:
            raise UserError(f"{every} must be {', '.join(map(str, _STEPS[:-1]))} or {_STEPS[-1]} hours")
        return every

    @field_validator("area")
    @classmethod
    def _lies_on_the_earth(cls, area: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if area is None:
            return area
        north, west, south, east = area
        if not -90 <= south < north <= 90:
            raise UserError(f"{list(area)} must be [north, west, south, east] with -90 <= south < north <= 90")
        if not (-180 <= west < east <= west + 360 <= 720):
            raise UserError(
                f"{list(area)} must be [north, west, south, east] with west < east; over the date line write east"
                " beyond 180, such as [10, 170, -10, 190]"
            )
        return area

    @field_validator("folder")
    @classmethod
    def _on_this_machine(cls, folder: str | None) -> str | None:
        if folder is None:
            return folder
        if local_path(folder).expanduser().is_file():
            raise UserError(f"{folder} is a file; name a folder for the files")
        return str(local_path(folder))

    @model_validator(mode="after")
    def _divides_the_earth(self) -> Self:
        n_rows = 180 / (self.grid or RESOLUTION)
        if self.area is None and abs(n_rows - round(n_rows)) > 1e-6:
            raise UserError(f"grid {self.grid} does not divide 180 degrees; choose one that does, such as 1.5")
        return self

    @property
    def parsed(self) -> tuple[Channel, ...]:
        """The channels, each once."""
        return tuple(dict.fromkeys(parse_channels(self.channels)))

    @property
    def step_hours(self) -> int:
        """Hours between two analyses."""
        return int(parse_duration(self.every) / _HOUR)

    @property
    def n_points(self) -> int:
        """Points of the grid."""
        step = self.grid or RESOLUTION
        north, west, south, east = self.area or (90.0, 0.0, -90.0, 360.0 - step)
        return (int((north - south) / step + 1e-6) + 1) * (int((east - west) / step + 1e-6) + 1)

    def times(self) -> npt.NDArray[np.datetime64]:
        """Return the times of all periods, without what is left out, `datetime64[ns]` [time], rising.

        Raises:
            UserError: A period begins before the data, or holds no time.
        """
        spans = [parse_period(period) for period in self.periods]
        first, last = min(span.first for span in spans), max(span.last for span in spans)
        if first < np.datetime64(FIRST_DAY):
            raise UserError(f"source.periods begin at {first:.10}; ERA5 begins at {FIRST_DAY}")
        midnight = first.astype("datetime64[D]").astype("datetime64[ns]")
        times = np.arange(midnight, last + np.timedelta64(1, "ns"), parse_duration(self.every))
        return times[ChosenTimes(self.periods, self.exclude, self.every).choose(times, "hours of ERA5")]

    def times_of(self, variable: str) -> npt.NDArray[np.datetime64]:
        """Return the times at which a variable is fetched: of what is summed up, also the hours of each window."""
        times = self.times()
        hours = np.arange(self.windows.get(variable, 1)) * _HOUR
        every = np.unique((times[:, None] - hours).astype("datetime64[h]").astype(np.int64))
        needed = every.astype("datetime64[h]").astype("datetime64[ns]")
        return needed[needed >= np.datetime64(FIRST_DAY)]

    @property
    def windows(self) -> dict[str, int]:
        """Hours over which variables are summed up for what is derived of them, by canonical name."""
        sums = [way for name in self.derive for way in DERIVATIONS[name] if isinstance(way, Sum)]
        return {
            way.inputs[0]: int(max(other.window for other in sums if other.inputs == way.inputs) / _HOUR)
            for way in sums
        }

    def require_past(self) -> None:
        """Require that all times have been.

        Raises:
            UserError: One is still to come.
        """
        last, now = self.times()[-1], np.datetime64(datetime.now(UTC).replace(tzinfo=None), "ns")
        if last > now:
            raise UserError(
                f"source.periods end at {last:.16}, which is still to come; ERA5 is there about five days later: end"
                f" them by {now - np.timedelta64(6, 'D'):.10}"
            )

    def place(self, folder: Path) -> Path:
        """Return where the files lie, for a run in `folder`."""
        return folder / "cds" if self.folder is None else Path(self.folder).expanduser()

    def open(self, folder: Path) -> "CdsSource":
        """Return the source, which fetches what it has not yet when it is read."""
        from weatherml.data.sources.cds.source import CdsSource

        return CdsSource(self, self.place(folder))
