"""What is taken of the members of a forecast at each point, computed where it is read: members are never all there."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr

from weatherml.errors import UserError, require_kind
from weatherml.errors.wording import listed
from weatherml.extremes.thresholds.climates import Climate, asked
from weatherml.extremes.units import require_alike, require_units
from weatherml.grid import OPEN_FIRST, REGRID, LatLonGrid
from weatherml.process.logs import ONCE
from weatherml.references import Fitted, values_of, warn_of_knowing
from weatherml.state import on_grid
from weatherml.verification.baselines.lazy_forecast import lazy_forecast
from weatherml.verification.pairing.domain import empty_levels

_logger = logging.getLogger(__name__)

READ_BYTES = 2**26
"""Of the members that are read at once, unless those of one lead at one level take more."""
_POINTS = 2**9  # of a tile, whose members and quantiles stay in a processor's cache
_FORECAST = ("init_time", "lead_time", "latitude", "longitude")

AtPoints = Callable[[np.ndarray, np.ndarray, str], np.ndarray]
"""From members `[member, point]`, fields to compare with `[quantile, point]` and a variable's name to `[point]`."""


@dataclass(frozen=True)
class Pointwise:
    """A number at each point of a forecast.

    Attributes:
        forecast: Dims (init_time, lead_time, number, level, latitude, longitude); of one member without number.
        climate: What the members are compared with.
        function: What is taken of them.
        owner: What `climate` is, for messages.
    """

    forecast: xr.Dataset
    climate: Climate
    function: AtPoints
    owner: str = "the climate"

    def dataset(self, attributes: Mapping[str, Mapping[str, str]]) -> xr.Dataset:
        """Return dims (init_time, lead_time, level, latitude, longitude), computed where they are read.

        Args:
            attributes: Of each variable; others are left out.
        """
        if isinstance(self.climate, Fitted):
            warn_of_knowing(
                self.climate, self.forecast["init_time"].values[:, None] + self.forecast["lead_time"].values
            )
        first = {name: self._first(name).assign_attrs(own) for name, own in attributes.items()}
        times = (self.forecast[name].values for name in ("init_time", "lead_time"))
        made = lazy_forecast(self._compute, xr.Dataset(first), *times)
        return made.assign_coords(valid_time=made["init_time"] + made["lead_time"])

    def _first(self, name: str) -> xr.DataArray:
        """Return what it looks like, of no values yet, and require that the first can be compared."""
        field = _ordered(self.forecast[name])
        shape = {dim: size for dim, size in field.sizes.items() if dim != "number"} | {"init_time": 1, "lead_time": 1}
        coords = {dim: field[dim][: shape[dim]] for dim in shape}
        self._require_units(field, self._compared(name)(*(field[dim].values[0] for dim in ("init_time", "lead_time"))))
        return xr.DataArray(np.broadcast_to(np.float32(np.nan), tuple(shape.values())), coords, tuple(shape))

    def _require_units(self, field: xr.DataArray, compared: xr.DataArray) -> None:
        """Require the first of one member, and what it is compared with, to be in the same units, at the last level."""
        require_units(compared)
        last = {"level": -1, "number": 0}
        own = field.isel({"init_time": 0, "lead_time": 0} | last, missing_dims="ignore").values
        require_alike(str(field.name), own, compared.isel(level=-1, missing_dims="ignore").values, self.owner)

    def _compute(self, name: str, init_times: np.ndarray, lead_times: np.ndarray) -> xr.DataArray:
        field, compared = _ordered(self.forecast[name]), self._compared(name)
        rest = [dim for dim in field.dims[2:] if dim != "number"]
        found = np.empty((len(init_times), len(lead_times), *(field.sizes[dim] for dim in rest)), np.float32)
        leads = field.indexes["lead_time"].get_indexer(lead_times)
        for i, init in enumerate(init_times):
            own = field.isel(init_time=int(field.indexes["init_time"].get_loc(init)))
            for some in _groups(len(leads), max(1, READ_BYTES // (4 * own[0].size))):
                members = own.isel(lead_time=leads[some])
                for j, lead in zip(range(some.start, some.stop), lead_times[some], strict=True):
                    found[i, j] = self._at(members[j - some.start], compared(init, lead), name)
        return xr.DataArray(found, dims=("init_time", "lead_time", *rest))

    def _at(self, members: xr.DataArray, compared: xr.DataArray, name: str) -> np.ndarray:
        """Return `[(level,) lat, lon]` of one init and lead time, level by level; NaN at those that there are not."""
        if "level" not in members.dims:
            return self._of_level(members, compared, (), name)
        nothing, known = np.full(members.shape[-2:], np.float32(np.nan)), compared["level"].values
        levels = members["level"].values
        return np.stack(
            [self._of_level(members, compared, (own,), name) if own in known else nothing for own in levels]
        )

    def _of_level(self, members: xr.DataArray, compared: xr.DataArray, level: tuple[int, ...], name: str) -> np.ndarray:
        values = values_of(members, level, "number").reshape(members.sizes.get("number", 1), -1)
        fields = values_of(compared, level, "quantile").reshape(compared.sizes.get("quantile", 1), -1)
        tiles = _groups(values.shape[1], _POINTS)
        found = np.concatenate([self.function(values[:, tile], fields[:, tile], name) for tile in tiles])
        return found.reshape(members.shape[-2:])

    def _compared(self, name: str) -> Callable[[np.datetime64, np.timedelta64], xr.DataArray]:
        """Return what knows the fields of a variable to compare with, at the levels that the forecast has of it."""
        grid, levels = self._grid, self._levels[name]
        ask = asked(self.climate, name, levels, self.owner)

        def fields(init: np.datetime64, lead: np.timedelta64) -> xr.DataArray:
            known = on_grid(ask(init, lead), grid)
            require_variable(known, name, self.owner)
            if not LatLonGrid.from_dataset(known).is_same(grid):
                raise UserError(f"{self.owner} lies on another grid than the forecast; {REGRID}")
            field = known[name]
            _require_levels(field, levels, self.owner)
            return field.sel(level=list(levels)) if levels else field

        return fields

    @cached_property
    def _grid(self) -> LatLonGrid:
        return LatLonGrid.from_dataset(self.forecast)

    @cached_property
    def _levels(self) -> dict[str, tuple[int, ...]]:
        """Levels of each variable; none where it has one height, nor those that are NaN throughout (ragged sets)."""
        levels: dict[str, tuple[int, ...]] = {name: () for name in forecast_variables(self.forecast)}
        for name, field in ((own, self.forecast[own]) for own in levels if "level" in self.forecast[own].dims):
            own = tuple(map(int, field["level"].values))
            empty = empty_levels(field, own) if len(own) > 1 else ()
            levels[name] = tuple(level for level in own if level not in empty) or own
        return levels


def _ordered(field: xr.DataArray) -> xr.DataArray:
    leading = [dim for dim in ("init_time", "lead_time", "number", "level") if dim in field.dims]
    return field.transpose(*leading, "latitude", "longitude")


def _require_levels(field: xr.DataArray, levels: tuple[int, ...], owner: str) -> None:
    known = field["level"].values.tolist() if "level" in field.dims else []
    if lacking := [level for level in levels if level not in known]:
        raise UserError(
            f"{owner} of {field.name} has no level {listed(lacking)}, only {listed(known)}; pass one that has it, or"
            " leave the level out of the forecast"
        )


def require_forecast(forecast: xr.Dataset) -> None:
    """Require the dimensions of a forecast, and say where probabilities of it are not worth the name.

    Raises:
        UserError: One is missing.
    """
    require_kind(forecast, xr.Dataset, "forecast", OPEN_FIRST)
    for missing in (dim for dim in _FORECAST if dim not in forecast.dims):
        raise UserError(f"the forecast has no dimension {missing!r}, only {listed(forecast.sizes)}; {OPEN_FIRST}")
    if forecast.sizes.get("number", 1) < 2:
        _logger.warning(
            "the forecast has one member: whether it exceeds is all that is known, with no probability between; pass an"
            " ensemble",
            extra=ONCE,
        )


def forecast_variables(forecast: xr.Dataset) -> list[str]:
    """Return the variables that are forecast."""
    return [str(name) for name, field in forecast.data_vars.items() if "lead_time" in field.dims]


def require_variable(fields: xr.Dataset, name: str, owner: str) -> None:
    """Require that fields to compare with have a variable.

    Raises:
        UserError: They do not.
    """
    if name not in fields:
        others = f", only {listed(fields.data_vars)}" if fields.data_vars else ""
        raise UserError(f"{owner} has no {name}{others}; pass one that has, or leave it out of the forecast")


def _groups(n: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, n)) for start in range(0, n, size))
