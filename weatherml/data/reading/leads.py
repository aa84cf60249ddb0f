"""Which files are forecasts: those with a lead, under whatever name, that is not zero."""

import numpy as np
import xarray as xr

LEADS = ("lead_time", "prediction_timedelta", "step", "forecast_period", "leadtime", "lead", "forecast_hour")
"""What files call the lead: weatherml and earth2studio, WeatherBench 2, cfgrib, CF."""
INITS = ("init_time", "forecast_reference_time", "initial_time", "reference_time", "reftime")
"""What files call the initial time where `time` is not that."""

CENTRE = "GRIB_centre"
"""Dataset attribute by which cfgrib tells whose messages they were."""

_VALID = "valid_time_of_lead"

_HOURS = {"days": 24.0, "hours": 1.0, "minutes": 1 / 60, "seconds": 1 / 3600, "nanoseconds": 1 / 3.6e12}
_SPELLINGS = {
    **dict.fromkeys(("d", "day"), "days"),
    **dict.fromkeys(("h", "hr", "hour", "hrs"), "hours"),
    **dict.fromkeys(("min", "mins"), "minutes"),
    **dict.fromkeys(("s", "sec", "secs"), "seconds"),
    "ns": "nanoseconds",
}
_IN_HOURS = ("forecast_hour",)


def forecast_story(raw: xr.Dataset) -> str | None:
    """Return by what a file shows that it is a forecast, such as `step 6 h`; None if it holds analyses.

    A file is a forecast whose lead has several values, or one that is not zero, also as a coordinate without a
    dimension: what is left where one lead was selected. So is one whose times lie after an initial time.
    """
    lead, init = find_lead(raw), find_init(raw)
    if lead is not None and holds_sums_of_analyses(raw, lead):
        return None
    if lead is not None:
        hours = lead_hours(raw, lead)
        if not hours.size:
            return f"{lead} without a value"
        is_forecast = (hours.size > 1 and raw.sizes.get(lead, 1) > 1) or bool(np.any(hours != 0))
        return f"{lead} {_span(hours)}" if is_forecast else None
    if init is None:
        return None
    valid = next((raw[name] for name in ("valid_time", "time") if name in raw.variables), None)
    if valid is None:
        return f"{init} without a lead"
    return None if bool((valid == raw[init]).all()) else f"{valid.name} other than {init}"


def holds_sums_of_analyses(raw: xr.Dataset, lead: str) -> bool:
    """Return whether all that has a lead are sums and extremes over time that ECMWF archives beside its analyses."""
    fields = [field for field in raw.data_vars.values() if lead in field.dims]
    is_over_time = all(field.attrs.get("GRIB_stepType", "instant") != "instant" for field in fields)
    is_archived = raw.attrs.get(CENTRE) == "ecmf" and all(field.attrs.get("GRIB_dataType") == "fc" for field in fields)
    return bool(fields) and "time" in raw.variables and is_over_time and is_archived


def along_valid_times(raw: xr.Dataset, lead: str) -> xr.Dataset:
    """Return fields of `time` and `lead`, as cfgrib writes them, along their valid times."""
    raw = raw if "time" in raw.dims else raw.expand_dims("time")
    stacked = raw.stack({_VALID: ("time", lead)}, create_index=False)
    leads = np.round(lead_hours(stacked, lead) * 3600).astype("timedelta64[s]")
    times = stacked["time"].values + leads
    dropped = [name for name in ("time", "valid_time", lead) if name in stacked.variables]
    return stacked.drop_vars(dropped).assign_coords(time=(_VALID, times)).swap_dims({_VALID: "time"})


def find_lead(raw: xr.Dataset) -> str | None:
    """Return what a file calls its lead, be it zero."""
    return _named(raw, LEADS, "forecast_period")


def find_init(raw: xr.Dataset) -> str | None:
    """Return what a file calls its initial time, where that is not `time`."""
    return _named(raw, INITS, "forecast_reference_time")


def has_unit(raw: xr.Dataset, name: str) -> bool:
    """Return whether a file says of which unit its leads are: by their type, their units, or their name."""
    units = str(raw[name].attrs.get("units", ""))
    return raw[name].dtype.kind == "m" or _spelled_out(units) in _HOURS or name in _IN_HOURS


def lead_hours(raw: xr.Dataset, name: str) -> np.ndarray:
    """Return leads in hours, float64 of their own shape; NaN for a dimension without values.

    Numbers without a unit are taken for hours, which suffices to know a forecast: `has_unit` says which they are.
    """
    if name not in raw.variables:
        return np.full(raw.sizes[name], np.nan)
    values = raw[name].values
    if values.dtype.kind == "m":
        return np.asarray(values / np.timedelta64(1, "h"))
    return np.asarray(values, np.float64) * _HOURS.get(_spelled_out(str(raw[name].attrs.get("units", ""))), 1.0)


def _spelled_out(units: str) -> str:
    """Return `hours` for `h`, `Hour` and the like."""
    plain = units.strip().lower()
    return _SPELLINGS.get(plain, plain if plain.endswith("s") else f"{plain}s")


def _span(hours: np.ndarray) -> str:
    low, high = (f"{value:g}" for value in (hours.min(), hours.max()))
    return f"{low} h" if low == high else f"{low} .. {high} h"


def _named(raw: xr.Dataset, names: tuple[str, ...], standard_name: str) -> str | None:
    here = {*map(str, raw.dims), *map(str, raw.variables)}
    found = next((name for name in names if name in here), None)
    told = (str(name) for name, c in raw.coords.items() if c.attrs.get("standard_name") == standard_name)
    return found or next(told, None)
