"""Fields by variable and level, and the state that they say they are of."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.state import Channel, StateSpec


def labelled_spec(file: xr.Dataset, path: str | Path) -> StateSpec:
    """Return the state that a file says it is of, to which the labels of its own axes agree.

    Raises:
        KeyError: It says nothing of a state, or an axis has no labels.
        UserError: It has been cut, turned or renamed since it was written.
    """
    spec = StateSpec.from_json(file.attrs["spec"])
    wanted: dict[str, Any] = {"latitude": spec.grid.latitude, "longitude": spec.grid.longitude}
    if "channel" in file.dims:
        wanted["channel"] = spec.names
    else:  # fields by variable and level
        wanted.update({"level": sorted(spec.levels)} if spec.levels else {})
        lost = [name for name in spec.variables if name not in file]
        if lost:
            raise KeyError(lost[0])
    other = next((name for name, labels in wanted.items() if not _agree(file[name].values, labels)), None)
    if other is not None:
        raise UserError(
            f"{path} has another {other} axis than its attribute 'spec' says: it was changed after it was written; pass"
            " the file as weatherml statistics wrote it"
        )
    return spec


def chosen(
    dataset: xr.Dataset, spec: StateSpec, variables: Mapping[str, Sequence[int]]
) -> tuple[xr.Dataset, StateSpec]:
    """Return some variables at some levels in hPa (none where one has one height), and the state that they are.

    Raises:
        UserError: There is no such channel.
    """
    wanted = [Channel(name, level) for name, levels in variables.items() for level in levels or (None,)]
    for channel in wanted:
        spec.index(channel)
    levels = sorted({channel.level for channel in wanted if channel.level is not None})
    kept = dataset[list(variables)]
    kept = kept.sel(level=levels) if levels and "level" in kept.dims else kept
    return kept, StateSpec(tuple(wanted), spec.grid)


def _agree(own: np.ndarray, labels: Any) -> bool:
    others = np.asarray(labels)
    if own.shape != others.shape:
        return False
    return bool((own == others).all() if others.dtype.kind == "U" else np.allclose(own, others, rtol=0, atol=1e-6))
