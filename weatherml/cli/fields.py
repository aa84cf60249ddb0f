"""One field of what a user points at, and the picture of it."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from weatherml.cli.paths import is_forecast
from weatherml.data.climatology import Climatology
from weatherml.data.files import open_files
from weatherml.durations import format_duration, parse_duration
from weatherml.errors import UserError
from weatherml.products import open_forecast, without_stopped
from weatherml.state import Channel, spec_of
from weatherml.storage.files import replacing
from weatherml.times import parse_time

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 160


def open_field(
    path: Path, channel: str, time: str | None, lead: str | None, drop_stopped: bool = False
) -> xr.DataArray:
    """Open one field of an analysis or a forecast.

    Args:
        path: Forecast store, analysis store or file.
        channel: Such as `z500`.
        time: Valid time of an analysis, initial time of a forecast; the first when None.
        lead: Lead time of a forecast such as `5d`; the last when None.
        drop_stopped: Leave out the members that guards have stopped.

    Returns:
        `[latitude, longitude]`, of a forecast `[number, latitude, longitude]`, in memory.

    Raises:
        UserError: There is no such time, lead or channel.
    """
    dataset = open_forecast(path) if is_forecast(path) else open_files(path)
    dataset = without_stopped(dataset) if drop_stopped else dataset
    wanted = Channel.parse(channel)
    spec_of(dataset, [channel])
    field = dataset[wanted.variable]
    field = field if wanted.level is None else field.sel(level=wanted.level)
    if "lead_time" in field.dims:
        field = _pick(field, "lead_time", None if lead is None else parse_duration(lead), -1)
    for dim in {"time", "init_time"} & set(field.dims):
        field = _pick(field, str(dim), None if time is None else parse_time(time), 0)
    return field.load()


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a picture, whole or not at all.

    Raises:
        UserError: The ending of `path` is no format of pictures, or the picture cannot be written.
    """
    known, wanted = figure.canvas.get_supported_filetypes(), path.suffix.removeprefix(".")
    if wanted not in known:
        raise UserError(f"{path}: pictures cannot end in {path.suffix!r}; choose one of {', '.join(known)}")
    with replacing(path) as unfinished:
        figure.savefig(unfinished, dpi=_DPI, format=wanted)


def normal_of(forecast: xr.Dataset, path: Path) -> xr.Dataset:
    """Return the climatology of a file at the valid times of a forecast."""
    return Climatology.load(path).at(np.unique(forecast["valid_time"].values))


def _pick(field: xr.DataArray, dim: str, value: Any, default: int) -> xr.DataArray:
    if value is None:
        return field.isel({dim: default})
    values = field[dim].values
    if value not in values:
        write = format_duration if dim == "lead_time" else partial(np.datetime_as_string, unit="m")
        raise UserError(
            f"there is no {dim} {write(value)}; the data have {len(values)} from {write(values[0])} to"
            f" {write(values[-1])}"
        )
    return field.sel({dim: value})
