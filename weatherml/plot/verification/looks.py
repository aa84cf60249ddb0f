"""Colours and dashes of systems: models in colour, baselines in grey."""

from collections.abc import Sequence

import numpy as np

from weatherml.plot import style

_DASHES = {":": "2 3", "--": "6 4", "-": ""}
_ENSEMBLES = {"climatological ensemble": ("--", style.QUIET), "persistence ensemble": (":", style.QUIET)}


def looks_of(systems: Sequence[object] | np.ndarray) -> dict[str, tuple[str, str]]:
    """Return colour (CSS) and dash (SVG) of each system."""
    baselines = style.BASELINES | _ENSEMBLES
    names = [str(name) for name in systems]
    models = [name for name in names if name.replace("_", " ") not in baselines]
    looks = {name: (style.CYCLE[place % len(style.CYCLE)], "") for place, name in enumerate(models)}
    for name in (name for name in names if name not in looks):
        dash, colour = baselines[name.replace("_", " ")]
        looks[name] = (colour, _DASHES[dash])
    return looks
