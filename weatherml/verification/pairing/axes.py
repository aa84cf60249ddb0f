"""What the axes of a forecast and its truth must be to be matched at all."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.errors import Option, UserError
from weatherml.errors.wording import listed
from weatherml.grid import LatLonGrid
from weatherml.verification.pairing.notes import sentences

_KINDS = {"init_time": "M", "lead_time": "m", "time": "M"}
_WANTED = {
    "M": "datetime64; read it with weatherml.read_forecast or open_files, which ask for what it does not say",
    "m": "timedelta64; read it with weatherml.read_forecast(..., lead_unit='h'), or multiply by np.timedelta64(1, 'h')",
}


def require_axes(forecast: xr.Dataset, truth: xr.Dataset) -> None:
    """Require axes of time that can be added up and are told once, and one member of the truth.

    Raises:
        UserError: They are not so.
    """
    for dim in ("init_time", "lead_time"):
        if dim not in forecast.dims:
            raise UserError(
                f"the forecast has no dimension {dim!r}, only {sorted(map(str, forecast.dims))}; "
                "add it with expand_dims"
            )
        _require_times("the forecast", forecast, dim)
    if "time" not in truth.dims:
        raise UserError(
            f"the truth has no dimension 'time', only {sorted(map(str, truth.dims))}; pass analyses, which have"
        )
    _require_times("the truth", truth, "time")
    if "number" in truth.dims:
        number = int(truth["number"].values[0]) if "number" in truth.coords else 0
        python = f"weatherml.align(forecast, truth, truth_member={number})"
        raise UserError(
            f"the truth has {truth.sizes['number']} members; a forecast is judged against one",
            Option("truth_member", number, "to take one of them, or mean", python),
        )


def told(forecast: xr.Dataset, truth: xr.Dataset, left_out: Mapping[str, Sequence[int]]) -> list[str]:
    """Return sentences on what forecast and truth are judged as, among them what is passed over of either.

    Args:
        forecast: As it is judged.
        truth: As it was given, with all rows and columns of the forecast or of another grid.
        left_out: Levels in hPa of each variable that are not judged, as the forecast has no values there.
    """
    said = sentences(forecast, truth)
    for name, levels in left_out.items():
        said.append(f"{name} of {listed([str(own) for own in levels])} hPa, NaN in the forecast, is left out")
    own, others = map(LatLonGrid.from_dataset, (forecast, truth))
    if own.shape == others.shape or own.places_in(others) is None:
        return said
    sizes = f"{others.n_lat} x {others.n_lon}"
    return [*said, f"of the truth's {sizes} points those at the {own.n_lat} x {own.n_lon} of the forecast are judged"]


def _require_times(owner: str, dataset: xr.Dataset, dim: str) -> None:
    kind = _KINDS[dim]
    values = dataset[dim].values
    if dim not in dataset.coords or values.dtype.kind != kind:
        found = f"are {values.dtype}" if dim in dataset.coords else "have no values"
        raise UserError(f"{dim} of {owner} {found}, not {_WANTED[kind]}")
    index = pd.Index(values)
    if not index.is_unique:
        again = values[index.duplicated()][0]
        written = pd.Timedelta(again) if kind == "m" else np.datetime_as_string(again, "m")
        raise UserError(
            f"{owner} has {dim} {written} {int((index == again).sum())} times",
            f"keep one, such as by drop_duplicates({dim!r})",
            *([Option("repeated", "first", "to keep the first of them")] if kind == "m" or dim == "init_time" else []),
        )
