"""Forecasts as GRIB2, to and fro: one message for each field, with the keys by which ensembles are read everywhere."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import xarray as xr

from weatherml.data.reading.formats.grib import FORECASTS, import_eccodes, open_grib
from weatherml.durations import format_duration
from weatherml.errors import UserError
from weatherml.grid import exact_latitude, exact_longitude, gaussian_latitude
from weatherml.products.foreign.sums import SINCE, marking_sums
from weatherml.products.selection import is_statistics
from weatherml.state import Channel
from weatherml.storage.files import replacing
from weatherml.variables import VARIABLES, find

_HOUR, _MINUTE = np.timedelta64(1, "h"), np.timedelta64(1, "m")
_MISSING = 9.999e20
_CHUNKS: Mapping[str, Any] = {"time": 1, "step": 1, "number": "auto", "latitude": -1, "longitude": -1}
_SAME_PLACE = 2e-4
"""Degrees; grids are known to a ten-thousandth of a degree, GRIB2 to a millionth."""
_LARGEST_NUMBER = 254
"""One octet holds it; 255 is none."""

_ACCUMULATIONS = {"total_precipitation": 228, "toa_incident_solar_radiation": 212}
_WINDOWS = (6, 12, 24)  # hours
# Where ecCodes would take the name for another parameter, or knows none of it.
_PARAMETERS = {"sea_surface_temperature": 34} | {
    f"{name}_{hours}hr": number for name, number in _ACCUMULATIONS.items() for hours in _WINDOWS
}
_PERIODS = dict.fromkeys(_ACCUMULATIONS, _HOUR) | {
    f"{name}_{hours}hr": np.timedelta64(hours, "h") for name in _ACCUMULATIONS for hours in _WINDOWS
}
"""Time over which a variable is accumulated up to its lead, as in ERA5."""
_NO_PARAMETER = ("integrated_vapor_transport", "geopotential_at_surface")
"""The second shares its parameter with geopotential on levels, from which readers would not tell it."""
_UNKNOWN_PERIODS = ("maximum_2m_temperature", "minimum_2m_temperature")

_TEMPLATES = {(False, False): 0, (True, False): 1, (False, True): 8, (True, True): 11}
"""Code table 4.0 by whether it is an ensemble, and whether it is over a period."""

# Code tables 1.4 and 4.6: what the product is, and which kind of member.
_FORECAST, _CONTROL, _PERTURBED = 1, 3, 4
_UNPERTURBED, _POSITIVELY_PERTURBED = 1, 3


def write_grib(path: Path, dataset: xr.Dataset, bits: int = 16) -> dict[str, float]:
    """Write a forecast as GRIB2, piece by piece.

    Values are packed with `bits` bits between least and greatest value of each field, so the largest error is about
    the field's range times 2 to the power -(bits + 1), to which the error of a rounded forecast adds. Missing values
    are a bitmap. Channels that are missing everywhere, as in ragged level sets, are left out.

    Args:
        path: The file; it appears when it is whole.
        dataset: A canonical forecast of members.
        bits: For one value.

    Returns:
        The largest error that packing made in each channel, in its SI units.

    Raises:
        UserError: ecCodes is not installed, the file cannot be written, or GRIB2 cannot hold the forecast: statistics,
            stations, numbers above 254, a grid that is neither regular nor Gaussian, or leads in parts of minutes.
    """
    eccodes = import_eccodes(path)
    _require_members_on_grid(dataset)
    channels = _channels(dataset)
    templates = {channel: _product_keys(channel, dataset) for channel in channels}
    grid = _grid_keys(dataset)
    errors: dict[str, float] = {}
    with replacing(path) as partial, open(partial, "wb") as file:
        for piece in _iterate_pieces(dataset):
            for channel in channels:
                field = _at_level(piece[channel.variable], channel)
                # Until it has been met, a channel that is missing may be one that is not there.
                if str(channel) in errors or bool(field.notnull().any()):
                    error = _Messages(eccodes, file, {**grid, **templates[channel]}, bits).write(field, channel)
                    errors[str(channel)] = max(errors.get(str(channel), 0.0), error)
        if not errors:
            raise UserError("the forecast is missing everywhere; there is nothing to write")
    return errors


def read_grib(path: Path) -> xr.Dataset:
    """Open the forecasts of a GRIB file lazily: dimensions `(init_time, lead_time, number, level, ...)`, in any order.

    Raises:
        UserError: It cannot be read, or two messages claim the same place.
    """
    opened = [_named(dataset) for dataset in open_grib(path, _CHUNKS, FORECASTS)]
    whole = _with_members(opened, path)
    merged = xr.merge(whole, compat="equals", join="outer", combine_attrs="drop")
    for name in {name for dataset in opened for name, field in dataset.data_vars.items() if SINCE in field.attrs}:
        merged[name].attrs[SINCE] = True
    return merged if "number" in merged.dims else merged.expand_dims(number=[0])


def grib_bytes(dataset: xr.Dataset, bits: int = 16) -> int:
    """Return how many bytes a forecast takes as GRIB2 at most: packed values, a bitmap, and the headers.

    Raises:
        UserError: It holds statistics or stations.
    """
    _require_members_on_grid(dataset)
    cells = dataset.sizes["latitude"] * dataset.sizes["longitude"]
    fields = sum(field.size // cells for field in dataset.data_vars.values())
    return fields * (cells * (bits + 1) // 8 + 512)


@dataclass(frozen=True)
class _Messages:
    """Writes the fields of one channel.

    Attributes:
        eccodes: The library.
        file: Open for writing.
        keys: What all messages share, in the order in which they must be set.
        bits: For one value.
    """

    eccodes: Any
    file: BinaryIO
    keys: Mapping[str, Any]
    bits: int

    def write(self, field: xr.DataArray, channel: Channel) -> float:
        """Write a channel of a piece in memory; return the largest error of packing, SI units."""
        if "number" not in field.dims:
            field = field.expand_dims(number=[0])
        field = field.transpose("init_time", "lead_time", "number", "latitude", "longitude")
        values, axes = field.values, [field[dim].values for dim in field.dims[:3]]
        error = 0.0
        for place in np.ndindex(field.shape[:3]):
            init_time, lead_time, number = (axis[i] for axis, i in zip(axes, place, strict=True))
            times = {**_init_keys(init_time), **_step_keys(lead_time, channel)}
            error = max(error, self._write_one(values[place], times, int(number)))
        return error

    def _write_one(self, values: np.ndarray, times: Mapping[str, Any], number: int) -> float:
        codes = self.eccodes
        message = codes.codes_grib_new_from_samples("GRIB2")
        try:
            member = _member_keys(number) if "numberOfForecastsInEnsemble" in self.keys else {}
            for key, value in {**self.keys, **times, **member}.items():
                codes.codes_set(message, key, value)
            is_missing = np.isnan(values)
            packed = np.where(is_missing, _MISSING, values.astype(np.float64))
            codes.codes_set(message, "bitsPerValue", self.bits)
            codes.codes_set(message, "bitmapPresent", int(is_missing.any()))
            codes.codes_set(message, "missingValue", _MISSING)
            codes.codes_set_values(message, packed.ravel())
            codes.codes_write(message, self.file)
            differences = np.abs(codes.codes_get_values(message).reshape(values.shape) - packed)
            return float(differences[~is_missing].max(initial=0))
        finally:
            codes.codes_release(message)


def _channels(dataset: xr.Dataset) -> list[Channel]:
    """Return the channels of a forecast, of which some may be missing everywhere."""
    levels = dataset["level"].values.tolist() if "level" in dataset.dims else []
    return [
        Channel(str(name), level)
        for name, field in dataset.data_vars.items()
        for level in (levels if "level" in field.dims else [None])
    ]


def _require_members_on_grid(dataset: xr.Dataset) -> None:
    if "latitude" not in dataset.dims or "longitude" not in dataset.dims:
        raise UserError("GRIB2 holds fields on a grid; write stations to NetCDF (.nc) or zarr (.zarr)")
    if is_statistics(dataset):
        raise UserError("GRIB2 holds members of forecasts; write statistics to NetCDF (.nc) or zarr (.zarr)")


def _at_level(field: xr.DataArray, channel: Channel) -> xr.DataArray:
    return field if channel.level is None else field.sel(level=channel.level)


def _product_keys(channel: Channel, dataset: xr.Dataset) -> dict[str, Any]:
    """Return which variable it is, on which level, of a forecast or of an ensemble."""
    name = channel.variable
    if name in _UNKNOWN_PERIODS:
        raise UserError(f"GRIB2 must say over which time {name} is taken, which the forecast does not; leave it out")
    if name in _NO_PARAMETER:
        raise UserError(
            f"GRIB2 has no parameter of its own for {name}; leave it out, or write NetCDF (.nc) or zarr (.zarr)"
        )
    size = _ensemble_size(dataset)
    template = _TEMPLATES[size > 1, name in _PERIODS]
    keys: dict[str, Any] = {"productDefinitionTemplateNumber": template}
    if channel.level is not None:
        keys |= {"typeOfLevel": "isobaricInhPa", "level": channel.level}
    if name in _PARAMETERS:
        keys["paramId"] = _PARAMETERS[name]
    else:
        keys["shortName"] = find(name).ecmwf_name
    if size > 1:
        return {**keys, "numberOfForecastsInEnsemble": min(size, 255)}
    return {**keys, "typeOfProcessedData": _FORECAST}


def _ensemble_size(dataset: xr.Dataset) -> int:
    """Return how many members the ensemble has, of which the forecast may hold only some."""
    numbers = dataset["number"].values if "number" in dataset.dims else np.zeros(1, int)
    if numbers.max() > _LARGEST_NUMBER:
        raise UserError(
            f"GRIB2 numbers members up to {_LARGEST_NUMBER}, the forecast has number {numbers.max()}; write it to"
            " NetCDF (.nc) or zarr (.zarr)"
        )
    asked = json.loads(dataset.attrs.get("forecast_config", "{}"))
    return max(int(asked.get("members", 1)), int(numbers.max()) + 1)


def _member_keys(number: int) -> dict[str, int]:
    """Return the keys of a member; number 0 is the control."""
    is_control = number == 0
    return {
        "typeOfProcessedData": _CONTROL if is_control else _PERTURBED,
        "typeOfEnsembleForecast": _UNPERTURBED if is_control else _POSITIVELY_PERTURBED,
        "perturbationNumber": number,
    }


def _named(group: xr.Dataset) -> xr.Dataset:
    """Return like messages under canonical names, without what says at which height they are."""
    names = {"time": "init_time", "step": "lead_time", "isobaricInhPa": "level"}
    group = xr.decode_cf(group.drop_vars("valid_time"), decode_timedelta=True).rename(
        {theirs: own for theirs, own in names.items() if theirs in group.dims}
    )
    kept = (*names.values(), "number", "latitude", "longitude")
    group = group.squeeze([dim for dim, size in group.sizes.items() if size == 1 and dim not in kept], drop=True)
    variables = {str(name): _variable(field) for name, field in group.data_vars.items()}
    marked = marking_sums(group, variables)
    return marked.rename({theirs: own for theirs, own in variables.items() if theirs != own})


def _with_members(opened: Sequence[xr.Dataset], path: Path) -> list[xr.Dataset]:
    """Put a forecast without a number (fc), of which members are there, too, with them: as number 0, the control."""
    whole: dict[tuple[str, ...], xr.Dataset] = {}
    for dataset in sorted(opened, key=lambda own: "number" in own.dims):
        names = tuple(map(str, dataset.data_vars))
        other = whole.get(names)
        whole[names] = dataset if other is None else _joined(other, dataset, path)
    return list(whole.values())


def _joined(one: xr.Dataset, other: xr.Dataset, path: Path) -> xr.Dataset:
    """Join like messages along their numbers, or as they complete each other.

    Raises:
        UserError: Both hold one member.
    """
    if "number" not in other.dims:
        return xr.merge([one, other], compat="equals", join="outer", combine_attrs="drop")
    one = one if "number" in one.dims else one.expand_dims(number=[0])
    for number in np.intersect1d(one["number"].values, other["number"].values):
        names = ", ".join(map(str, other.data_vars))
        raise UserError(
            f"{path} holds number {number} of {names} twice, of different kinds of message (such as fc and cf); keep"
            " one of them"
        )
    return xr.concat([one, other], "number", join="outer", combine_attrs="override")


def _variable(field: xr.DataArray) -> str:
    """Return the canonical name of a field as cfgrib describes it; its own where none is known."""
    attributes = field.attrs
    period = attributes.get("GRIB_lengthOfTimeRange"), attributes.get("GRIB_indicatorOfUnitForTimeRange")
    of_parameter = [
        name
        for name, number in _PARAMETERS.items()
        if number == attributes["GRIB_paramId"] and (name not in _PERIODS or period == (_PERIODS[name] // _HOUR, 1))
    ]
    by_name = [variable.name for variable in VARIABLES.values() if variable.ecmwf_name == attributes["GRIB_shortName"]]
    return [*of_parameter, *by_name, str(field.name)][0]


def _init_keys(init_time: np.datetime64) -> dict[str, int]:
    """Return the keys of an initial time."""
    if init_time.astype("datetime64[m]") != init_time:
        raise UserError(f"GRIB2 as it is read has times in whole minutes, got init_time {init_time}")
    date, time = str(init_time.astype("datetime64[m]")).split("T")
    return {"dataDate": int(date.replace("-", "")), "dataTime": int(time.replace(":", ""))}


def _step_keys(lead_time: np.timedelta64, channel: Channel) -> dict[str, Any]:
    """Return the keys of a lead: of an instant, or of the period that ends there; in hours, or else in minutes."""
    start = lead_time - _PERIODS.get(channel.variable, np.timedelta64(0, "h"))
    if start < np.timedelta64(0, "ns"):
        raise UserError(
            f"{channel} at lead {format_duration(lead_time)} is accumulated from before the initial time, which GRIB2"
            " cannot say; leave the channel or the lead out"
        )
    unit, code = next(((u, c) for u, c in ((_HOUR, 1), (_MINUTE, 0)) if not lead_time % u and not start % u), (None, 0))
    if unit is None:
        raise UserError(f"GRIB2 has leads in whole minutes, got {lead_time}")
    if channel.variable not in _PERIODS:
        return {"indicatorOfUnitOfTimeRange": code, "forecastTime": int(lead_time // unit)}
    return {"stepUnits": code, "stepRange": f"{start // unit}-{lead_time // unit}"}


def _grid_keys(dataset: xr.Dataset) -> dict[str, Any]:
    """Return the keys of the grid, with its exact coordinates where it is a known one."""
    latitude, longitude = exact_latitude(dataset["latitude"].values), exact_longitude(dataset["longitude"].values)
    shape = {"Ni": len(longitude), "Nj": len(latitude)}
    columns, rows = _ends("longitude", longitude % 360), _ends("latitude", latitude)
    across = {**columns, **rows, **_spacing("i", longitude)}
    if _is_even(longitude) and _is_even(latitude):
        return {"gridType": "regular_ll", **shape, **across, **_spacing("j", latitude)}
    if _is_even(longitude) and len(latitude) % 2 == 0 and np.array_equal(latitude, gaussian_latitude(len(latitude))):
        return {"gridType": "regular_gg", "N": len(latitude) // 2, **shape, **across}
    raise UserError("GRIB2 holds regular and whole Gaussian grids; write NetCDF (.nc) or zarr (.zarr)")


def _ends(name: str, degrees: np.ndarray) -> dict[str, float]:
    return {f"{name}OfFirstGridPointInDegrees": degrees[0], f"{name}OfLastGridPointInDegrees": degrees[-1]}


def _spacing(axis: str, degrees: np.ndarray) -> dict[str, float]:
    """Return the increment along an axis, of which a single point has none."""
    n_gaps = len(degrees) - 1
    return {f"{axis}DirectionIncrementInDegrees": round(np.ptp(degrees) / n_gaps, 6)} if n_gaps else {}


def _is_even(degrees: np.ndarray) -> bool:
    """Return whether coordinates have one spacing."""
    even = np.linspace(degrees[0], degrees[-1], len(degrees))
    return bool(np.abs(degrees - even).max() < _SAME_PLACE)


def _iterate_pieces(dataset: xr.Dataset) -> Iterator[xr.Dataset]:
    """Yield the forecast in pieces of one initial time and as many leads and members as lie in one chunk.

    Members vary before leads, leads before initial times.
    """
    leads, numbers = (_slices(dataset, dim) for dim in ("lead_time", "number"))
    for init in range(dataset.sizes["init_time"]):
        for lead in leads:
            for number in numbers:
                places = {"init_time": slice(init, init + 1), "lead_time": lead, "number": number}
                yield dataset.isel({dim: place for dim, place in places.items() if dim in dataset.dims}).load()


def _slices(dataset: xr.Dataset, dim: str) -> list[slice]:
    """Return the chunks along a dimension, one position each where the dataset has no chunks."""
    if dim not in dataset.dims:
        return [slice(None)]
    size = dataset.sizes[dim]
    length = min((max(field.chunksizes.get(dim, (1,))) for field in dataset.data_vars.values()), default=1)
    return [slice(start, min(start + length, size)) for start in range(0, size, length)]
