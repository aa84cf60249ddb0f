"""Wind storms: speeds above a high percentile of each place, how severe they are, and the footprints they leave."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.extremes.hazards.beside import Moment, followed, moments
from weatherml.extremes.hazards.known import known_only
from weatherml.extremes.hazards.registry import Hazard, registry
from weatherml.extremes.objects.properties import KM2
from weatherml.extremes.thresholds import local_quantile
from weatherml.extremes.thresholds.climates import Thresholds
from weatherml.extremes.tracks.members import Member, map_members
from weatherml.extremes.units import require_units
from weatherml.grid import LatLonGrid
from weatherml.process.workers import HERE, Workers
from weatherml.references import ConstantReference, Reference
from weatherml.times import Periods
from weatherml.verification.aggregation.regions import Region

_COMPONENTS = {
    "10m_wind_speed": ("10m_u_component_of_wind", "10m_v_component_of_wind"),
    "100m_wind_speed": ("100m_u_component_of_wind", "100m_v_component_of_wind"),
}


@dataclass(frozen=True)
class Definition:
    """What a wind storm is (Klawa and Ulbrich 2003; Leckebusch et al. 2008, doi:10.1127/0941-2948/2008/0322).

    Attributes:
        percentile: Of all speeds at a place, that is exceeded.
        exponent: Of the severity (v / v98 - 1) ** exponent: losses rise with the cube of the excess.
        least_speed: m s-1 that the threshold is at least, so that a breeze is no storm where it is calm.
        variable: Speed, which is taken of its components where it is not there.
        neighbours: Of a cell in a footprint, 8 or 4.
        minimum_area: km2 of a footprint, over its whole life.
    """

    percentile: float = 98.0
    exponent: float = 3.0
    least_speed: float = 0.0
    variable: str = "10m_wind_speed"
    neighbours: int = 8
    minimum_area: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.percentile < 100:
            raise UserError(
                f"a percentile lies between 0 and 100, got {self.percentile}; write 98 for the windiest 2 %"
            )
        if not self.exponent > 0 or not self.least_speed >= 0 or not self.minimum_area >= 0:
            raise UserError(f"{self} is no wind storm: the exponent is above 0, speed and area 0 or more")


def speeds(dataset: xr.Dataset, definition: Definition) -> xr.Dataset:
    """Return wind speeds, m s-1, computed from their components as they are read where they are not there.

    Raises:
        UserError: The data have neither, or say that they are in other units, such as knots.
    """
    parts = _COMPONENTS.get(definition.variable, ())
    for name in (definition.variable, *parts):
        if name in dataset:
            require_units(dataset[name])
    if definition.variable in dataset:
        return dataset[[definition.variable]]
    if not parts or not all(name in dataset for name in parts):
        wanted = " or ".join(filter(None, (definition.variable, " and ".join(parts))))
        raise UserError(
            f"a wind storm is of {wanted}, and the data have {listed(dataset.data_vars)}; pass data with it"
        )
    east, north = (_one_by_one(dataset[name]) for name in parts)
    speed: xr.DataArray = xr.apply_ufunc(np.hypot, east, north, dask="allowed")
    return speed.assign_attrs(units="m s-1").to_dataset(name=definition.variable)


def _one_by_one(field: xr.DataArray) -> xr.DataArray:
    """Return a field that is computed on, time by time and member by member, only as it is read."""
    if field.chunks:
        return field
    return field.chunk({dim: 1 for dim in field.dims if dim not in ("latitude", "longitude")})


def threshold(analyses: xr.Dataset, definition: Definition, period: Periods) -> xr.Dataset:
    """Return the percentile of all speeds of a period at each place, m s-1, and no less than the least speed."""
    found = local_quantile(speeds(analyses, definition), definition.percentile / 100, period)
    return found.clip(min=definition.least_speed, keep_attrs=True)


def event(fields: xr.Dataset, definition: Definition, given: Thresholds | None) -> xr.DataArray:
    """Return where the wind is above the threshold, 1 or 0 (time, latitude, longitude), in memory; NaN if unknown."""
    own = speeds(fields, definition)
    events = [known_only(moment.is_beyond, moment.is_known) for moment in _moments(own, definition, given)]
    return own[definition.variable].copy(data=np.stack(events)).rename("wind_storm").drop_attrs()


def storms(fields: xr.Dataset, definition: Definition, given: Thresholds, workers: Workers = HERE) -> xr.Dataset:
    """Follow the footprints of wind storms through time, of analyses or of each member of a forecast.

    Args:
        fields: Dims (time, latitude, longitude), or (init_time, lead_time, number, latitude, longitude).
        definition: What a wind storm is.
        given: Threshold of each place, `threshold(...)`.
        workers: Who looks through members.

    Returns:
        Dim `object`, one row each: `area` km2 of its footprint, where it is and from when to when, as
        `objects.properties`; `severity_index` km2, the sum over its times and cells of area times severity; and
        `greatest_ratio`, of speed to threshold. Of a forecast also `init_time` and `number`.

    Raises:
        UserError: Speeds or thresholds are missing, so that they are not known.
    """
    each, strength = partial(_moments, definition=definition, given=given), partial(severity, definition=definition)
    found = followed(speeds(fields, definition), each, strength, definition, workers)
    ratio = 1 + found["maximum"] ** (1 / definition.exponent)
    named = found.rename(mass="severity_index").drop_vars(["maximum", "minimum", "mean"])
    named["severity_index"].attrs["units"] = "km2"
    return named.assign(greatest_ratio=ratio)


def severity(moment: Moment, definition: Definition) -> np.ndarray:
    """Return (v / threshold - 1) ** exponent where the wind is above the threshold, and 0 elsewhere `[lat, lon]`."""
    is_beyond = moment.is_beyond & (moment.threshold > 0)
    ratio = np.divide(moment.values, moment.threshold, out=np.ones_like(moment.values), where=is_beyond)
    excess: np.ndarray = (ratio.astype(np.float64) - 1) ** definition.exponent
    return excess


def severity_index(
    fields: xr.Dataset,
    definition: Definition,
    given: Thresholds,
    weights: xr.DataArray | None = None,
    region: Region | None = None,
    workers: Workers = HERE,
) -> xr.DataArray:
    """Return the storm severity index of each time: the sum over cells of weight times severity.

    Args:
        fields: As of `storms`; one field is in memory at once.
        definition: What a wind storm is.
        given: Threshold of each place, `threshold(...)`.
        weights: What each cell counts, (latitude, longitude), such as how many people live there; its area, km2, when
            None.
        region: Which cells count; all when None.
        workers: Who looks through members.

    Returns:
        Dims (time), or (init_time, lead_time, number) of a forecast; NaN where a speed that counts, or its threshold,
        is missing; cells that have neither don't count.

    Raises:
        UserError: Weights are not on the grid of the fields, or missing somewhere.
    """
    own = speeds(fields, definition)
    grid = LatLonGrid.from_dataset(own)
    counted = _weights(weights, grid) * (1.0 if region is None else region.holds(grid))
    look = partial(_indices, definition=definition, given=given, weights=counted)
    dims = tuple(dim for dim in ("init_time", "number", "lead_time", "time") if dim in own.dims)
    values = np.reshape(list(map_members(look, own, workers)), tuple(own.sizes[dim] for dim in dims))
    index = xr.DataArray(values, {dim: own[dim] for dim in dims}, dims, "severity_index")
    told = {"units": "km2"} if weights is None else {"units": str(weights.attrs.get("units", "1"))}
    return index.transpose("init_time", "lead_time", ..., missing_dims="ignore").assign_attrs(told)


def _indices(member: Member, definition: Definition, given: Thresholds, weights: np.ndarray) -> list[float]:
    each = _moments(member.fields, definition, given)
    return [_index_of(moment, definition, weights) for moment in each]


def _index_of(moment: Moment, definition: Definition, weights: np.ndarray) -> float:
    """Return the sum of one time; NaN where speeds or thresholds are missing that count."""
    if (~moment.is_known & ~moment.is_masked & (weights != 0)).any():
        return float("nan")
    return float((severity(moment, definition) * weights).sum())


def _weights(weights: xr.DataArray | None, grid: LatLonGrid) -> np.ndarray:
    if weights is None:
        return np.broadcast_to(KM2 * grid.cell_areas()[:, None], grid.shape)
    if not LatLonGrid.from_dataset(weights).is_same(grid):
        raise UserError(f"the weights are not on the grid of the wind, {list(grid.shape)}; regrid them")
    values = np.asarray(weights.transpose("latitude", "longitude").values, np.float64)
    if not np.isfinite(values).all():
        raise UserError("the weights are missing somewhere; fill them with 0 where nothing counts, by fillna(0)")
    return values


def _moments(fields: xr.Dataset, definition: Definition, given: Thresholds | None) -> Iterator[Moment]:
    if given is None:
        raise UserError(
            "a wind storm is above the threshold of each place; pass wind.threshold(analyses, definition, period)"
        )
    return moments(fields[definition.variable], given, definition.least_speed)


def _index(fields: xr.Dataset, definition: Definition, _: Any) -> xr.DataArray:
    return speeds(fields, definition)[definition.variable]


def _threshold(analyses: xr.Dataset, definition: Definition, _: np.ndarray) -> Reference:
    known = analyses["time"].values
    return ConstantReference(threshold(analyses, definition, (known.min(), known.max())))


registry.register("wind_storm")(
    Hazard(
        "wind storm",
        _COMPONENTS["10m_wind_speed"],
        Definition,
        event,
        _index,
        summary="maximum",
        threshold=_threshold,
    )
)
