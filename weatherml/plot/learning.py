"""How a training went."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from weatherml.errors import UserError
from weatherml.plot import style


def learning(entries: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the loss on training and validation samples by optimiser step.

    Args:
        entries: As a training's metrics have them: `step`, `loss`, and `validation_loss` where it was measured.

    Raises:
        UserError: There are no entries.
    """
    if not entries:
        raise UserError("a training without entries cannot be drawn; train first")
    with style.new_figure(6.5, 3.0) as figure:
        ax = figure.subplots()
        for key, label in (("loss", "training"), ("validation_loss", "validation, with averaged weights")):
            points = [(entry["step"], entry[key]) for entry in entries if entry.get(key) is not None]
            ax.plot(*zip(*points, strict=True), label=label)
        ax.set_yscale("log")
        ax.set_xlabel("Optimiser step")
        ax.set_ylabel("Loss")
        ax.legend()
    return figure
