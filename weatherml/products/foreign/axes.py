"""The axes of a forecast under the names that they have here, whatever its file calls them and however few it has.

Layouts: WeatherBench 2 has `time` and `prediction_timedelta`, members along `number` or `realization`
(weatherbench2.readthedocs.io, "Forecast datasets"); WeatherBench-X `init_time` and `lead_time`
(`data_loaders/xarray_loaders.py`); earth2studio `ensemble`, `time`, `lead_time`, `lat` and `lon` (`run.py`);
anemoi-inference a `forecast_reference_time` and a `forecast_period` beside each `time` (`outputs/netcdf.py`).
"""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.data.notes import noted
from weatherml.data.reading.canonical.coordinates import coordinate_of
from weatherml.data.reading.canonical.levels import tell_levels
from weatherml.data.reading.leads import find_init, find_lead, has_unit, lead_hours
from weatherml.durations import format_duration
from weatherml.errors import Option, UserError
from weatherml.errors.wording import listed
from weatherml.products.foreign.told import UNITS, Told
from weatherml.products.selection import is_statistics, split_field
from weatherml.variables import VARIABLES

_NUMBERS = ("number", "realization", "ensemble", "member", "ensemble_member", "sample")
_HORIZONTAL = ("latitude", "longitude")
_HOUR = np.timedelta64(3600 * 10**9, "ns")
_AXES = ("init_time", "lead_time", "number")
_CONTROL = re.compile(r"(ge)?c(f|tl|trl|ntl|ontrol)?[ _-]?\d*")
"""Names of a member that was not perturbed: c00, gec00, ctl, control."""
_WEATHER = ("standard", "gregorian", "proleptic_gregorian")


def with_known_places(raw: xr.Dataset) -> xr.Dataset:
    """Return a dataset whose rows, columns and pressure levels have their names here."""
    dataset = raw
    for target in (*_HORIZONTAL, "level"):
        name = coordinate_of(dataset, target)
        if name is None or (name != target and target in dataset.variables):
            continue
        dataset = tell_levels(dataset, name) if target == "level" else dataset
        dataset = dataset.set_coords(name).rename({name: target} if name != target else {})
        dims = dataset[target].dims
        if target == "level" and len(dims) == 1 and dims != ("level",):
            dataset = dataset.swap_dims({dims[0]: "level"}).drop_vars([d for d in dims if d in dataset.variables])
    return dataset


def with_axes(raw: xr.Dataset, place: str, told: Told) -> xr.Dataset:
    """Return a forecast with dimensions `init_time` and `lead_time`, also where its file holds one of either.

    Args:
        raw: With dates decoded; leads may be numbers.
        place: Its path, for messages.
        told: What it does not say itself.

    Raises:
        UserError: Its initial times or leads are not told, differ from lead to lead, or come twice.
    """
    dataset = _with_lead(_in_weather_calendar(raw, place, told), place, told)
    dataset = _with_init(dataset, place)
    dataset = _with_number(dataset.drop_vars(["time", "valid_time"], errors="ignore"))
    return _each_once(_with_level(dataset), place, told)


def _in_weather_calendar(dataset: xr.Dataset, place: str, told: Told) -> xr.Dataset:
    """Return a dataset whose dates are `datetime64`.

    Raises:
        UserError: They are of a model's calendar, and nobody says that they stand for those of the weather.
    """
    for name, times in dataset.coords.items():
        first = times.values.flat[0] if times.dtype.kind == "O" and times.size else None
        calendar = getattr(first, "calendar", None)
        if calendar is None:
            continue
        if calendar not in _WEATHER and told.calendar is None:
            raise UserError(
                f"{name} of {place} has the calendar {calendar!r}, whose days are not those of the weather",
                "xarray's convert_calendar gives it another",
                Option("calendar", "standard", "to take its dates as they are written"),
            )
        dataset = dataset.assign_coords({name: (times.dims, _as_written(times, place), times.attrs)})
    return dataset


def _as_written(times: xr.DataArray, place: str) -> np.ndarray:
    try:
        dates = [np.datetime64(time.isoformat(), "ns") for time in times.values.flat]
    except ValueError:
        wrong = next(time.isoformat() for time in times.values.flat if not _is_date(time.isoformat()))
        raise UserError(
            f"{times.name} of {place} holds {wrong}, which is no date of the weather; leave it out"
        ) from None
    return np.array(dates, "datetime64[ns]").reshape(times.shape)


def _is_date(text: str) -> bool:
    try:
        np.datetime64(text, "ns")
    except ValueError:
        return False
    return True


def _with_lead(dataset: xr.Dataset, place: str, told: Told) -> xr.Dataset:
    """Make the lead a dimension, timedelta64; where only valid times are told, they follow the initial time."""
    name = find_lead(dataset)
    if name is None:
        dataset, name = _count_leads(dataset, place), "lead_time"
    if name in dataset.dims and name not in dataset.variables:
        raise UserError(f"{place} has a dimension {name!r} without values; give its leads, such as 6 and 12 hours")
    leads = dataset[name].variable
    if leads.dtype.kind != "m":
        leads = xr.Variable(leads.dims, _durations(dataset, name, place, told))
    dataset = dataset.drop_vars(name).assign_coords({name: leads})
    along = leads.dims[0] if leads.dims else name
    if along != name:  # a lead beside each valid time
        dataset = dataset.swap_dims({along: name}).drop_vars([n for n in (along,) if n in dataset.variables])
    dataset = dataset.rename({name: "lead_time"} if name != "lead_time" else {})
    return dataset if "lead_time" in dataset.dims else dataset.expand_dims("lead_time")


def _durations(dataset: xr.Dataset, name: str, place: str, told: Told) -> np.ndarray:
    """Return leads that are numbers as durations, whole seconds where their unit is longer.

    Raises:
        UserError: Nobody says of which unit they are.
    """
    values = np.asarray(dataset[name].values)
    if has_unit(dataset, name):
        return np.asarray(np.round(lead_hours(dataset, name) * 3600).astype("int64") * (_HOUR // 3600))
    if told.lead_unit is None:
        unit = dataset[name].attrs.get("units")
        shown = ", ".join(f"{value}" for value in values.flat[:3]) + ", .." * (values.size > 3)
        raise UserError(
            f"{name} of {place} is in numbers ({shown}) {f'of {unit!r}' if unit else 'without a unit'}",
            "correct its attribute units",
            Option("lead_unit", "h", f"if these are hours, or one of {', '.join(UNITS)}"),
        )
    size = UNITS[told.lead_unit].astype("timedelta64[ns]").astype(np.int64)
    exact = np.asarray(values, np.float64) * size
    return np.asarray((np.round(exact / 1e9) * 1e9 if size >= 1e9 else exact).astype("timedelta64[ns]"))


def _count_leads(dataset: xr.Dataset, place: str) -> xr.Dataset:
    init = find_init(dataset)
    valid = next((name for name in ("valid_time", "time") if name in dataset.variables), None)
    if init is None or valid is None or dataset[init].ndim:
        raise UserError(
            f"{place} has no lead",
            "give it as a coordinate lead_time",
            Option("init_time", "2020-01-01T00", "if all its times are valid times of one initial time"),
        )
    return dataset.assign_coords(lead_time=dataset[valid].variable - dataset[init].variable)


def _with_init(dataset: xr.Dataset, place: str) -> xr.Dataset:
    name = find_init(dataset) or next((n for n in ("time",) if n in dataset.variables), None)
    if name is None and "valid_time" in dataset.variables and dataset["valid_time"].dims == ("lead_time",):
        inits = np.unique(dataset["valid_time"].values - dataset["lead_time"].values)
        dataset = dataset.assign_coords(init_time=inits[0]) if inits.size == 1 else dataset
        name = "init_time" if inits.size == 1 else None
    if name is None or "lead_time" in dataset[name].dims:
        raise UserError(
            f"{place} tells no one initial time",
            "give it as a coordinate init_time",
            Option("init_time", "2020-01-01T00", "that all its fields have"),
        )
    dataset = dataset.rename({name: "init_time"} if name != "init_time" else {})
    return dataset if "init_time" in dataset.dims else dataset.expand_dims("init_time")


def _with_number(dataset: xr.Dataset) -> xr.Dataset:
    """Number the members; a forecast of one member, which need have no number, is an ensemble of one."""
    here = {*map(str, dataset.variables), *map(str, dataset.dims)}
    name = next((n for n in _NUMBERS if n in here), "number")
    dataset = dataset.rename({name: "number"} if name != "number" and name in here else {})
    if "number" not in dataset.dims:
        if is_statistics(dataset):
            return dataset
        known = {} if "number" in dataset.variables else {"number": [0]}
        dataset = dataset.expand_dims("number" if not known else known)
    if "number" not in dataset.variables:
        return dataset.assign_coords(number=np.arange(dataset.sizes["number"]))
    return _numbered(dataset)


def _numbered(dataset: xr.Dataset) -> xr.Dataset:
    """Return members that have names, such as c00 and p01, or numbers that are not whole, with whole numbers."""
    known = dataset["number"].values
    if known.dtype.kind in "iuf" and np.all(known == np.floor(known)):
        return dataset.assign_coords(number=known.astype(np.int64))
    names = [own.decode() if isinstance(own, bytes) else str(own) for own in known]
    numbers = _numbers_of(list(dict.fromkeys(names)))
    told = f"members {listed(numbers)} are numbers {listed(numbers.values())}"
    return noted(dataset.assign_coords(number=[numbers[name] for name in names]), told)


def _numbers_of(names: Sequence[str]) -> dict[str, int]:
    """Return the numbers that names end with, if these tell members apart and 0 is the control; else their order.

    The control, if one is named so, is the first.
    """
    controls = [name for name in names if _CONTROL.fullmatch(name.lower())]
    control = controls[0] if len(controls) == 1 else None
    ends = {name: int(found[1]) for name in names if (found := re.fullmatch(r"[^\d.]*?(\d+)", name))}
    if len(set(ends.values())) == len(names) and (control is None or ends[control] == 0):
        return ends
    ordered = sorted(names, key=lambda name: name != control)
    return {name: number for number, name in enumerate(ordered)}


def _with_level(dataset: xr.Dataset) -> xr.Dataset:
    if "level" not in dataset.coords or "level" in dataset.dims:
        return dataset
    names = {str(name) for name in dataset.data_vars}
    on_levels = {name for name in names if _lies_on_levels(split_field(name)[0])}
    placed = {name: dataset[name].expand_dims("level") for name in on_levels}
    return dataset.assign(placed) if placed else dataset.drop_vars("level")


def _lies_on_levels(name: str) -> bool:
    return name in VARIABLES and VARIABLES[name].vertical == "pressure"


def _each_once(dataset: xr.Dataset, place: str, told: Told) -> xr.Dataset:
    """Return a forecast each of whose initial times, leads and members is there once.

    Raises:
        UserError: One comes twice, and nobody says which is meant.
    """
    for name in (name for name in _AXES if name in dataset.dims):
        index = pd.Index(dataset[name].values)
        if index.is_unique:
            continue
        if told.repeated not in ("first", "last"):
            again = dataset[name].values[index.duplicated()][0]
            raise UserError(
                f"{name} of {place} has {_text(again)} {int((index == again).sum())} times",
                "leave all but one out",
                Option("repeated", "first", "to keep the first of them, or last"),
            )
        dataset = dataset.isel({name: ~index.duplicated(keep=told.repeated)})
    return dataset


def _text(value: np.generic) -> str:
    """Write an initial time, a lead or a number."""
    if isinstance(value, np.timedelta64):
        return format_duration(value)
    return str(np.datetime_as_string(value, "m")) if isinstance(value, np.datetime64) else str(value)
