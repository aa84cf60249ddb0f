"""Whatever lies at a path a user gives: a file, a store, a forecast or a checkpoint."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from weatherml.checkpoint import Checkpoint
from weatherml.data.check import check_dataset
from weatherml.data.climatology import Climatology
from weatherml.data.describe import describe
from weatherml.data.files import expand, open_files
from weatherml.data.finding import Finding
from weatherml.data.manifest import Manifest
from weatherml.data.store import verify
from weatherml.durations import format_duration, parse_duration
from weatherml.errors import UserError
from weatherml.forecast import ForecastConfig
from weatherml.forecast.occupied import attributes_of
from weatherml.products.store import open_forecast, without_stopped
from weatherml.state import Channel, spec_of
from weatherml.storage.files import PARTIAL, replacing
from weatherml.times import parse_time

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 160
_MOST_STORIES = 3


def describe_paths(paths: Sequence[str]) -> dict[str, Any]:
    """Describe what is there in JSON-able values.

    Raises:
        UserError: It is nothing that weatherml knows.
    """
    path = Path(paths[0])
    if len(paths) == 1 and is_checkpoint(path):
        return _describe_checkpoint(Checkpoint.load(path))
    if len(paths) == 1 and is_forecast(path):
        return _describe_forecast(open_forecast(path))
    return describe(open_files(paths))


def check_paths(paths: Sequence[str]) -> list[Finding]:
    """Check files as one dataset, and the checksums of stores among them.

    Raises:
        UserError: They cannot be opened, or are no analyses.
    """
    for path in map(Path, paths):
        if is_checkpoint(path) or is_forecast(path):
            raise UserError(f"{path} is a model or a forecast; check analyses, or see what it is with weatherml info")
    damaged = [
        Finding("error", str(path / file), "is missing or damaged; run the ingest that wrote it again")
        for path in expand(paths)
        if Manifest.exists(path)
        for file in verify(path)
    ]
    # Values are not worth a look where files are broken, which may not even open.
    return damaged or check_dataset(open_files(paths))


def require_new(path: Path, overwrite: bool) -> None:
    """Require that there is nothing at `path` yet, or that it may be replaced.

    Raises:
        UserError: There is.
    """
    if path.exists() and not overwrite:
        raise UserError(f"output {path} exists; choose another path, or pass --overwrite to replace it")


def require_begun(output: Path) -> None:
    """Require that a forecast was begun at `output`, finished or not.

    Raises:
        UserError: None was.
    """
    if not output.exists() and not unfinished_beside(output).exists():
        raise UserError(f"there is no forecast to resume at {output}; leave --resume out to begin one")


def require_same_forecast(output: Path, request: str) -> None:
    """Require that the finished forecast at `output` is that of a request.

    Raises:
        UserError: It is another.
    """
    if attributes_of(output).get("request") != request:
        raise UserError(
            f"output {output} exists and is not this very forecast, so it is not resumed; choose another path, or pass"
            " --overwrite to replace it"
        )


def is_checkpoint(path: Path) -> bool:
    """Return whether a folder is a model."""
    return (path / "checkpoint.json").exists()


def is_forecast(path: Path) -> bool:
    """Return whether a folder is a forecast store, finished or not."""
    return (path / "init_time").is_dir() or unfinished_beside(path).is_dir()


def unfinished_beside(path: Path) -> Path:
    """Return where a forecast is made that will be at `path`."""
    path = path.absolute()
    return path.parent / f".{path.name}{PARTIAL}"


def open_field(
    path: Path, channel: str, time: str | None, lead: str | None, drop_stopped: bool = False
) -> xr.DataArray:
    """Open one field of an analysis or a forecast.

    Args:
        path: Forecast store, analysis store or file.
        channel: Such as `z500`.
        time: Valid time of an analysis, initial time of a forecast; the first when None.
        lead: Lead time of a forecast such as `5d`; the last when None.
        drop_stopped: Leave out the members that guards have stopped.

    Returns:
        `[latitude, longitude]`, of a forecast `[number, latitude, longitude]`, in memory.

    Raises:
        UserError: There is no such time, lead or channel.
    """
    dataset = open_forecast(path) if is_forecast(path) else open_files(path)
    dataset = without_stopped(dataset) if drop_stopped else dataset
    wanted = Channel.parse(channel)
    spec_of(dataset, [channel])
    field = dataset[wanted.variable]
    field = field if wanted.level is None else field.sel(level=wanted.level)
    if "lead_time" in field.dims:
        field = _pick(field, "lead_time", None if lead is None else parse_duration(lead), -1)
    for dim in {"time", "init_time"} & set(field.dims):
        field = _pick(field, str(dim), None if time is None else parse_time(time), 0)
    return field.load()


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a picture, whole or not at all.

    Raises:
        UserError: The ending of `path` is no format of pictures, or the picture cannot be written.
    """
    known, wanted = figure.canvas.get_supported_filetypes(), path.suffix.removeprefix(".")
    if wanted not in known:
        raise UserError(f"{path}: pictures cannot end in {path.suffix!r}; choose one of {', '.join(known)}")
    with replacing(path) as unfinished:
        figure.savefig(unfinished, dpi=_DPI, format=wanted)


def normal_of(forecast: xr.Dataset, path: Path) -> xr.Dataset:
    """Return the climatology of a file at the valid times of a forecast."""
    return Climatology.load(path).at(np.unique(forecast["valid_time"].values))


def _describe_checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    provenance, grid = checkpoint.provenance, checkpoint.spec.grid
    return {
        "kind": "checkpoint",
        "model": checkpoint.model.model_dump(mode="json"),
        "prediction": _describe_prediction(checkpoint),
        "parameters": sum(int(np.size(array)) for array in checkpoint.weights.values()),
        "channels": list(checkpoint.spec.names),
        "grid": f"{grid.n_lat} x {grid.n_lon}",
        "step": format_duration(checkpoint.time_step),
        "trained on": " to ".join(checkpoint.normalizer.statistics.period),
        "data": provenance.data,
        "optimiser steps": provenance.step,
        "validation loss": provenance.validation_loss,
        "licence": provenance.licence or "none given",
        "packages": dict(provenance.packages),
    }


def _describe_prediction(checkpoint: Checkpoint) -> str:
    if checkpoint.prediction != "diagnostic":
        return checkpoint.prediction
    return f"diagnostic of {', '.join(map(str, checkpoint.outputs))}"


def _describe_forecast(forecast: xr.Dataset) -> dict[str, Any]:
    init, lead = forecast["init_time"].values, forecast["lead_time"].values
    config = ForecastConfig.model_validate_json(forecast.attrs["forecast_config"])
    chosen, failed = config.perturbation, list(forecast.attrs.get("failed", ()))
    return {
        "kind": "forecast",
        "init times": f"{len(init)}, {init[0]:.16} to {init[-1]:.16}",
        "lead times": f"{len(lead)}, {format_duration(lead[0])} to {format_duration(lead[-1])}",
        "members": forecast.sizes.get("number", f"statistics of {len(config.member_numbers())}"),
        "batch": forecast.attrs.get("batch", config.batch),
        "perturbation": "none" if chosen is None else chosen.model_dump(mode="json"),
        "channels": [str(name) for name in forecast.data_vars],
        "size": forecast.nbytes,
        "failed": len(failed),
        **({"first failed": failed[:_MOST_STORIES]} if failed else {}),
        "config": forecast.attrs["forecast_config"],
    }


def _pick(field: xr.DataArray, dim: str, value: Any, default: int) -> xr.DataArray:
    if value is None:
        return field.isel({dim: default})
    values = field[dim].values
    if value not in values:
        write = format_duration if dim == "lead_time" else partial(np.datetime_as_string, unit="m")
        raise UserError(
            f"there is no {dim} {write(value)}; the data have {len(values)} from {write(values[0])} to"
            f" {write(values[-1])}"
        )
    return field.sel({dim: value})
