"""Curves of skill by lead time, and the verdict on an exceedance."""

from collections.abc import Iterable, Sequence

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from weatherml.errors import UserError
from weatherml.plot import style
from weatherml.plot.metrics import look_of
from weatherml.registry import nearest

_N_RELIABILITY_CURVES = 4


def skill(scores: xr.Dataset, metric: str, channels: Sequence[str] | None = None) -> Figure:
    """Draw a metric by lead time, a panel a channel and a line a system, with the confidence interval as a band.

    Args:
        scores: As `weatherml.evaluate` returns, `(bound, channel, lead_time)`, SI units; several joined along `system`.
        metric: A variable of `scores`; a system without it (all NaN) has no line.
        channels: Channels to draw, all when None.

    Raises:
        UserError: The scores have no such metric or channel.
    """
    values = _metric_of(scores, metric)
    names = [str(name) for name in (values["channel"].values if channels is None else channels)]
    for name in names:
        _require("channel", name, values["channel"].values)
    columns = 2 if len(names) == 4 else min(3, len(names))
    rows = -(-len(names) // columns)
    with style.new_figure(max(3.5 * columns, 5.0), 2.7 * rows + 0.9) as figure:
        figure.suptitle(look_of(metric).words, x=0.01, ha="left", weight="bold", size=12)
        axes = figure.subplots(rows, columns, squeeze=False, sharex=True)
        for ax, name in zip(axes.flat, names, strict=False):
            _draw_systems(ax, values.sel(channel=name), metric)
        for ax in axes.flat[len(names) :]:
            ax.set_axis_off()
        for ax in axes.flat[max(0, len(names) - columns) : len(names)]:
            ax.set_xlabel("Lead time (days)")
            ax.tick_params(labelbottom=True)
        drawn = {label: line for ax in axes.flat for line, label in zip(*ax.get_legend_handles_labels(), strict=True)}
        figure.legend(
            drawn.values(), drawn.keys(), loc="outside lower left", ncols=max(1, min(len(drawn), 2 * columns))
        )
    return figure


def verdict(judgement: xr.Dataset, channel: str) -> Figure:
    """Draw how far the forecast probabilities of an extreme can be trusted: reliability, Brier skill and ROC area.

    Args:
        judgement: As `weatherml.extremes.verdict` returns.
        channel: Which channel to draw.

    Raises:
        UserError: The judgement has no such channel.
    """
    _require("channel", channel, judgement["channel"].values)
    chosen = judgement.sel(channel=channel)
    with style.new_figure(10, 5.2) as figure:
        label = style.quantity_of(channel).label
        figure.suptitle(f"Exceedance of the threshold: {label}", x=0.01, ha="left", weight="bold", size=12)
        left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1, 1.15))[0]
        _draw_reliability(left, chosen)
        brier, roc = right.subplots(2, 1, sharex=True)
        _draw_by_lead(brier, chosen["brier_skill"], "Brier skill", 0.0, "climatology")
        _draw_by_lead(roc, chosen["roc_area"], "Area under the ROC curve", 0.5, "no discrimination")
        roc.set_xlabel("Lead time (days)")
    return figure


def _metric_of(scores: xr.Dataset, metric: str) -> xr.DataArray:
    _require("metric", metric, list(scores.data_vars))
    values = scores[metric]
    return values if "system" in values.dims else values.expand_dims(system=["forecast"])


def _require(kind: str, name: str, known: Iterable[object]) -> None:
    names = [str(k) for k in known]
    if name not in names:
        raise UserError(f"the scores have no {kind} {name!r}{nearest(name, names)}")


def _days(values: xr.DataArray) -> np.ndarray:
    return values["lead_time"].values / np.timedelta64(1, "D")


def _draw_systems(ax: Axes, values: xr.DataArray, metric: str) -> None:
    """Draw `[system, bound, lead_time]` in shown units, the models in colour and the baselines in grey."""
    quantity = style.quantity_of(str(values["channel"].item()))
    look = look_of(metric)
    names = [str(name) for name in values["system"].values]
    colours = dict(zip((n for n in names if n not in style.BASELINES), style.CYCLE * len(names), strict=False))
    for name in names:
        dash, colour = style.BASELINES.get(name, ("-", colours.get(name, style.QUIET)))
        _draw_line(ax, values.sel(system=name) * look.factor(quantity), name, dash, colour)
    if look.reference is not None:
        ax.axhline(look.reference, color=style.INK, linewidth=0.8, alpha=0.6)
    if not look.is_signed:
        ax.set_ylim(bottom=0)
    ax.set_title(quantity.label)
    ax.set_ylabel(look.units(quantity))
    _finish(ax)


def _draw_line(ax: Axes, values: xr.DataArray, label: str, dash: str, colour: str) -> None:
    estimate = values.sel(bound="estimate")
    if not np.isfinite(estimate).any():
        return
    days = _days(values)
    lower, upper = values.sel(bound="lower"), values.sel(bound="upper")
    if len(days) == 1:  # which is no line
        ax.vlines(days, lower, upper, color=colour, alpha=0.4)
        ax.plot(days, estimate, "o", color=colour, label=label)
        return
    ax.fill_between(days, lower, upper, color=colour, alpha=0.16, linewidth=0)
    ax.plot(
        days, estimate, dash, color=colour, label=label, zorder=2.1 if dash == ":" else 2
    )  # dots let others through


def _draw_by_lead(ax: Axes, values: xr.DataArray, title: str, reference: float, meaning: str) -> None:
    _draw_line(ax, values, title, "-", style.CYCLE[0])
    ax.axhline(reference, color=style.QUIET, linewidth=0.9, linestyle="--")
    style.write_title(ax, title, f"dashed: {meaning}")
    _finish(ax)


def _finish(ax: Axes) -> None:
    ax.set_xlim(left=0)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))


def _draw_reliability(figure: SubFigure, chosen: xr.Dataset) -> None:
    """Draw observed frequency against forecast probability, and below it how often each probability was forecast."""
    ax, sharpness = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    every = max(1, round(chosen.sizes["lead_time"] / _N_RELIABILITY_CURVES))
    curves = chosen.sel(bound="estimate").isel(lead_time=slice(every - 1, None, every))
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.85, curves.sizes["lead_time"]))
    _draw_reference(ax, chosen.attrs["base_rate"])
    for lead, colour in zip(curves["lead_time"].values, colours, strict=True):
        curve = curves.sel(lead_time=lead)
        seen = curve.isel(probability_bin=np.flatnonzero(curve["forecast_share"] > 0))
        probability = seen["forecast_probability"]
        ax.plot(probability, seen["observed_frequency"], "o-", ms=4, color=colour, label=style.write_lead(lead))
        sharpness.plot(probability, seen["forecast_share"], "o-", ms=3, lw=1.2, color=colour)
    ax.set(ylabel="Observed frequency", xlim=(0, 1), ylim=(0, 1))
    style.write_title(ax, "Reliability", "dashed: base rate · tinted: better than the base rate")
    figure.legend(
        *ax.get_legend_handles_labels(), title="Lead time", loc="outside lower left", ncols=4, alignment="left"
    )
    sharpness.set(xlabel="Forecast probability", ylabel="Share", yscale="log")
    sharpness.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")


def _draw_reference(ax: Axes, base_rate: float) -> None:
    """Draw perfect reliability, the base rate, and a tint where a probability adds to the Brier skill."""
    half_way = np.array([base_rate / 2, base_rate, (1 + base_rate) / 2])
    ax.fill_between([0, base_rate], 0, half_way[:2], color=style.CYCLE[2], alpha=0.08, linewidth=0)
    ax.fill_between([base_rate, 1], half_way[1:], 1, color=style.CYCLE[2], alpha=0.08, linewidth=0)
    ax.plot([0, 1], [0, 1], color=style.QUIET, linewidth=0.9)
    ax.axhline(base_rate, color=style.QUIET, linewidth=0.9, linestyle="--")
