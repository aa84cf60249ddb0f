"""Heat waves and cold spells of analyses and of members of forecasts: where they are, and each as an object."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.hazards.daily import DAY, Day, Days
from weatherml.extremes.hazards.heat.definition import Spell
from weatherml.extremes.hazards.heat.spells import Bounds, SpellDay, spells, told
from weatherml.extremes.objects import Following
from weatherml.extremes.thresholds.climates import Thresholds, on_fields
from weatherml.extremes.tracks.members import Member, map_members
from weatherml.extremes.units import require_alike, require_values
from weatherml.grid import LatLonGrid
from weatherml.process.workers import HERE, Workers
from weatherml.references import Reference, as_reference, values_of, warn_of_knowing


@dataclass(frozen=True, eq=False)
class Stretch:
    """Days to look for spells in.

    Attributes:
        days: Of the fields themselves.
        earlier: Of analyses just before them, or none: what is under way when a forecast begins is known from them.
        definition: What a spell is.
        threshold: Of each date, K.
    """

    days: Days
    earlier: Days | None
    definition: Spell
    threshold: Reference

    @classmethod
    def of(
        cls,
        fields: xr.Dataset,
        definition: Spell,
        threshold: Thresholds,
        before: xr.Dataset | None = None,
        init_time: np.datetime64 | None = None,
    ) -> "Stretch":
        """Take the days of fields along `time`, and as many of analyses before them as a spell may have begun earlier.

        Args:
            fields: Of a member, or analyses.
            definition: What a spell is.
            threshold: Of each date.
            before: Analyses; what lies after the initial time, or after the fields begin, is not looked at.
            init_time: Of a forecast.

        Raises:
            UserError: The fields have no whole day; the analyses lack one of these, or have other hours than the
                fields; the threshold is none of the fields' variable and grid.
        """
        days = definition.days(fields)
        days.require_some()
        asked = as_reference(on_fields(threshold, fields, (definition.variable,)), "the threshold")
        _require_threshold(days, definition, asked)
        warn_of_knowing(asked, days.dates)
        earlier = None if before is None else _just_before(days, definition, before, init_time)
        return cls(days, earlier, definition, asked)

    @property
    def grid(self) -> LatLonGrid:
        """Of the fields."""
        return LatLonGrid.from_dataset(self.days.field)

    @property
    def known(self) -> np.ndarray:
        """Days of the fields of which it is known whether they belong to a spell, whatever is before and after."""
        dates = self.days.dates
        all_ = dates if self.earlier is None else np.concatenate([self.earlier.dates, dates])
        margin = (self.definition.minimum_days - 1) * DAY
        around = np.arange(-margin, margin + DAY, DAY)
        known: np.ndarray = dates[np.isin(dates[:, None] + around, all_).all(axis=1)]
        return known

    def within(self, dates: np.ndarray) -> "Stretch":
        """Return what is needed to know some of the days, which rise."""
        margin = (self.definition.minimum_days - 1) * DAY
        wanted = (self.days.dates >= dates[0] - margin) & (self.days.dates <= dates[-1] + margin)
        earlier = (
            None
            if self.earlier is None
            else self.earlier.only(self.earlier.dates[self.earlier.dates >= dates[0] - margin])
        )
        return Stretch(self.days.only(self.days.dates[wanted]), earlier, self.definition, self.threshold)

    def __iter__(self) -> Iterator[SpellDay]:
        """Give each day, the earlier ones too, with where it is in a spell; a few days are in memory at once."""
        all_days = chain(self.earlier or (), self.days)
        yield from spells(map(self._beyond, all_days), self.definition.minimum_days)

    def told(self) -> Iterator[tuple[np.datetime64, np.ndarray]]:
        """Give each day, and where it is in a spell, as `spells.told`: NaN where that hangs on what is missing."""
        days = map(self._beyond, chain(self.earlier or (), self.days))
        bounds = (Bounds(day.date, day.values, np.where(np.isnan(day.values), np.inf, day.values)) for day in days)
        yield from told(bounds, self.definition.minimum_days)

    def _beyond(self, day: Day) -> Day:
        require_values(self.definition.variable, day.values)
        own = _threshold_at(self.threshold, day.date, self.definition)
        require_alike(self.definition.variable, day.values, own)
        beyond: np.ndarray = self.definition.sign * (day.values - own) - np.float32(self.definition.margin)
        return Day(day.date, beyond)


def _threshold_at(threshold: Reference, date: np.datetime64, definition: Spell) -> np.ndarray:
    field = threshold.at(np.array([date]))[definition.variable]
    values: np.ndarray = values_of(field.squeeze("time") if "time" in field.dims else field, ())[0]
    return values


def _require_threshold(days: Days, definition: Spell, threshold: Reference) -> None:
    fields = threshold.at(days.dates[:1])
    if definition.variable not in fields:
        raise UserError(
            f"the threshold has no {definition.variable}, only {', '.join(map(str, fields.data_vars))}; make it by"
            " heat.threshold(analyses, definition, period)"
        )
    grids = [LatLonGrid.from_dataset(own) for own in (days.field, fields)]
    if not grids[0].is_same(grids[1]):
        raise UserError(
            f"the threshold is on {list(grids[1].shape)} rows and columns, and the data on {list(grids[0].shape)}"
            " others, or elsewhere; make it of analyses on the grid of the data, by weatherml.regrid"
        )


def _just_before(days: Days, definition: Spell, before: xr.Dataset, init_time: np.datetime64 | None) -> Days | None:
    """Return the days before, of analyses until a forecast begins and of its own hours from then on."""
    wanted = days.dates[0] - DAY * np.arange(definition.minimum_days - 1, 0, -1)
    if not len(wanted):
        return None
    earlier = definition.days(_joined(before, days, definition.variable, init_time, wanted[0]))
    for lacking in np.setdiff1d(wanted, earlier.dates):
        raise UserError(
            f"the analyses before have not all hours of {str(lacking)[:10]}, on which a {definition.words} may begin"
            " that goes on, nor has the forecast those that lack; pass analyses that begin earlier, at the same hours,"
            " and forecasts from their first lead on"
        )
    earlier = earlier.only(wanted)
    days.require_alike(earlier, "what is before")
    return earlier


def _joined(
    before: xr.Dataset, days: Days, name: str, init_time: np.datetime64 | None, first: np.datetime64
) -> xr.Dataset:
    """Return analyses from a day on until a forecast begins, and its own hours after these."""
    field, until = days.field, days.dates[0] + DAY  # a day longer, whose hours tell how far apart they are
    begin, times = field["time"].values[0], before["time"].values
    known = (times >= first) & (times < begin) & (times <= (begin if init_time is None else init_time))
    own = field.isel(time=np.flatnonzero(field["time"].values < until))
    past = before[name].isel(time=np.flatnonzero(known)).transpose(*own.dims)
    if not LatLonGrid.from_dataset(past).is_same(LatLonGrid.from_dataset(own)):
        raise UserError(
            "the analyses before are on another grid than the fields; bring both to one, by weatherml.regrid"
        )
    placed = past.assign_coords({dim: own[dim] for dim in ("latitude", "longitude")})
    return xr.concat([placed, own], "time", coords="minimal", compat="override").to_dataset(name=name)


class Waves:
    """Objects of spells in space and time, day after day; days and the objects of the last one are held, no more."""

    def __init__(self, grid: LatLonGrid, definition: Spell) -> None:
        self._definition, self._following = definition, Following(grid, definition.neighbours)

    def add(self, day: SpellDay) -> np.ndarray:
        """Take in a day; return provisional labels `[lat, lon]`."""
        return self._following.add(day.is_spell, day.exceedance, day.date, day.follows)

    def final(self) -> np.ndarray:
        """Return the label in the table of each provisional label."""
        return self._following.final()

    def table(self) -> xr.Dataset:
        """Return one row an object, as `heat_waves`, with what `objects.properties` says of its place."""
        found = self._following.table()
        found = found.isel(object=found["area"].values >= self._definition.minimum_area)
        duration = ((found["last_time"] - found["first_time"]) / DAY + 1).astype(int)
        named = found.rename(_NAMES).drop_vars(["minimum", "n_times"]).assign(duration=duration)
        return _with_units(named.assign(cumulated_exceedance=named["severity"] / named["area"]))


_NAMES = {
    "first_time": "onset",
    "last_time": "end",
    "maximum": "maximum_exceedance",
    "mean": "mean_exceedance",
    "mass": "severity",
}
_UNITS = {
    "maximum_exceedance": "K",
    "mean_exceedance": "K",
    "cumulated_exceedance": "K day",
    "severity": "K day km2",
    "volume": "km2 day",
    "duration": "day",
}


def _with_units(table: xr.Dataset) -> xr.Dataset:
    for name, units in _UNITS.items():
        table[name].attrs["units"] = units
    return table


def heat_waves(
    fields: xr.Dataset,
    definition: Spell,
    threshold: Thresholds,
    before: xr.Dataset | None = None,
    workers: Workers = HERE,
) -> xr.Dataset:
    """Find the heat waves, or cold spells, of analyses or of each member of a forecast: objects in space and time.

    Each member is read by itself, some days at a time; nothing is held but the table.

    Args:
        fields: Dims (time, latitude, longitude), or (init_time, lead_time, number, latitude, longitude) of a forecast.
        definition: `HeatWave(...)` or `ColdSpell(...)`.
        threshold: Of each date: `heat.threshold(...)`, one of a `QuantileClimatology`, or fields without time; or one
            for all places and dates, K, such as 308.15.
        before: Analyses, of a forecast: of the days just before it begins, so that what is under way is known for it.
        workers: Who looks through members: this process, or `weatherml.process.workers.Dask(...)`.

    Returns:
        Dim `object`, one row each, sorted by init_time, number and onset: `onset` and `end` (first and last day),
        `duration` days, `area` km2 of all that it covers on one day or another, `largest_area` km2 on one day,
        `maximum_exceedance` and `mean_exceedance` K beyond the threshold, `cumulated_exceedance` K day, summed over
        days and averaged over `area`, `severity` K day km2, the integral over both; and where it is, as
        `objects.properties`. Of a forecast `init_time` and `number`, and `is_under_way`: whether it had begun before.

    Raises:
        UserError: As `Stretch.of` and `map_members`.
    """
    look = partial(_of_member, definition=definition, threshold=threshold, before=before)
    tables = list(map_members(look, fields, workers))
    return xr.concat(tables, "object").assign_attrs(tables[0].attrs)


def _of_member(member: Member, definition: Spell, threshold: Thresholds, before: xr.Dataset | None) -> xr.Dataset:
    stretch = Stretch.of(member.fields, definition, threshold, before, member.init_time)
    waves = Waves(stretch.grid, definition)
    for day in stretch:
        waves.add(day)
    table = waves.table().sortby("onset")
    if member.init_time is not None:
        table["is_under_way"] = table["onset"] < stretch.days.dates[0]
    for name, value in member.columns.items():
        table[name] = ("object", np.full(table.sizes["object"], value))
    return table.assign_attrs(stretch.days.told | {"definition": str(definition)})


def event(fields: xr.Dataset, definition: Spell, threshold: Thresholds) -> xr.DataArray:
    """Return where and when it is a heat wave, or cold spell, of analyses or one member: 1 or 0, in memory.

    Args:
        fields: Dims (time, latitude, longitude), times of any hours.
        definition: What a spell is.
        threshold: Of each date.

    Returns:
        Dims (time, latitude, longitude), float32, one time a day at 00 UTC; days that lack hours are left out. NaN
        where that hangs on values or days that are missing. A spell that has begun before the first day, or goes on
        after the last, counts with the days that are there.

    Raises:
        UserError: There is no whole day; or as `Stretch.of`.
    """
    stretch = Stretch.of(fields, definition, threshold)
    days = stretch.days
    values = np.stack([own for _, own in stretch.told()])
    return along_days(values, days, definition.words.replace(" ", "_")).assign_attrs(days.told)


def exceedance(fields: xr.Dataset, definition: Spell, threshold: Thresholds) -> xr.DataArray:
    """Return by how many K each day is beyond the threshold, float32, in memory; dims as of `event`."""
    stretch = Stretch.of(fields, definition, threshold)
    values = np.stack([day.exceedance for day in stretch])
    found = along_days(values, stretch.days, f"{definition.words.replace(' ', '_')}_exceedance")
    return found.assign_attrs(stretch.days.told | {"units": "K"})


def along_days(values: np.ndarray, days: Days, name: str) -> xr.DataArray:
    """Return values `[day, lat, lon]` with the days and places that they are of."""
    coords = {"time": days.dates} | {dim: days.field[dim] for dim in ("latitude", "longitude")}
    return xr.DataArray(values, coords, ("time", "latitude", "longitude"), name)
