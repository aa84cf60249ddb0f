"""Pictures of a calibration: what shares of members meant where it was learnt, and what followed them later."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weatherml.errors import UserError
from weatherml.extremes.calibration import Calibration
from weatherml.plot import style
from weatherml.times import show_periods

_MOST_LEADS = 4
_LEARNT, _LATER = style.CYCLE[0], style.CYCLE[1]
_LARGEST = 320.0  # points squared, of a dot of all cases


def calibration(learnt: Calibration, verdict: xr.Dataset, channel: str | None = None) -> Figure:
    """Draw calibrated probabilities over the shares of members, and how often the event followed later.

    Where the dots lie by the line the calibration holds; where both leave the diagonal the raw shares do not.

    Args:
        learnt: What was learnt.
        verdict: Of `learnt.verdict(...)`, of another period.
        channel: Which channel; may be left out where there is one.

    Raises:
        UserError: There are several channels and none is named, or no such channel.
    """
    known = [str(name) for name in verdict["channel"].values]
    own = channel or known[0]
    if own not in known or (channel is None and len(known) > 1):
        raise UserError(f"the verdict is of {', '.join(known)}; pass one of them, channel={known[0]!r}")
    leads = _some(verdict["lead_time"].values)
    with style.new_figure(2.75 * len(leads) + 0.6, 3.75) as figure:
        words = style.quantity_of(own).label
        period = show_periods(learnt.held_out.period)
        figure.suptitle(f"Calibrated probability: {words}, learnt {period}", x=0.01, ha="left", weight="bold", size=12)
        panels = figure.subplots(1, len(leads), sharey=True, squeeze=False)[0]
        for ax, lead in zip(panels, leads, strict=True):
            at = {"channel": own, "lead_time": lead}
            _draw(ax, learnt.dataset.sel(at), verdict.sel(at))
            style.write_title(ax, f"{style.write_lead(lead)} ahead", _scores(verdict.sel(at)))
        panels[0].set_ylabel("Probability, frequency (%)")
        figure.supxlabel("Share of members above the threshold (%)", size=9.5)
        panels[0].legend(loc="upper left", fontsize=8)
    return figure


def _some(leads: np.ndarray) -> np.ndarray:
    """Return few of the leads, evenly, the first and the last among them."""
    chosen: np.ndarray = leads[
        np.unique(np.linspace(0, len(leads) - 1, min(_MOST_LEADS, len(leads))).round().astype(int))
    ]
    return chosen


def _draw(ax: Axes, curve: xr.Dataset, later: xr.Dataset) -> None:
    shares = 100 * curve["share"].values
    ax.plot([0, 100], [0, 100], color=style.QUIET, linewidth=0.9, linestyle=":", label="share itself")
    ax.fill_between(
        shares, 100 * curve["lower"], 100 * curve["upper"], color=_LEARNT, alpha=0.16, linewidth=0, label="Venn-Abers"
    )
    ax.plot(shares, 100 * curve["probability"], color=_LEARNT, label="learnt")
    sizes = _LARGEST * np.sqrt(later["share_of_cases"].values)
    seen = later["observed"].notnull().values
    ax.scatter(
        100 * later["share"].values[seen],
        100 * later["observed"].values[seen],
        s=sizes[seen],
        color=_LATER,
        alpha=0.75,
        edgecolors="white",
        linewidths=0.6,
        label="followed later",
        zorder=3,
    )
    ax.set_xlim(-6, 106)
    ax.set_ylim(-4, 104)
    ax.set_aspect("equal")


def _scores(later: xr.Dataset) -> str:
    raw, own = (later["brier"].sel(issued=kind).item() for kind in ("raw", "isotonic"))
    return f"Brier score {raw:.3f}, calibrated {own:.3f}"
