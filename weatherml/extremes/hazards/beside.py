"""What rain and wind have in common: fields of members followed through time, and measured beside those that came."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.extremes.hazards.steps import follows
from weatherml.extremes.objects import Following, Weights, label, match, overlaps, properties, separations
from weatherml.extremes.thresholds.climates import NUMBER, Thresholds
from weatherml.extremes.tracks.members import Member, map_members
from weatherml.extremes.units import require_alike, require_values
from weatherml.grid import REGRID, LatLonGrid
from weatherml.process.workers import HERE, Workers
from weatherml.references import as_reference, time_index, values_of, warn_of_knowing


@dataclass(frozen=True, eq=False)
class Moment:
    """A field at one time beside its threshold.

    Attributes:
        time: Valid time.
        values: `[lat, lon]`.
        threshold: `[lat, lon]`, or a number.
        follows: Whether the time before is the one that was given before.
        least: What the threshold is at least, where it is missing, too.
    """

    time: np.datetime64
    values: np.ndarray
    threshold: np.ndarray | np.float32
    follows: bool
    least: float = -np.inf

    @property
    def is_beyond(self) -> np.ndarray:
        """Where the threshold is exceeded; nowhere where a value is missing."""
        beyond: np.ndarray = self.values > self.threshold
        return beyond

    @property
    def is_known(self) -> np.ndarray:
        """Where it is known whether the threshold is exceeded: neither is missing, or the value is too low for any."""
        known: np.ndarray = ~np.isnan(self.values) & (~np.isnan(self.threshold) | (self.values <= self.least))
        return known

    @property
    def is_masked(self) -> np.ndarray:
        """Where there is neither a value nor a threshold, as of fields of land at sea: these are no part of it."""
        masked: np.ndarray = np.isnan(self.values) & np.isnan(self.threshold)
        return masked

    def require_known(self) -> None:
        """Require that it is known everywhere whether the threshold is exceeded, as objects are of all cells.

        Raises:
            UserError: It is not.
        """
        n_missing = int((~self.is_known & ~self.is_masked).sum())
        if n_missing:
            raise UserError(
                f"values, or thresholds that they may exceed, are missing at {n_missing} of {self.values.size} cells at"
                f" {self.time:.16}, so its objects are not known; leave such times out, by isel(time=...), or places"
                " without threshold, by fields.where(threshold.notnull())"
            )


def moments(field: xr.DataArray, threshold: Thresholds | None, least: float) -> Iterator[Moment]:
    """Give a field time after time, with the threshold of each.

    Args:
        field: Dims (time, latitude, longitude); one time is read at once.
        threshold: Of each place and date; `least` alone counts when None.
        least: What the threshold is at least.

    Raises:
        UserError: The threshold has no such variable, or the field is in other units.
    """
    times = field["time"].values
    if threshold is not None and not isinstance(threshold, NUMBER):
        warn_of_knowing(as_reference(threshold, "the threshold"), times)
    for number, (time, goes_on) in enumerate(zip(times, follows(times), strict=True)):
        own, values = threshold_at(threshold, time, str(field.name), least), np.asarray(field[number].values)
        require_values(str(field.name), values)
        require_alike(str(field.name), values, own)
        yield Moment(time, values, own, bool(goes_on), least)


def threshold_at(threshold: Thresholds | None, time: np.datetime64, name: str, least: float) -> np.ndarray | np.float32:
    """Return the threshold of a variable at a time `[lat, lon]`; the least that it is, a number, where there is none.

    Raises:
        UserError: The threshold has no such variable.
    """
    if threshold is None:
        return np.float32(least)
    if isinstance(threshold, NUMBER):
        return np.float32(max(float(threshold), least))
    fields = as_reference(threshold, "the threshold").at(np.array([time]))
    if name not in fields:
        raise UserError(
            f"the threshold has no {name}, only {listed(fields.data_vars)}; make it of the same quantity, by"
            " threshold(analyses, definition, period)"
        )
    own = fields[name].squeeze("time") if "time" in fields[name].dims else fields[name]
    return np.asarray(np.maximum(values_of(own, ())[0], np.float32(least)))


def match_moments(forecast: Moment, truth: Moment, grid: LatLonGrid, sized: "Sized", weights: Weights) -> xr.Dataset:
    """Match the objects of two fields of one time, as `objects.match`.

    Raises:
        UserError: These are not known, as something is missing.
    """
    for moment in (forecast, truth):
        moment.require_known()
    own, other = (label(moment.is_beyond, grid, sized.neighbours) for moment in (forecast, truth))
    first, second = (
        table.isel(object=table["area"].values >= sized.minimum_area)
        for table in (properties(own, grid, forecast.values), properties(other, grid, truth.values))
    )
    apart = separations(
        _only(first, own), _only(second, other), grid, max(weights.separation.full, weights.separation.none)
    )
    return match(first, second, overlaps(own, other, grid), apart, weights)


def _only(table: xr.Dataset, labels: np.ndarray) -> np.ndarray:
    """Return labels without those that a table lacks."""
    kept = np.zeros(labels.max(initial=0) + 1, labels.dtype)
    kept[table["label"].values] = table["label"].values
    own: np.ndarray = kept[labels]
    return own


class Sized(Protocol):
    """Says of objects how cells touch, and how large they are at least."""

    @property
    def neighbours(self) -> int:
        """8 or 4."""
        ...

    @property
    def minimum_area(self) -> float:
        """km2."""
        ...


Strength: TypeAlias = Callable[[Moment], np.ndarray]
"""From a moment to the values that objects are described by, `[lat, lon]`, finite where it is beyond."""


def followed(
    fields: xr.Dataset,
    each: Callable[[xr.Dataset], Iterator[Moment]],
    strength: Strength,
    definition: Sized,
    workers: Workers = HERE,
) -> xr.Dataset:
    """Follow objects through time, of analyses or of each member of a forecast, one time in memory at once.

    Returns:
        As `objects.properties`, dim `object`, with `init_time` and `number` of a forecast; those that are too small on
        all times together are left out.

    Raises:
        UserError: Something is missing, so that they are not known.
    """
    look = partial(_followed, each=each, strength=strength, definition=definition)
    return xr.concat(map_members(look, fields, workers), "object")


def _followed(
    member: Member, each: Callable[[xr.Dataset], Iterator[Moment]], strength: Strength, definition: Sized
) -> xr.Dataset:
    following = Following(LatLonGrid.from_dataset(member.fields), definition.neighbours)
    for own in each(member.fields):
        own.require_known()
        following.add(own.is_beyond, strength(own), own.time, own.follows)
    table = following.table()
    table = table.isel(object=table["area"].values >= definition.minimum_area)
    for name, value in member.columns.items():
        table[name] = ("object", np.full(table.sizes["object"], value))
    return table


Measure: TypeAlias = Callable[[np.datetime64, np.ndarray, np.ndarray, LatLonGrid], Mapping[str, float]]
"""From a valid time, forecast and truth `[lat, lon]` and their grid to numbers by name."""


def measured(forecast: xr.DataArray, truth: xr.DataArray, measure: Measure, workers: Workers = HERE) -> xr.Dataset:
    """Measure the fields of each member against those that came; one field of both is in memory at once.

    Args:
        forecast: Dims (init_time, lead_time, number, latitude, longitude); no number where deterministic.
        truth: Dims (time, latitude, longitude), with all valid times.
        measure: What of both.
        workers: Who looks through members.

    Returns:
        Dims (init_time, lead_time, number), one variable for each number.

    Raises:
        UserError: The truth lacks a valid time, or is on another grid.
    """
    own, other = LatLonGrid.from_dataset(forecast), LatLonGrid.from_dataset(truth)
    if not own.is_same(other):
        raise UserError(f"forecast {list(own.shape)} and truth {list(other.shape)} are on other grids; {REGRID}")
    name = str(forecast.name or "field")
    look = partial(_measured, truth=truth.to_dataset(name=name), measure=measure)
    runs = list(map_members(look, forecast.to_dataset(name=name), workers))
    sizes = {dim: forecast.sizes[dim] for dim in ("init_time", "number") if dim in forecast.dims}
    dims = (*sizes, "lead_time")
    table = {
        key: (dims, np.array([[values[key] for values in run] for run in runs]).reshape(*sizes.values(), -1))
        for key in runs[0][0]
    }
    found = xr.Dataset(table, {dim: forecast[dim] for dim in dims})
    return found.transpose("init_time", "lead_time", ..., missing_dims="ignore")


def _measured(member: Member, truth: xr.Dataset, measure: Measure) -> list[Mapping[str, float]]:
    times, grid = member.fields["time"].values, LatLonGrid.from_dataset(member.fields)
    places = time_index(truth, times, "the truth")
    pairs = zip(times, places, strict=True)
    (own,), (came,) = member.fields.data_vars.values(), truth.data_vars.values()
    return [measure(time, _read(own[number]), _read(came[place]), grid) for number, (time, place) in enumerate(pairs)]


def _read(field: xr.DataArray) -> np.ndarray:
    values = np.asarray(field.values)
    require_values(str(field.name), values)
    return values
