"""The axes of a forecast under the names that they have here, whatever its file calls them and however few it has."""

import numpy as np
import xarray as xr

from weatherml.data.reading.leads import find_init, find_lead, lead_hours
from weatherml.errors import UserError
from weatherml.products.selection import is_statistics, split_field
from weatherml.variables import VARIABLES

_HORIZONTAL = {"lat": "latitude", "lon": "longitude"}
_NUMBERS = ("realization", "ensemble", "member")
_HOUR = np.timedelta64(3600 * 10**9, "ns")


def with_axes(raw: xr.Dataset, place: str) -> xr.Dataset:
    """Return a forecast with dimensions `init_time` and `lead_time`, also where its file holds one of either.

    Args:
        raw: With dates decoded; leads may be numbers.
        place: Its path, for messages.

    Raises:
        UserError: Its initial times are not told, or differ from lead to lead.
    """
    dataset = raw.rename({old: new for old, new in _HORIZONTAL.items() if old in raw.variables and new not in raw})
    dataset = _with_lead(dataset, place)
    dataset = _with_init(dataset, place)
    dataset = _with_number(dataset.drop_vars(["time", "valid_time"], errors="ignore"))
    return _with_level(dataset)


def _with_lead(dataset: xr.Dataset, place: str) -> xr.Dataset:
    """Make the lead a dimension, timedelta64; where only valid times are told, they follow the initial time."""
    name = find_lead(dataset)
    if name is None:
        dataset, name = _count_leads(dataset, place), "lead_time"
    if name in dataset.dims and name not in dataset.variables:
        raise UserError(f"{place} has a dimension {name!r} without values; give its leads, such as 6 and 12 hours")
    leads = dataset[name].variable
    if leads.dtype.kind != "m":
        leads = xr.Variable(leads.dims, np.round(lead_hours(dataset, name) * 3600).astype("int64") * (_HOUR // 3600))
    dataset = dataset.drop_vars(name).assign_coords({name: leads})
    along = leads.dims[0] if leads.dims else name
    if along != name:  # a lead beside each valid time
        dataset = dataset.swap_dims({along: name}).drop_vars([n for n in (along,) if n in dataset.variables])
    dataset = dataset.rename({name: "lead_time"} if name != "lead_time" else {})
    return dataset if "lead_time" in dataset.dims else dataset.expand_dims("lead_time")


def _count_leads(dataset: xr.Dataset, place: str) -> xr.Dataset:
    init = find_init(dataset)
    valid = next((name for name in ("valid_time", "time") if name in dataset.variables), None)
    if init is None or valid is None or dataset[init].ndim:
        raise UserError(f"{place} has no lead; give it as a coordinate lead_time")
    return dataset.assign_coords(lead_time=dataset[valid].variable - dataset[init].variable)


def _with_init(dataset: xr.Dataset, place: str) -> xr.Dataset:
    name = find_init(dataset) or next((n for n in ("time",) if n in dataset.variables), None)
    if name is None and "valid_time" in dataset.variables and dataset["valid_time"].dims == ("lead_time",):
        inits = np.unique(dataset["valid_time"].values - dataset["lead_time"].values)
        dataset = dataset.assign_coords(init_time=inits[0]) if inits.size == 1 else dataset
        name = "init_time" if inits.size == 1 else None
    if name is None or "lead_time" in dataset[name].dims:
        raise UserError(f"{place} tells no one initial time; give it as a coordinate init_time")
    dataset = dataset.rename({name: "init_time"} if name != "init_time" else {})
    return dataset if "init_time" in dataset.dims else dataset.expand_dims("init_time")


def _with_number(dataset: xr.Dataset) -> xr.Dataset:
    """Number the members; a forecast of one member, which need have no number, is an ensemble of one."""
    name = next((n for n in _NUMBERS if n in dataset.variables), "number")
    dataset = dataset.rename({name: "number"} if name != "number" else {})
    if "number" in dataset.dims or is_statistics(dataset):
        return dataset
    return dataset.expand_dims("number") if "number" in dataset.variables else dataset.expand_dims(number=[0])


def _with_level(dataset: xr.Dataset) -> xr.Dataset:
    if "level" not in dataset.coords or "level" in dataset.dims:
        return dataset
    names = {str(name) for name in dataset.data_vars}
    on_levels = {name for name in names if _lies_on_levels(split_field(name)[0])}
    placed = {name: dataset[name].expand_dims("level") for name in on_levels}
    return dataset.assign(placed) if placed else dataset.drop_vars("level")


def _lies_on_levels(name: str) -> bool:
    return name in VARIABLES and VARIABLES[name].vertical == "pressure"
