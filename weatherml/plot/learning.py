"""How a training went."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from weatherml.errors import UserError
from weatherml.plot import style

_NARROW, _WIDE = 5.0, 1000.0
"""Largest over smallest loss: below the one numbers are evenly spaced, above the other each is ten times the next."""


def learning(entries: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the loss on training and validation samples by optimiser step.

    Args:
        entries: As a training's metrics have them: `step`, `loss`, and `validation_loss` where it was measured.

    Raises:
        UserError: There are no entries.
    """
    if not entries:
        raise UserError("a training without entries cannot be drawn; train first")
    with style.new_figure(7.5, 3.4) as figure:
        ax = figure.subplots()
        for key, label in (("loss", "training"), ("validation_loss", "validation, with averaged weights")):
            points = [(entry["step"], entry[key]) for entry in entries if entry.get(key) is not None]
            if points:
                ax.plot(*zip(*points, strict=True), "o-" if len(points) == 1 else "-", ms=4, label=label)
        ax.set(yscale="log", xlabel="Optimiser step", ylabel="Loss")
        ax.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10], integer=True))
        _write_losses(ax)
        _mark_stages(ax, entries)
        figure.legend(loc="outside lower left", ncols=2)
    return figure


def _write_losses(ax: Axes) -> None:
    """Write losses along a logarithmic axis as plain numbers, three or more whatever range it has."""
    low, high = ax.get_ylim()
    if high < _NARROW * low:
        ticks = np.asarray(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high))
    else:
        digits = (1, 2, 5) if high < _WIDE * low else (1,)
        decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
        ticks = np.outer(decades, digits).ravel()
    shown = [tick for tick in ticks if low <= tick <= high]
    ax.set_yticks(shown, [f"{tick:g}" for tick in shown])
    ax.yaxis.set_minor_locator(NullLocator())


def _mark_stages(ax: Axes, entries: Sequence[Mapping[str, Any]]) -> None:
    """Mark where another stage of a curriculum begins, whose losses are of other numbers of steps."""
    for before, entry in pairwise(entries):
        if entry.get("stage") != before.get("stage"):
            ax.axvline(before["step"], color=style.QUIET, linewidth=0.9, linestyle="--")
            ax.annotate(
                f"stage {entry['stage']}", (before["step"], 1), (0, 3), ("data", "axes fraction"), "offset points",
                ha="center", color=style.QUIET, size=style.NOTE[0],
            )  # fmt: skip
