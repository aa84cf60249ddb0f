"""Heavy precipitation: amounts of some hours above a threshold, as fields, as objects, and beside what came."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.extremes.hazards.beside import Moment, followed, match_moments, measured, moments, threshold_at
from weatherml.extremes.hazards.known import known_only
from weatherml.extremes.hazards.registry import Hazard, registry
from weatherml.extremes.objects import Threshold, Weights, sal
from weatherml.extremes.thresholds import local_quantile
from weatherml.extremes.thresholds.climates import NUMBER, Thresholds
from weatherml.extremes.units import require_units, require_windows
from weatherml.grid import LatLonGrid
from weatherml.process.workers import HERE, Workers
from weatherml.references import ConstantReference, Reference, as_reference, warn_of_knowing
from weatherml.times import Periods

_WHEN = ("init_time", "lead_time")
_KNOWN = {
    24: "total_precipitation_24hr",
    12: "total_precipitation_12hr",
    6: "total_precipitation_6hr",
    1: "total_precipitation",
}
"""Variables by the hours before their valid time that they are the amount of."""


@dataclass(frozen=True)
class Definition:
    """What heavy precipitation is: more than both an amount and, where one is given, a threshold of the place.

    Attributes:
        hours: Of which it is the amount, up to the valid time.
        amount: m; 0.01 m are 10 mm (ETCCDI's heavy precipitation days, R10mm).
        percentile: Of all amounts at a place, dry ones too, that `threshold` returns; None where the amount alone
            counts.
        neighbours: Of a cell in an object, 8 or 4.
        minimum_area: km2 of an object.
        sal: From which amount on cells are of an object of SAL.
        weights: Which objects are one.
    """

    hours: int = 24
    amount: float = 0.01
    percentile: float | None = 99.0
    neighbours: int = 8
    minimum_area: float = 0.0
    sal: Threshold = field(default_factory=Threshold)
    weights: Weights = field(default_factory=Weights)

    def __post_init__(self) -> None:
        if self.hours < 1 or not self.amount >= 0 or not self.minimum_area >= 0:
            raise UserError(f"{self} is no heavy precipitation: hours are 1 or more, amount and area 0 or more")
        if self.percentile is not None and not 0 < self.percentile < 100:
            raise UserError(f"a percentile lies between 0 and 100, got {self.percentile}; write 99 for one day in 100")


def amounts(dataset: xr.Dataset, definition: Definition) -> xr.Dataset:
    """Return the amounts of some hours up to each valid time, m, computed as they are read.

    Args:
        dataset: Analyses along `time`, or a forecast along `lead_time`, of total_precipitation_24hr, _12hr or _6hr, or
            of total_precipitation, which is taken as that of the hour before.
        definition: Of how many hours.

    Returns:
        One variable, without the first times, of which not all hours are there; other dims as they were. Verification
        knows it by its name: total_precipitation_24hr of 24 hours, and so on, total_precipitation of others.

    Raises:
        UserError: There is no variable of hours that divide these, its times are not so many hours apart, or a
            forecast's are sums since its start.
    """
    source, hours = _source(dataset, definition)
    field, n_steps = dataset[source], definition.hours // hours
    require_units(field)
    require_windows(field)
    if n_steps > 1:
        field = _sum(field, n_steps, np.timedelta64(hours, "h"))
    told = {"units": "m", "long_name": f"precipitation of {definition.hours} h up to the valid time"}
    return field.assign_attrs(told).to_dataset(name=_name(definition))


def _name(definition: Definition) -> str:
    return _KNOWN.get(definition.hours, "total_precipitation")


def _source(dataset: xr.Dataset, definition: Definition) -> tuple[str, int]:
    there = [(name, hours) for hours, name in _KNOWN.items() if name in dataset and definition.hours % hours == 0]
    fitting = [own for own in there if _fits(dataset[own[0]], definition.hours // own[1], np.timedelta64(own[1], "h"))]
    for name, hours in (*fitting, *there):
        return name, hours
    raise UserError(
        f"no precipitation that makes {definition.hours} h in the data, which have {listed(dataset.data_vars)}; pass"
        f" {' or '.join(own for hours, own in _KNOWN.items() if definition.hours % hours == 0)}"
    )


def _fits(field: xr.DataArray, n_steps: int, step: np.timedelta64) -> bool:
    """Return whether its times are so far apart that so many of them are the hours without a hole."""
    times = field["lead_time" if "lead_time" in field.dims else "time"].values
    return n_steps == 1 or (len(np.atleast_1d(times)) >= n_steps and bool((np.diff(times) == step).all()))


def _sum(field: xr.DataArray, n_steps: int, step: np.timedelta64) -> xr.DataArray:
    """Return sums over so many steps up to each."""
    dim = "lead_time" if "lead_time" in field.dims else "time"
    size = field.sizes.get(dim, 0)
    if not _fits(field, n_steps, step):
        hours = step / np.timedelta64(1, "h")
        raise UserError(
            f"{field.name} is of {hours:g} h, and amounts of {hours * n_steps:g} h take {n_steps} or more times that"
            f" are {hours:g} h apart; the data have {size} others: choose such, by sel({dim}=...)"
        )
    lazy = field if field.chunks else field.chunk({dim: n_steps})
    parts = [lazy.isel({dim: slice(first, size - n_steps + 1 + first)}).drop_vars(dim) for first in range(n_steps)]
    total = sum(parts[1:], parts[0])
    return total.assign_coords({dim: field[dim].values[n_steps - 1 :]}).transpose(*field.dims)


def _require_threshold(definition: Definition, given: Thresholds | None) -> None:
    if given is None and definition.percentile is not None:
        raise UserError(
            f"heavy precipitation is above the {definition.percentile:g}th percentile, and no threshold is given; pass"
            " rain.threshold(analyses, definition, period), or a definition with percentile=None"
        )


def threshold(analyses: xr.Dataset, definition: Definition, period: Periods) -> xr.Dataset:
    """Return what amounts have to exceed at each place, m: the percentile of all of a period, or the least amount.

    Levels of a return period (`extremes.return_periods`) may stand in its place. Metrics take it as the reference
    `threshold`: `evaluate(amounts(forecast), amounts(truth), "fss(radius=100)", references={"threshold": ...})`.

    Raises:
        UserError: The analyses have no such precipitation, or none in the period.
    """
    own = amounts(analyses, definition)
    if definition.percentile is None:
        return xr.full_like(own.isel(time=0, drop=True), definition.amount).compute()
    found = local_quantile(own, definition.percentile / 100, period)
    return found.clip(min=definition.amount, keep_attrs=True)


def event(fields: xr.Dataset, definition: Definition, given: Thresholds | None = None) -> xr.DataArray:
    """Return where and when it is heavy precipitation, 1 or 0 (time, latitude, longitude), in memory; NaN if not known.

    Args:
        fields: Dims (time, latitude, longitude).
        definition: What it is.
        given: Threshold of each place, as `threshold` returns it; None where the definition has no percentile.

    Raises:
        UserError: The definition has a percentile and no threshold is given; or as `amounts`.
    """
    _require_threshold(definition, given)
    own = _amount(fields, definition)
    events = [known_only(moment.is_beyond, moment.is_known) for moment in moments(own, given, definition.amount)]
    return own.copy(data=np.stack(events)).rename("heavy_precipitation").drop_attrs()


def objects(
    fields: xr.Dataset,
    definition: Definition,
    given: Thresholds | None = None,
    workers: Workers = HERE,
) -> xr.Dataset:
    """Follow heavy precipitation through time, of analyses or of each member of a forecast.

    Args:
        fields: Dims (time, latitude, longitude), or (init_time, lead_time, number, latitude, longitude).
        definition: What it is.
        given: Threshold of each place and date.
        workers: Who looks through members.

    Returns:
        As `objects.properties`, of the amounts, m: dim `object`, with `init_time` and `number` of a forecast.

    Raises:
        UserError: Amounts or thresholds are missing, so that they are not known; or as `event`.
    """
    _require_threshold(definition, given)
    each = partial(_moments, definition=definition, given=given)
    return followed(amounts(fields, definition), each, _values, definition, workers)


def compare(
    forecast: xr.Dataset,
    truth: xr.Dataset,
    definition: Definition,
    given: Thresholds | None = None,
    workers: Workers = HERE,
) -> xr.Dataset:
    """Compare the amounts of each member with those that came by SAL and by their objects, one field at a time.

    Args:
        forecast: Dims (init_time, lead_time, number, latitude, longitude), of a region for SAL.
        truth: Dims (time, latitude, longitude), with all valid times and the hours before.
        definition: What heavy precipitation is, of which hours, and which objects are one.
        given: Threshold of each place and date.
        workers: Who looks through members.

    Returns:
        Dims (init_time, lead_time, number): `structure`, `amplitude`, `location`, `centre` and `scatter` of
        `objects.sal`; `hits`, `misses` and `false_alarms` of objects, `median_of_maximum_interest`, and over the hits
        the mean `centroid_distance`, km, NaN where there are none.

    Raises:
        UserError: As `amounts` and `sal`; the truth lacks a valid time; or a threshold is missing that amounts may
            exceed.
    """
    _require_threshold(definition, given)
    if given is not None and not isinstance(given, NUMBER):
        warn_of_knowing(as_reference(given, "the threshold"), np.add.outer(*(forecast[own].values for own in _WHEN)))
    measure = partial(_measure, definition=definition, given=given)
    return measured(_amount(forecast, definition), _amount(truth, definition), measure, workers)


def _measure(
    time: np.datetime64,
    forecast: np.ndarray,
    truth: np.ndarray,
    grid: LatLonGrid,
    definition: Definition,
    given: Thresholds | None,
) -> dict[str, float]:
    least = threshold_at(given, time, _name(definition), definition.amount)
    likeness = sal(forecast, truth, grid, definition.sal)
    own, came = (Moment(time, values, least, follows=False, least=definition.amount) for values in (forecast, truth))
    found = match_moments(own, came, grid, definition, definition.weights)
    distances = found["centroid_distance"].values
    return vars(likeness) | {
        "hits": float(found.sizes["pair"]),
        "misses": float(found.sizes["miss"]),
        "false_alarms": float(found.sizes["false_alarm"]),
        "median_of_maximum_interest": found["median_of_maximum_interest"].item(),
        "centroid_distance": float(distances.mean()) if len(distances) else float("nan"),
    }


def _amount(dataset: xr.Dataset, definition: Definition) -> xr.DataArray:
    (own,) = amounts(dataset, definition).data_vars.values()
    return own


def _moments(fields: xr.Dataset, definition: Definition, given: Thresholds | None) -> Any:
    (own,) = fields.data_vars.values()
    return moments(own, given, definition.amount)


def _values(moment: Moment) -> np.ndarray:
    return moment.values


def _index(fields: xr.Dataset, definition: Definition, _: Any) -> xr.DataArray:
    return _amount(fields, definition)


def _threshold(analyses: xr.Dataset, definition: Definition, _: np.ndarray) -> Reference:
    known = analyses["time"].values
    return ConstantReference(threshold(analyses, definition, (known.min(), known.max())))


def _asks(definition: Definition) -> bool:
    return definition.percentile is not None


registry.register("heavy_precipitation")(
    Hazard(
        "heavy precipitation",
        ("total_precipitation_6hr",),
        Definition,
        event,
        _index,
        summary="maximum",
        threshold=_threshold,
        asks=_asks,
    )
)
