"""Of how large waves there are in forecasts and in what came."""

from collections.abc import Sequence

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from weatherml.errors import UserError
from weatherml.plot import style

_MOST = 6


def spectra(power: xr.Dataset, channels: Sequence[str] | None = None) -> Figure:
    """Draw the variance of a forecast and of the truth by the number of waves around the globe.

    A forecast whose small waves are weaker than the truth's is smoother than weather is.

    Args:
        power: `forecast` and `truth`, dims (channel, wavenumber), square SI units, as a training writes them.
        channels: Which to draw; the first six when None.

    Raises:
        UserError: A channel is not there.
    """
    known = list(map(str, power["channel"].values))
    chosen = list(known[:_MOST] if channels is None else channels)
    for name in chosen:
        if name not in known:
            raise UserError(f"there is no spectrum of {name!r}; known: {', '.join(known)}")
    n_columns = min(3, len(chosen))
    n_rows = -(-len(chosen) // n_columns)
    with style.new_figure(0.6 + 2.9 * n_columns, 0.7 + 2.2 * n_rows) as figure:
        axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
        for ax, name in zip(axes, chosen, strict=False):
            _draw(ax, power.sel(channel=name), name)
        for ax in axes[len(chosen) :]:
            ax.remove()
        figure.supxlabel("Waves around the globe", color=style.INK, size=9.5)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower left", ncols=2)
    return figure


def _draw(ax: Axes, power: xr.Dataset, name: str) -> None:
    quantity = style.quantity_of(name)
    for kind, dash, colour in (("truth", "-", style.INK), ("forecast", "--", style.CYCLE[1])):
        shown = power[kind].values[1:] * quantity.factor**2
        ax.plot(power["wavenumber"].values[1:], shown, dash, label=kind.capitalize(), color=colour)
    ax.set(xscale="log", yscale="log")
    ax.set_title(quantity.label, size=9.5)
    ax.set_ylabel(style.squared(quantity.difference_units))
    ax.yaxis.set_major_locator(LogLocator(numticks=5))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
