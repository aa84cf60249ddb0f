"""Errors that people make with data, planted in good data: each a function with a name.

An error is planted in some of the variables of a dataset, as where files of several sources are put together, or in
all. What is put in keeps its labels: a check must tell by the values.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from weatherml.grid import LatLonGrid
from weatherml.variables import VARIABLES

Plant = Callable[[xr.Dataset, Sequence[str]], xr.Dataset]
Fits = Callable[[xr.Dataset, Sequence[str]], bool]


@dataclass(frozen=True)
class PlantedError:
    """A mistake.

    Attributes:
        name: In words.
        family: What kind of mistake it is.
        plant: Returns the dataset with the mistake in the variables that are named.
        fits: Whether the mistake can be made in those variables at all.
        rules: Ids of the rules that name this mistake; others that notice it do so by what follows from it.
    """

    name: str
    family: str
    plant: Plant
    fits: Fits
    rules: frozenset[str]

    @property
    def needs_all(self) -> bool:
        """Whether it is a mistake in labels, which all variables share."""
        return self.family == "labels"


ERRORS: dict[str, PlantedError] = {}
"""All mistakes by their names."""


def _planted(name, family, rules, fits):
    """Return a decorator that enters what changes a dataset."""

    def enter(plant):
        ERRORS[name] = PlantedError(name, family, plant, fits, frozenset(rules.split()))
        return plant

    return enter


def _in_fields(name, family, rules, fits):
    """Return a decorator that enters what changes one field, float32 `[..., lat, lon]`."""

    def enter(change):
        def plant(dataset, names):
            return dataset.assign({own: changed(dataset[own]) for own in names})

        def changed(field):
            return field.copy(data=np.asarray(change(field), np.float32))

        _planted(name, family, rules, fits)(plant)
        return change

    return enter


# ---- What mistakes can be made in


def _is_global(dataset, names):
    return LatLonGrid.from_dataset(dataset).is_global and _no_forcing(dataset, names)


def _is_anywhere(dataset, names):
    return True


def _no_forcing(dataset, names):
    return not set(names) & {"cosine_of_solar_zenith_angle"}


def _has_times(least):
    return lambda dataset, names: all(dataset[name].sizes.get("time", 0) >= least for name in names)


def _has_levels(least):
    return lambda dataset, names: all(dataset[name].sizes.get("level", 0) >= least for name in names)


def _measured_in(*units):
    return lambda dataset, names: all(VARIABLES[name].units in units for name in names)


def _is_any_of(*stems):
    return lambda dataset, names: all(any(stem in name for stem in stems) for name in names)


def _spans(length, least=8):
    def fits(dataset, names):
        enough = _has_times(least)(dataset, names)
        return bool(enough and np.ptp(dataset["time"].values) >= np.timedelta64(*length))

    return fits


# ---- Place

_PLACE = "place"
_FLIPPED = "latitude-flipped contrast-latitude vorticity-sign unbalanced winter-elsewhere"
_SHIFTED = "longitude-shifted contrast-longitude unbalanced"


@_in_fields("latitude flipped", _PLACE, _FLIPPED, _is_global)
def latitude_flipped(field):
    return field.values[..., ::-1, :]


@_in_fields("longitude shifted by 180 degrees", _PLACE, _SHIFTED, _is_global)
def shifted_by_half(field):
    return np.roll(field.values, field.sizes["longitude"] // 2, -1)


@_in_fields("longitude shifted by about 10 degrees", _PLACE, _SHIFTED, _is_global)
def shifted_by_ten(field):
    return np.roll(field.values, max(1, round(field.sizes["longitude"] / 36)), -1)


@_in_fields("mirrored east to west", _PLACE, "longitude-mirrored unbalanced", _is_global)
def mirrored(field):
    return field.values[..., ::-1]


@_in_fields("rows off by one", _PLACE, "rows-off pole-row row-seam unbalanced", _is_global)
def rows_off(field):
    return np.roll(field.values, 1, -2)


# ---- Levels

_LEVELS = "levels"


@_in_fields("levels rolled by one", _LEVELS, "level-order levels-rolled hydrostatic geopotential-depth", _has_levels(3))
def levels_rolled(field):
    return field.roll(level=1).values


@_in_fields("levels reversed", _LEVELS, "level-order levels-reversed hydrostatic geopotential-depth", _has_levels(2))
def levels_reversed(field):
    return field.isel(level=slice(None, None, -1)).values


# ---- Wind

_WIND = "wind"
_EASTWARD, _NORTHWARD = "u_component_of_wind", "v_component_of_wind"


@_planted("u and v swapped", _WIND, "wind-swapped unbalanced", _is_any_of(_EASTWARD, _NORTHWARD))
def swapped(dataset, names):
    pairs = [(name, name.replace(_EASTWARD, _NORTHWARD)) for name in names if _EASTWARD in name]
    changed = {u: dataset[u].copy(data=dataset[v].values) for u, v in pairs}
    return dataset.assign(changed | {v: dataset[v].copy(data=dataset[u].values) for u, v in pairs})


@_in_fields("sign of u", _WIND, "wind-sign unbalanced", _is_any_of(_EASTWARD))
def sign_of_u(field):
    return -field.values


@_in_fields("sign of v", _WIND, "wind-sign unbalanced", _is_any_of(_NORTHWARD))
def sign_of_v(field):
    return -field.values


# ---- Amounts

_AMOUNTS = "amounts"
_RAIN = "total_precipitation"


def _scaled(name, rules, fits, factor=1.0, offset=0.0):
    @_in_fields(name, _AMOUNTS, rules, fits)
    def scaled(field):
        return field.values * factor + offset


_scaled("Celsius", "range", _measured_in("K"), offset=-273.15)
_scaled("hPa", "range", _measured_in("Pa"), 1e-2)
_scaled("height for geopotential", "range geopotential-depth", _measured_in("m2 s-2"), 1 / 9.80665)
_scaled("g/kg", "range", _measured_in("kg kg-1"), 1e3)
_scaled("mm", "range", _is_any_of(_RAIN), 1e3)
_scaled("rain / 6", "amount", _is_any_of(_RAIN), 1 / 6)
_scaled("rain / 1000", "amount", _is_any_of(_RAIN), 1e-3)
_scaled("knots", "amount", _measured_in("m s-1"), 1.943844)


# ---- Time: which times a field is of

_TIME = "time"
_DAY = np.timedelta64(1, "D")


def _step(dataset):
    return np.median(np.diff(dataset["time"].values))


def _per_day(dataset):
    return max(1, int(_DAY // _step(dataset)))


def _taken(field, index):
    """Return the values of a field with those at other times in their place."""
    return field.isel(time=index).values


def _copied(n_times, to, source, count):
    index = np.arange(n_times)
    index[to : to + count] = np.arange(source, source + count)
    return index


def _exchanged(n_times, one, other, count):
    index = _copied(n_times, one, other, count)
    index[other : other + count] = np.arange(one, one + count)
    return index


def _reordered(name, rules, fits, order):
    @_in_fields(name, _TIME, rules, fits)
    def reordered(field):
        return _taken(field, order(field.sizes["time"], _per_day(field)))


def _frozen(n_times, count):
    index = np.arange(n_times)
    start = n_times // 3
    index[start : start + count] = start
    return index


_STUCK = "frozen repeated"
_reordered("frozen for 10 times", _STUCK, _has_times(20), lambda n, day: _frozen(n, 10))
_reordered("frozen for 2 days", _STUCK, _spans((8, "D")), lambda n, day: _frozen(n, 2 * day))
_reordered("a time repeated", _STUCK, _has_times(4), lambda n, day: _copied(n, n // 2, n // 2 - 1, 1))
_reordered("8 times repeated", "repeated", _has_times(24), lambda n, day: _copied(n, n // 2, n // 2 - 8, 8))
_reordered("two days repeated", "repeated", _spans((8, "D")), lambda n, day: _copied(n, n // 2, n // 4, 2 * day))
_reordered("two times exchanged", "exchanged", _has_times(20), lambda n, day: _exchanged(n, n // 4, n // 4 + n // 2, 1))
_reordered(
    "100 days exchanged",
    "exchanged",
    _spans((400, "D")),
    lambda n, day: _exchanged(n, n // 4, n // 4 + 150 * day, 100 * day),
)


def _is_subdaily(dataset, names):
    return _has_times(2)(dataset, names) and bool(_step(dataset) <= np.timedelta64(12, "h"))


def _is_hourly(dataset, names):
    return _has_times(12)(dataset, names) and bool(_step(dataset) == np.timedelta64(1, "h"))


@_planted("times off by 12 h", "labels", "hour-of-day", _has_times(1))
def off_by_half_a_day(dataset, names):
    return dataset.assign_coords(time=dataset["time"] + np.timedelta64(12, "h"))


@_planted("hourly taken as six-hourly", "labels", "time-step", _is_hourly)
def hourly_as_six_hourly(dataset, names):
    times = dataset["time"].values
    return dataset.assign_coords(time=times[0] + 6 * (times - times[0]))


# ---- A change within the period

_CHANGE = "change within the period"
_UNITS = {"K": (1, -273.15), "Pa": (1e-2, 0), "m2 s-2": (1 / 9.80665, 0), "m s-1": (1.943844, 0), "kg kg-1": (1e3, 0)}
_UNITS |= {"m": (1e3, 0), "s-1": (1e5, 0), "kg m-2": (0.1, 0)}
_VERSIONS = {"K": (1, 1.0), "Pa": (1, 150.0), "m2 s-2": (1, 150.0), "m s-1": (1.08, 0), "kg kg-1": (1.1, 0)}
_VERSIONS |= {"m": (1.15, 0), "s-1": (1.3, 0), "kg m-2": (1.1, 0)}


def _from_the_middle(table, field):
    factor, offset = table[VARIABLES[str(field.name)].units]
    is_late = xr.DataArray(np.arange(field.sizes["time"]) >= field.sizes["time"] // 2, dims="time")
    return field.where(~is_late, field * factor + offset).transpose(*field.dims).values


def _both(*conditions):
    return lambda dataset, names: all(fits(dataset, names) for fits in conditions)


@_in_fields("units change in the middle", _CHANGE, "unit-change range", _both(_has_times(8), _measured_in(*_UNITS)))
def units_change(field):
    return _from_the_middle(_UNITS, field)


@_in_fields("version changes in the middle", _CHANGE, "version-change", _both(_has_times(8), _measured_in(*_VERSIONS)))
def version_changes(field):
    return _from_the_middle(_VERSIONS, field)


# ---- Lost

_LOST = "lost"


@_in_fields("constant", _LOST, "constant", _is_anywhere)
def constant(field):
    return field.mean([dim for dim in field.dims if dim != "level"]).where(np.isfinite(field)).transpose(*field.dims)


@_in_fields("zero", _LOST, "constant lost", _is_anywhere)
def zero(field):
    return np.zeros(field.shape)


def _at(field, start, count, value):
    values = field.values.copy()
    values[(slice(None),) * field.get_axis_num("time") + (slice(start, start + count),)] = value
    return values


@_in_fields("no value at a time", _LOST, "missing-times", _has_times(3))
def no_value_at_a_time(field):
    return _at(field, field.sizes["time"] // 2, 1, np.nan)


@_in_fields("four times are zero", _LOST, "lost constant", _has_times(8))
def four_times_zero(field):
    return _at(field, field.sizes["time"] // 2, 4, 0)


@_in_fields("a hole at some times", _LOST, "missing-cells", _has_times(3))
def a_hole(field):
    values = field.values.copy()
    values[1:3, ..., : field.sizes["latitude"] // 4, : field.sizes["longitude"] // 6] = np.nan
    return values


@_in_fields("one absurd value", _LOST, "range", _is_anywhere)
def one_absurd_value(field):
    values = field.values.copy()
    values[(-1,) * (values.ndim - 2) + (values.shape[-2] // 2, values.shape[-1] // 3)] = 9.96921e36
    return values


# ---- What is planted where


def plantings(dataset: xr.Dataset) -> list[tuple[PlantedError, tuple[str, ...]]]:
    """Return the mistakes that can be made in a dataset, each in all of its variables and in each by itself."""
    return [
        (error, some)
        for error in ERRORS.values()
        for some in _choices(error, dataset)
        if some and error.fits(dataset, some)
    ]


def _choices(error, dataset):
    names = tuple(map(str, dataset.data_vars))
    if error.name == "u and v swapped":
        return _pairs(names)
    if error.needs_all:
        return [names]
    able = tuple(name for name in names if error.fits(dataset, (name,)))
    return [*((name,) for name in able), *([able] if len(able) > 1 else [])]


def _pairs(names):
    return [(u, v) for u in names for v in names if _EASTWARD in u and v == u.replace(_EASTWARD, _NORTHWARD)]
