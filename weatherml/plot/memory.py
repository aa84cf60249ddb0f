"""What lies in the memory of a device."""

from collections.abc import Mapping

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from weatherml.errors import UserError
from weatherml.plot import style

_GIB, _MIB = 2**30, 2**20
_TINT = 0.45  # what is left of a colour in its tint


def memory(plans: Mapping[str, Mapping[str, int]], room: int | None = None) -> Figure:
    """Draw the memory of a device by part, a bar for each of several plans.

    Args:
        plans: Bytes by part, by what the plan is called, such as `8 devices`.
        room: Bytes that programs may take, drawn as a line where it is near; not drawn when None.

    Raises:
        UserError: There is no plan.
    """
    if not plans:
        raise UserError("there is no plan to be drawn; pass the memory of one or more")
    parts = list(dict.fromkeys(part for own in plans.values() for part in own))
    largest = max(sum(own.values()) for own in plans.values())
    unit, size = ("GiB", _GIB) if largest >= _GIB else ("MiB", _MIB)
    with style.new_figure(7.5, 3.6) as figure:
        ax = figure.subplots()
        below = np.zeros(len(plans))
        for number, part in enumerate(parts):
            heights = np.array([own.get(part, 0) for own in plans.values()]) / size
            ax.bar(list(plans), heights, 0.6, below, color=_shade(number), edgecolor="white", label=part)
            below += heights
        if room is not None and room < 2 * largest:
            ax.axhline(room / size, color=style.INK, linestyle="--", linewidth=1, label="room")
        ax.set(ylabel=f"Memory of a device, {unit}")
        ax.grid(axis="x", visible=False)
        figure.legend(loc="outside right upper")
    return figure


def _shade(number: int) -> tuple[float, float, float]:
    """Return a colour of a part's own: those of the style, and then tints of them."""
    turn, place = divmod(number, len(style.CYCLE))
    colour = np.array(to_rgb(style.CYCLE[place]))
    red, green, blue = 1 - (1 - colour) * _TINT**turn
    return float(red), float(green), float(blue)
