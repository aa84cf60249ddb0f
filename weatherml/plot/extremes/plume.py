"""Plumes: what each member says by valid time, how they spread, and what happened."""

from collections.abc import Mapping, Sequence

import matplotlib.dates as dates
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weatherml.errors import UserError
from weatherml.plot import style
from weatherml.plot.style import Quantity

_BANDS = ((0.0, 1.0, 0.13), (0.1, 0.9, 0.2), (0.25, 0.75, 0.3))
"""Lower and upper quantile of the members, and how dark the band between them is, over those outside it."""
_MOST_LINES = 30  # members that are told apart
_MOST_ACROSS = 3
_WIDE = 4.6  # inches of a panel, of which it is said how many stand side by side


def plume(
    members: xr.DataArray | Mapping[str, xr.DataArray],
    truth: xr.DataArray | None = None,
    *,
    title: str = "",
    period: tuple[np.datetime64, np.datetime64] | None = None,
    levels: Mapping[str, float] | None = None,
    n_across: int | None = None,
) -> Figure:
    """Draw one number of each member by valid time: a panel a system, on one scale.

    Bands hold all members, the middle 80 % and the middle half; the line is their median.

    Args:
        members: Dims (number, lead_time) with a scalar init_time, or (number, time); without number where there is one
            forecast. In SI units, by the name of the variable. Several by the name of the system, or of what tells them
            apart.
        truth: Dims (time).
        title: Over all; the quantity's name when empty.
        period: First and last time of an event, which is shaded.
        levels: Values that are drawn as lines across, by what they are, in SI units.
        n_across: How many panels stand side by side; as many as look well when None.

    Raises:
        UserError: There is nothing to draw, or a dimension is another.
    """
    systems = dict(members) if isinstance(members, Mapping) else {"": members}
    if not systems:
        raise UserError("a plume needs members; give a forecast's (number, lead_time), or several by name")
    shown = {name: _by_valid_time(own) for name, own in systems.items()}
    first = next(iter(systems.values()))
    quantity = style.quantity_of_field(first)
    least = 6.4 if n_across is None else _WIDE * n_across
    n_across = min(len(shown), n_across or (2 if len(shown) == 4 else _MOST_ACROSS))
    n_rows = -(-len(shown) // n_across)
    with style.new_figure(max(3.9 * n_across, least), 2.9 * n_rows + 0.75) as figure:
        figure.suptitle(title or quantity.label, x=0.01, ha="left", weight="bold", size=12)
        axes = figure.subplots(n_rows, n_across, squeeze=False, sharex=True, sharey=True)
        for ax, (name, own) in zip(axes.flat, shown.items(), strict=False):
            _draw(ax, own, truth, quantity, period)
            _draw_levels(ax, levels or {}, quantity)
            style.write_title(ax, name, _note(systems[name], own))
        _finish(axes, len(shown), quantity)
        _legend(figure, axes)
    return figure


def _by_valid_time(members: xr.DataArray) -> xr.DataArray:
    """Return `[number, time]`."""
    own = members if "number" in members.dims else members.expand_dims("number")
    if "lead_time" in own.dims:
        if "init_time" not in own.coords or own["init_time"].ndim:
            raise UserError("a plume is of one initial time; select it, members.isel(init_time=0)")
        known = own.coords.get("valid_time")  # of days it is the day's, whatever the hour a forecast began at
        times = own["init_time"].values + own["lead_time"].values if known is None else known.values
        own = own.assign_coords(time=("lead_time", times))
        own = own.swap_dims(lead_time="time")
    if set(own.dims) != {"number", "time"}:
        raise UserError(
            f"a plume has dims (number, lead_time) or (number, time), got {members.dims}; select the others"
        )
    return own.transpose("number", "time").compute()


def _draw(
    ax: Axes, own: xr.DataArray, truth: xr.DataArray | None, quantity: Quantity, period: Sequence[np.datetime64] | None
) -> None:
    times, values = own["time"].values, quantity.shown(own).values
    colour = style.CYCLE[0]
    if period is not None:
        first, last = dates.date2num(np.array(period)).tolist()  # type: ignore[no-untyped-call]
        ax.axvspan(first, last, color=style.CYCLE[4], alpha=0.13, linewidth=0, label="period of the event")
    if len(values) > 1:
        for low, high, alpha in _BANDS:
            bounds = np.quantile(values, (low, high), axis=0)
            label = "all members" if low == 0 else f"middle {round(100 * (high - low))} %"
            ax.fill_between(times, *bounds, color=colour, alpha=alpha, linewidth=0, label=label)
    if 1 < len(values) <= _MOST_LINES:
        ax.plot(times, values.T, color=colour, alpha=0.35, linewidth=0.6)
    ax.plot(times, np.median(values, axis=0), color=colour, label="median" if len(values) > 1 else "forecast")
    if truth is not None:
        ax.plot(truth["time"].values, quantity.shown(truth).values, color=style.INK, linewidth=1.6, label="truth")


def _draw_levels(ax: Axes, levels: Mapping[str, float], quantity: Quantity) -> None:
    for place, (name, level) in enumerate(levels.items()):
        shown = level * quantity.factor + quantity.offset
        ax.axhline(shown, color=style.CYCLE[1 + place], linewidth=1.1, linestyle="--", label=name)


def _note(members: xr.DataArray, own: xr.DataArray) -> str:
    n_members = len(own)
    told = [style.write_origin(members)] if "init_time" in members.coords else []
    return " · ".join([*told, f"{n_members} members" if n_members > 1 else "one forecast"])


def _finish(axes: np.ndarray, n_drawn: int, quantity: Quantity) -> None:
    n_across = axes.shape[1]
    for place, ax in enumerate(axes.flat):
        if place >= n_drawn:
            ax.set_axis_off()
            continue
        locator = dates.AutoDateLocator(minticks=3, maxticks=6)  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        ax.tick_params(labelbottom=place + n_across >= n_drawn, labelleft=place % n_across == 0)
        if place % n_across == 0:
            ax.set_ylabel(style.with_units(quantity.label, quantity.units))
        ax.margins(x=0.01)


def _legend(figure: Figure, axes: np.ndarray) -> None:
    drawn = {label: line for ax in axes.flat for line, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    n_columns = max(2, int(figure.get_figwidth() / 1.55))
    figure.legend(drawn.values(), drawn.keys(), loc="outside lower left", ncols=n_columns, fontsize=8.5)
