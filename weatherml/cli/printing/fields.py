"""One field of what a user points at, and the picture of it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from weatherml.cli.paths import require_fields
from weatherml.data.reading.opening import open_files
from weatherml.durations import format_duration, parse_duration
from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.products import without_stopped
from weatherml.products.reading import is_forecast, read_forecast
from weatherml.products.selection import statistic_of, variable_of
from weatherml.state import Channel, levels_of, spec_of
from weatherml.storage.files import replacing
from weatherml.times import parse_time

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 160
_WRITERS: dict[str, Callable[[Any], str]] = {"lead_time": format_duration, "number": str}
_STATISTICS = ("mean", "spread", "minimum", "maximum", "quantile", "exceedance", "count")


@dataclass(frozen=True)
class Choice:
    """Which field of all those that lie at a path.

    Attributes:
        channel: Such as `z500`.
        time: Valid time of an analysis, initial time of a forecast; the first when None.
        lead: Lead time of a forecast such as `5d`; the last when None.
        statistic: Of a forecast of statistics, such as `spread` or `quantile=0.9`; mean over spread when None.
        drop_stopped: Leave out the members that guards have stopped.
        member: One of several, by its number; their mean and spread when None.
        rename: Canonical name by the file's own, of analyses.
    """

    channel: str
    time: str | None = None
    lead: str | None = None
    statistic: str | None = None
    drop_stopped: bool = False
    member: int | None = None
    rename: Mapping[str, str] | None = None


def draw(path: str, choice: Choice, coastlines: bool) -> "Figure":
    """Draw a field of an analysis or a forecast: of one member, or mean and spread of several.

    Raises:
        UserError: There is no such field, or an option is not for what lies there.
    """
    from weatherml import plot

    require_fields(path)
    if not is_forecast(path):
        _require_for_analyses(path, choice)
        field = _at(open_files(path, rename=choice.rename), choice)
    else:
        forecast = read_forecast(path)
        _require_for_forecasts(path, forecast, choice)
        if "number" not in forecast.dims:
            return _draw_statistics(forecast, choice, coastlines)
        field = _at(without_stopped(forecast) if choice.drop_stopped else forecast, choice)
    field = _of_member(field, path, choice.member)
    return (plot.spread if "number" in field.dims else plot.map)(field, coastlines=coastlines)


def _of_member(field: xr.DataArray, path: str, member: int | None) -> xr.DataArray:
    """Return the field of a member, or of all where none is chosen; without a dimension if it is one."""
    if "number" not in field.dims:
        if member is not None:
            raise UserError(f"{path} has no members, got --member {member}; leave it out")
        return field
    field = field if member is None else _pick(field, "number", member, 0).expand_dims("number")
    return field.squeeze("number") if field.sizes["number"] == 1 else field


def _require_for_forecasts(path: str, forecast: xr.Dataset, choice: Choice) -> None:
    if "station" in forecast.dims:
        raise UserError(f"{path} holds values at stations, which are no map; plot the forecast they were taken from")
    if "number" not in forecast.dims and choice.member is not None:
        raise UserError(f"{path} holds statistics, --member is for members; leave it out, --statistic chooses")
    if "number" in forecast.dims and choice.statistic is not None:
        raise UserError(f"{path} holds members, not statistics; leave --statistic out to see their mean and spread")


def _require_for_analyses(path: str, choice: Choice) -> None:
    given = {"--lead": choice.lead, "--statistic": choice.statistic, "--drop-stopped": choice.drop_stopped or None}
    for option, value in given.items():
        if value is not None:
            raise UserError(f"{path} holds analyses, {option} is for forecasts; leave it out, --time chooses a time")


def _at(dataset: xr.Dataset, choice: Choice) -> xr.DataArray:
    """Return the chosen variable at its level, time and lead, in memory."""
    (channel,) = spec_of(dataset, [choice.channel]).channels
    return _place(dataset[channel.variable], channel, choice)


def _place(field: xr.DataArray, channel: Channel, choice: Choice) -> xr.DataArray:
    field = field if channel.level is None or "level" not in field.dims else field.sel(level=channel.level)
    if "lead_time" in field.dims:
        field = _pick(field, "lead_time", None if choice.lead is None else parse_duration(choice.lead), -1)
    for dim in {"time", "init_time"} & set(field.dims):
        field = _pick(field, str(dim), None if choice.time is None else parse_time(choice.time), 0)
    return field.load()


def _draw_statistics(forecast: xr.Dataset, choice: Choice, coastlines: bool) -> "Figure":
    from weatherml import plot

    channel = Channel.parse(choice.channel, levels_of(forecast))
    own = _statistics_of(forecast, channel)
    if choice.statistic is None and {"mean", "spread"} <= own.keys():
        mean, spread = (_place(own[name], channel, choice).rename(channel.variable) for name in ("mean", "spread"))
        return plot.mean_over_spread(mean, spread, coastlines=coastlines)
    words = choice.statistic or next(iter(own))
    placed = _place(_statistic(own, words), channel, choice)
    name, title = words.partition("=")[0], _title(placed, channel, words)
    if name == "exceedance":
        return plot.probability(placed, title=title, coastlines=coastlines)
    if name == "count":
        return plot.map(
            placed.drop_vars("level", errors="ignore").rename("members"), title=title, coastlines=coastlines
        )
    drawn = plot.deviation if name == "spread" else plot.map
    return drawn(placed.rename(channel.variable), title=title, coastlines=coastlines)


def _statistics_of(forecast: xr.Dataset, channel: Channel) -> dict[str, xr.DataArray]:
    """Return the statistics of a channel by their names; `mean` before the others."""
    fields = {name: field for name, field in forecast.items() if variable_of(str(name)) == channel.variable}
    found = {
        statistic_of(str(name)): field
        for name, field in fields.items()
        if statistic_of(str(name)) != "exceedance" or str(name).startswith(f"{channel}_")
    }
    levels = forecast["level"].values.tolist() if "level" in forecast.dims else []
    if not found or (channel.level is not None and channel.level not in levels):
        known = listed(sorted({variable_of(str(name)) for name in forecast.data_vars}))
        at_levels = f" at {listed(levels)} hPa" * bool(levels)
        raise UserError(f"there are no statistics of {channel}; there are those of {known}{at_levels}")
    return {name: found[name] for name in _STATISTICS if name in found}


def _statistic(own: Mapping[str, xr.DataArray], words: str) -> xr.DataArray:
    """Return the field that `spread`, `quantile=0.9` or `exceedance=288.15` says."""
    name, _, value = words.partition("=")
    if name not in own:
        raise UserError(f"the forecast has no statistic {name!r}; --statistic is one of {', '.join(own)}")
    field = own[name]
    dim = next((str(d) for d in field.dims if str(d) == "quantile" or str(d).endswith("_threshold")), None)
    if dim is None:
        return field
    known = field[dim].values
    if not (value and _is_number(value) and np.isclose(known, float(value)).any()):
        kept = listed(f"{name}={own_value:g}" for own_value in known)
        raise UserError(f"--statistic {words} is not kept; choose one of {kept}")
    return field.isel({dim: int(np.isclose(known, float(value)).argmax())})


def _is_number(text: str) -> bool:
    with suppress(ValueError):
        return bool(np.isfinite(float(text)))
    return False


def _title(field: xr.DataArray, channel: Channel, words: str) -> str:
    """Return what a statistic is of, with the probability or, as the picture shows it, the threshold it is for."""
    from weatherml.plot.style import quantity_of

    quantity, name = quantity_of(str(channel)), words.partition("=")[0]
    if name == "exceedance":
        shown = quantity.shown(field[f"{channel}_threshold"]).item()
        return f"Probability of {_within(quantity.label)} above {shown:.4g}\N{NO-BREAK SPACE}{quantity.units}"
    own = f"quantile {float(field['quantile']):g}" if name == "quantile" else name
    return f"{quantity.label}: {'members counted' if name == 'count' else f'ensemble {own}'}"


def _within(label: str) -> str:
    """Return a label as it stands within a sentence."""
    return label[:1].lower() + label[1:]


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a picture, whole or not at all.

    Raises:
        UserError: The ending of `path` is no format of pictures, or the picture cannot be written.
    """
    known, wanted = figure.canvas.get_supported_filetypes(), path.suffix.removeprefix(".")
    if wanted not in known:
        raise UserError(f"{path}: pictures cannot end in {path.suffix!r}; choose one of {listed(known)}")
    with replacing(path) as unfinished:
        figure.savefig(unfinished, dpi=_DPI, format=wanted)


def _pick(field: xr.DataArray, dim: str, value: Any, default: int) -> xr.DataArray:
    if value is None:
        return field.isel({dim: default})
    values = field[dim].values
    if value not in values:
        write = _WRITERS.get(dim, partial(np.datetime_as_string, unit="m"))
        raise UserError(
            f"there is no {dim} {write(value)}; the data have {len(values)} from {write(values[0])} to"
            f" {write(values[-1])}"
        )
    return field.sel({dim: value})
