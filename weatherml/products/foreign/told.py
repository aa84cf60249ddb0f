"""What files do not say of a forecast, said by whoever reads them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import xarray as xr

from weatherml.data.reading.leads import find_init, find_lead
from weatherml.data.reading.selection import NotThereError
from weatherml.errors import UserError
from weatherml.registry import nearest
from weatherml.times import TimeLike, parse_time

Repeated = Literal["refuse", "first", "last", "members"]
"""What becomes of fields that come twice: an error, the first or the last of them, or they are members of which no
file tells a number."""

LeadUnit = Literal["d", "h", "min", "s", "ns"]
"""Of leads that are numbers."""

Points = Literal["refuse", "interpolate"]
"""What becomes of rows of different lengths, as those of a reduced Gaussian grid: an error, or each is interpolated
linearly to as many columns as the longest has."""

_CALENDARS = ("standard",)
UNITS: dict[str, np.timedelta64] = {
    "d": np.timedelta64(24, "h"),
    "h": np.timedelta64(1, "h"),
    "min": np.timedelta64(1, "m"),
    "s": np.timedelta64(1, "s"),
    "ns": np.timedelta64(1, "ns"),
}


@dataclass(frozen=True)
class Told:
    """What is told of a forecast.

    Attributes:
        lead_unit: Of leads that are numbers without a unit.
        init_time: Of fields that have valid times alone.
        calendar: `standard`, to take dates of a model's calendar for those of the weather.
        repeated: What becomes of fields that come twice.
        points: What becomes of rows of different lengths.
        rename: Names by what files call variables, coordinates and dimensions.
        found: Those that some file had, so far.

    Raises:
        UserError: A word is none of those.
    """

    lead_unit: LeadUnit | None = None
    init_time: TimeLike | None = None
    calendar: str | None = None
    repeated: Repeated = "refuse"
    points: Points = "refuse"
    rename: Mapping[str, str] = field(default_factory=dict)
    found: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        words = {"lead_unit": UNITS, "calendar": _CALENDARS, "repeated": get_args(Repeated), "points": get_args(Points)}
        for name, known in words.items():
            value = getattr(self, name)
            if value is not None and value not in known:
                raise UserError(f"unknown {name} {value!r}{nearest(str(value), known)}")

    def renamed(self, raw: xr.Dataset) -> xr.Dataset:
        """Return a dataset under the names that are told; what it does not have may be in another file."""
        here = {*map(str, raw.variables), *map(str, raw.dims)}
        self.found.update(here & set(self.rename))
        return raw.rename({own: name for own, name in self.rename.items() if own in here and own != name})

    def require_renamed(self, read: xr.Dataset) -> None:
        """Require that a file had each name.

        Args:
            read: What was read of one, for the message.

        Raises:
            NotThereError: None had one.
        """
        for name in sorted(set(self.rename) - self.found):
            raise NotThereError(name, map(str, read.data_vars))

    def with_init_time(self, raw: xr.Dataset) -> xr.Dataset:
        """Return a dataset with the initial time that is told; of several systems one may have its own.

        Raises:
            UserError: It is no time.
        """
        has_its_own = find_init(raw) is not None or (find_lead(raw) is not None and "time" in raw.variables)
        if self.init_time is None or has_its_own:
            return raw
        return raw.assign_coords(init_time=parse_time(self.init_time, "init_time"))
