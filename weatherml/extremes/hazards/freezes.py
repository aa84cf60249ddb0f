"""Freezes: days whose minimum is below a temperature, at each place, and at places that people name."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.extremes.hazards.daily import Days, require_minimum_days
from weatherml.extremes.hazards.heat.spells import Bounds, told
from weatherml.extremes.hazards.registry import Hazard, registry
from weatherml.extremes.thresholds import CalendarQuantiles, calendar_quantiles
from weatherml.extremes.tracks.members import each_member
from weatherml.extremes.units import require_alike, require_units, require_values
from weatherml.grid import LatLonGrid
from weatherml.references import Reference, warn_of_knowing
from weatherml.sphere.great_circles import DEGREE, distance
from weatherml.times import Periods

_NEVER = np.datetime64("NaT", "ns")


@dataclass(frozen=True)
class Definition:
    """Days in a row whose minimum is below thresholds, all that there are.

    Attributes:
        temperature: K that the minimum of a day is below; None where a percentile alone counts.
        percentile: Of daily minima of the days around each date in other years, in %, that it is below, too; None where
            `temperature` alone counts. ExtremeWeatherBench takes the 15th.
        window_days: How many days around each date the percentile is of, odd.
        minimum_days: How many days in a row.
        variable: Temperature, K, of any hours: the minimum of six-hourly ones is a little high.

    Raises:
        UserError: It has no threshold, or a value is out of range.
    """

    temperature: float | None = 273.15
    percentile: float | None = None
    window_days: int = 31
    minimum_days: int = 1
    variable: str = "2m_temperature"

    def __post_init__(self) -> None:
        if self.temperature is None and self.percentile is None:
            raise UserError("a freeze needs a temperature or a percentile; write temperature=273.15 or percentile=15")
        if self.temperature is not None and self.temperature < 150:
            raise UserError(f"temperature is in K, got {self.temperature}; write 273.15 for 0 degrees C")
        if self.percentile is not None and not 0 < self.percentile < 100:
            raise UserError(f"percentile must lie between 0 and 100, got {self.percentile}; write 15")
        require_minimum_days(self.minimum_days)
        if self.minimum_days < 1:
            raise UserError(f"minimum_days must be 1 or more, got {self.minimum_days}; leave it out for 1")

    def days(self, fields: xr.Dataset) -> Days:
        """Return daily minima of fields along `time`.

        Raises:
            UserError: They have no such variable, or no time.
        """
        if self.variable not in fields.data_vars:
            raise UserError(
                f"freezes are of {self.variable}, and the data have {listed(fields.data_vars)}; pass data with it, or"
                " variable= in the definition"
            )
        require_units(fields[self.variable])
        return Days.of(fields[self.variable], "minimum")


EXTREME_WEATHER_BENCH = Definition(temperature=None, percentile=15.0)
"""As ExtremeWeatherBench's cases: below the 15th percentile of the date."""


def climatology(
    analyses: xr.Dataset, definition: Definition, period: Periods, times: np.ndarray | None = None
) -> CalendarQuantiles:
    """Return the percentile of daily minima around each date, of all years of a period that is not judged.

    Raises:
        UserError: The definition has no percentile; or as `calendar_quantiles`.
    """
    if definition.percentile is None:
        raise UserError("a definition without percentile needs no climatology; leave it out")
    daily = definition.days(analyses).lazily().to_dataset(name=definition.variable)
    return calendar_quantiles(daily, [definition.percentile / 100], period, definition.window_days, times=times)


def freezes(
    fields: xr.Dataset, definition: Definition | None = None, threshold: Reference | None = None
) -> xr.DataArray:
    """Return where and when it freezes, of analyses or of one member: 1 or 0, float32, one time a day at 00 UTC.

    NaN where that hangs on values that are missing, or on days that lack between others.

    Args:
        fields: Dims (time, latitude, longitude), times of any hours; days that lack hours are left out.
        definition: What a freeze is; a day with frost when None.
        threshold: The percentile of each date, such as `climatology` returns, where the definition has one.

    Raises:
        UserError: The variable or the threshold is missing.
    """
    own = definition or Definition()
    days = own.days(fields)
    coords = {"time": days.dates, **{dim: days.field[dim].values for dim in ("latitude", "longitude")}}
    found = _frozen(days, own, threshold)
    return xr.DataArray(found, coords, ("time", "latitude", "longitude"), "freeze", days.told)


def _frozen(days: Days, definition: Definition, threshold: Reference | None) -> np.ndarray:
    """Return where it freezes, 1 or 0 or NaN `[day, lat, lon]`."""
    if threshold is not None:
        warn_of_knowing(threshold, days.dates)
    found = np.zeros((len(days.dates), *days.field.shape[1:]), np.float32)
    for number, (_, own) in enumerate(told(_below(days, definition, threshold), definition.minimum_days)):
        found[number] = own
    return found


def at_places(
    fields: xr.Dataset,
    latitude: npt.ArrayLike,
    longitude: npt.ArrayLike,
    definition: Definition | None = None,
    threshold: Reference | None = None,
) -> xr.Dataset:
    """Return the first freeze at places, each at the grid point that is nearest; no other points are read.

    Args:
        fields: As of `freezes`.
        latitude: Degrees north `[place]`.
        longitude: Degrees east `[place]`, below 0 or above 180 west of Greenwich.
        definition: As of `freezes`.
        threshold: As of `freezes`.

    Returns:
        Dim `place`: `freezes`, 1 or 0; `onset`, its first day (NaT where there is none), `duration` in days, 0 where
        there is none; `minimum`, K, the lowest of all days, and `minimum_day`. NaN and NaT where that hangs on values
        that are missing, and everywhere if a day between the first and the last lacks hours.

    Raises:
        UserError: There is no whole day; a place lies outside the grid; or as `freezes`.
    """
    own = definition or Definition()
    pick = _nearest(LatLonGrid.from_dataset(fields), np.atleast_1d(latitude), np.atleast_1d(longitude))
    days = own.days(_in_a_row(fields[[own.variable]] if own.variable in fields else fields, pick).compute())
    days.require_some()
    frozen = _frozen(days, own, threshold and _AtPlaces(threshold, pick))[:, 0]
    daily = np.stack([day.values[0] for day in days])
    if len(days.holes):
        frozen, daily = np.full((2, *daily.shape), np.nan)
    event = frozen == 1
    is_known, is_whole = (~np.isnan(values).any(axis=0) for values in (frozen, daily))
    first, dates = event.argmax(axis=0), days.dates
    since = np.arange(len(dates))[:, None] >= first
    lasts = np.logical_and.accumulate(event | ~since, axis=0) & since & event
    happens = event.any(axis=0)
    columns = {
        "freezes": np.where(is_known, happens.astype(float), np.nan),
        "onset": np.where(is_known & happens, dates[first], _NEVER),
        "duration": np.where(is_known, lasts.sum(axis=0), np.nan),
        "minimum": daily.min(axis=0),
        "minimum_day": np.where(is_whole, dates[daily.argmin(axis=0)], _NEVER),
    }
    coords = {name: ("place", fields[name].values[place.values]) for name, place in pick.items()}
    found = xr.Dataset({name: ("place", values) for name, values in columns.items()}, coords)
    found["minimum"].attrs["units"] = "K"
    return found


@dataclass(frozen=True, eq=False)
class _AtPlaces:
    """Thresholds at places alone, in a row."""

    reference: Reference
    pick: dict[str, xr.DataArray]

    @property
    def period(self) -> Periods | None:
        """Of what they are, where that is known."""
        return getattr(self.reference, "period", None)

    def at(self, times: np.ndarray) -> xr.Dataset:
        """Return the fields at `times` `[time]`."""
        return _in_a_row(self.reference.at(times), self.pick)


def _in_a_row(fields: xr.Dataset, pick: dict[str, xr.DataArray]) -> xr.Dataset:
    """Return the grid points of places as if they were a row, in their order."""
    row = fields.isel(pick).drop_vars(list(pick)).rename(place="longitude").expand_dims(latitude=[0.0])
    return row.assign_coords(longitude=np.arange(row.sizes["longitude"], dtype=float))


def _nearest(grid: LatLonGrid, latitude: np.ndarray, longitude: np.ndarray) -> dict[str, xr.DataArray]:
    """Return the row and the column of the grid point that is nearest to each place, by a great circle."""
    rows, columns = np.asarray(grid.latitude), np.asarray(grid.longitude)
    reach = 1.01 * max(_spacing(rows), _spacing(grid.eastward()[1])) * DEGREE
    found = np.empty((len(latitude), 2), int)
    for number, (north, east) in enumerate(zip(latitude, longitude, strict=True)):
        apart = distance(rows[:, None], columns, north, east)
        found[number] = np.unravel_index(apart.argmin(), apart.shape)
        if not apart.min() <= reach:
            raise UserError(
                f"the place at {north:g} north, {east:g} east is {apart.min():.0f} km from the nearest grid point; pass"
                " fields that reach there, or leave it out"
            )
    return {name: xr.DataArray(own, dims="place") for name, own in zip(("latitude", "longitude"), found.T, strict=True)}


def _spacing(values: np.ndarray) -> float:
    return float(np.abs(np.diff(values)).max(initial=0.0)) or 1.0


def errors_at_places(
    forecast: xr.Dataset,
    analyses: xr.Dataset,
    latitude: npt.ArrayLike,
    longitude: npt.ArrayLike,
    definition: Definition | None = None,
    threshold: Reference | None = None,
) -> xr.Dataset:
    """Judge freezes of each member at places, over the days that each forecast covers.

    Args:
        forecast: Dims (init_time, lead_time, number, latitude, longitude); no number where deterministic.
        analyses: Dims (time, latitude, longitude), with all its valid times.
        latitude: As of `at_places`.
        longitude: As of `at_places`.
        definition: As of `freezes`.
        threshold: As of `freezes`.

    Returns:
        Dims (run, place), a run being one member of one init time, with `init_time` and `number`: errors, forecast
        less truth, `minimum_error` K, `onset_error` and `duration_error` days (NaN where either has none); and
        `forecast` and `truth`, whether there is a freeze, 1 or 0, NaN where that hangs on missing values: leave these
        out of any probability.

    Raises:
        UserError: The analyses lack a valid time; or as `freezes`.
    """
    where = (latitude, longitude, definition, threshold)
    tables: list[xr.Dataset] = []
    judged, truth = np.array([]), xr.Dataset()
    for member in each_member(forecast):
        times = member.fields["time"].values
        for lacking in times[~np.isin(times, analyses["time"].values)]:
            raise UserError(f"the analyses have no {lacking:.16}, which the forecast has; pass longer ones")
        if not np.array_equal(times, judged):  # members of one initial time have one truth
            judged, truth = times, at_places(analyses.sel(time=times), *where)
        tables.append(_errors(at_places(member.fields, *where), truth).assign_coords(member.columns))
    return xr.concat(tables, "run")


def _errors(own: xr.Dataset, other: xr.Dataset) -> xr.Dataset:
    both = own["onset"].notnull() & other["onset"].notnull()
    day = np.timedelta64(1, "D")
    errors = {
        "minimum_error": own["minimum"] - other["minimum"],
        "onset_error": ((own["onset"] - other["onset"]) / day).where(both),
        "duration_error": (own["duration"] - other["duration"]).where(both),
    }
    units = dict(zip(errors, ("K", "day", "day"), strict=True))
    there = {"forecast": own["freezes"], "truth": other["freezes"]}
    return xr.Dataset({name: error.assign_attrs(units=units[name]) for name, error in errors.items()} | there)


def _below(days: Days, definition: Definition, threshold: Reference | None) -> Iterator[Bounds]:
    """Give by how much each day's minimum is below its thresholds, all that there are."""
    if definition.percentile is not None and threshold is None:
        raise UserError(
            f"freezes are below the {definition.percentile:g}th percentile, and no threshold is given; pass"
            " freezes.climatology(...), or a definition with percentile=None"
        )
    for day in days:
        require_values(definition.variable, day.values)
        below = [] if definition.temperature is None else [np.float32(definition.temperature) - day.values]
        if definition.percentile is not None and threshold is not None:
            own = threshold.at(np.array([day.date]))[definition.variable]
            own = own.isel(time=0) if "time" in own.dims else own
            require_alike(definition.variable, day.values, own.values)
            below.append(own.transpose("latitude", "longitude").values - day.values)
        least, most = (
            np.min([np.where(np.isnan(own), filled, own) for own in below], axis=0) for filled in (-np.inf, np.inf)
        )
        yield Bounds(day.date, least, most)


def _event(fields: xr.Dataset, definition: Definition, threshold: Reference | None) -> xr.DataArray:
    return freezes(fields, definition, threshold)


def _index(fields: xr.Dataset, definition: Definition, threshold: Reference | None) -> xr.DataArray:
    return definition.days(fields).lazily().assign_attrs(units="K")


def _threshold(analyses: xr.Dataset, definition: Definition, times: np.ndarray) -> Reference:
    known = analyses["time"].values
    return climatology(analyses, definition, (known.min(), known.max()), times)


def _asks(definition: Definition) -> bool:
    return definition.percentile is not None


registry.register("freeze")(
    Hazard("freeze", ("2m_temperature",), Definition, _event, _index, "minimum", threshold=_threshold, asks=_asks)
)
