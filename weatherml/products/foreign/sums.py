"""Sums since the start of a forecast, as ECMWF's are, as sums over the hours before each lead.

ECMWF's forecasts accumulate precipitation and radiation from the initial time on (its parameter database, "Total
precipitation"): a GRIB message says 0-12 hours where the one before says 0-6.
"""

import numpy as np
import xarray as xr

from weatherml.data.derived.derivations import ACCUMULATIONS
from weatherml.data.notes import noted
from weatherml.data.reading.windows import windows_of
from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.variables import VARIABLES

SINCE = "weatherml_since_start"
"""Variable attribute: whether its sums run since the initial time."""

_HOUR = np.timedelta64(3600 * 10**9, "ns")
_WINDOWS = (1, 6, 12, 24)
"""Hours over which the vocabulary has sums."""


def marking_sums(group: xr.Dataset, variables: dict[str, str]) -> xr.Dataset:
    """Mark the fields whose sums all run since the start; `variables` then says what they are sums of.

    Args:
        group: With `lead_time`; fields tell over which hours they are summed.
        variables: Canonical names by those of the group, which are changed.
    """
    leads = {float(hours) for hours in group["lead_time"].values / _HOUR if hours > 0}
    for own, name in variables.items():
        base = _base(name)
        if base is not None and leads == {float(hours) for hours in windows_of(group[own])}:
            variables[own] = base
            group[own].attrs[SINCE] = True
    return group


def window_sums(forecast: xr.Dataset) -> xr.Dataset:
    """Return a forecast whose precipitation and radiation, sums since its start, are sums over windows, lazily.

    NetCDF and zarr do not say since when their sums run; who knows that it is since the start, as ECMWF's `tp` is, says
    so by this.

    Args:
        forecast: Dims (init_time, lead_time, ...), with `total_precipitation` or `toa_incident_solar_radiation`, also
            under their names over some hours.

    Returns:
        The same with sums over the shortest window that the leads allow and that has a name, such as
        `total_precipitation_6hr`.

    Raises:
        UserError: There are no such sums, two of one variable, or no window has a name.
    """
    names = {str(name): base for name in forecast.data_vars if (base := _base(str(name)))}
    if len(set(names.values())) < max(len(names), 1):
        told = f"of {listed(names)} two are of one variable" if names else f"got {listed(forecast.data_vars)}"
        raise UserError(f"sums since the start are of {listed(ACCUMULATIONS)}, {told}; pass those, one of each")
    marked = forecast.rename(names)
    marked = marked.assign({name: marked[name].assign_attrs({SINCE: True}) for name in names.values()})
    made = by_window(marked, "the forecast")
    return made.assign_coords(valid_time=made["init_time"] + made["lead_time"])


def _base(name: str) -> str | None:
    """Return the variable that a name is of sums of; None where it is of none."""
    return next((one for one in ACCUMULATIONS if name == one or name.startswith(f"{one}_")), None)


def by_window(dataset: xr.Dataset, place: str) -> xr.Dataset:
    """Return a forecast whose sums since the start are sums over windows, lazily; what can be none is passed over.

    Raises:
        UserError: Nothing else is there.
    """
    for name in [str(name) for name, field in dataset.data_vars.items() if SINCE in field.attrs]:
        field, dataset = dataset[name].drop_attrs(deep=False), dataset.drop_vars(name)
        made = _made(field, name)
        if made is None:
            why = f"{name} (sums since the start, over no window that has a name)"
            if not dataset.data_vars:
                raise UserError(f"{place} holds nothing but {why}; pass leads of every 1, 6, 12 or 24 hours")
            dataset = noted(dataset, f"variables passed over: {why}")
            continue
        variable = VARIABLES[str(made.name)]
        told = {"units": variable.units, "long_name": variable.long_name, **variable.cf_attributes}
        own = dataset[made.name].combine_first(made) if made.name in dataset else made
        rest = dataset.drop_vars(str(made.name), errors="ignore")
        dataset = xr.merge([rest, own.assign_attrs(told)], join="outer", compat="override")
        if field.sizes["lead_time"] > 1:
            dataset = noted(dataset, f"{made.name} is the difference of sums since the start")
    return dataset


def _made(field: xr.DataArray, variable: str) -> xr.DataArray | None:
    """Return sums over the shortest window that ends at every lead which is long enough; None where there is none."""
    leads = field["lead_time"].values / _HOUR
    for hours in _WINDOWS:
        name = variable if hours == 1 else f"{variable}_{hours}hr"
        ends = leads[np.isin(leads - hours, [0, *leads])]
        if name in VARIABLES and ends.size and set(ends) == set(leads[leads >= hours]):
            return _differences(field, leads, ends, hours).rename(name)
    return None


def _differences(field: xr.DataArray, leads: np.ndarray, ends: np.ndarray, hours: int) -> xr.DataArray:
    """Return sums up to some leads less those up to `hours` before, of which at the start there are none."""
    last = field.isel(lead_time=np.searchsorted(leads, ends))
    is_first = xr.DataArray(ends == hours, dims="lead_time")
    before = field.isel(lead_time=np.searchsorted(leads, np.where(ends == hours, ends, ends - hours)))
    at_start = before.drop_vars(["lead_time", "valid_time"], errors="ignore").where(~is_first, 0)
    made: xr.DataArray = (last - at_start).clip(min=0)
    return made
