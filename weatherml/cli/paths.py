"""Whatever lies at a path a user gives: a file, a store, a forecast or a checkpoint."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from weatherml.checkpoint_folder import describe as describe_checkpoint
from weatherml.checkpoint_folder import is_checkpoint
from weatherml.data.check import check_dataset
from weatherml.data.describe import describe
from weatherml.data.files import expand, open_files
from weatherml.data.finding import Finding
from weatherml.data.manifest import Manifest
from weatherml.data.store import verify
from weatherml.durations import format_duration
from weatherml.errors import UserError
from weatherml.products import open_forecast
from weatherml.storage.files import PARTIAL

_MOST_STORIES = 3


def describe_paths(paths: Sequence[str]) -> dict[str, Any]:
    """Describe what is there in JSON-able values.

    Raises:
        UserError: It is nothing that weatherml knows.
    """
    path = Path(paths[0])
    if len(paths) == 1 and is_checkpoint(path):
        return describe_checkpoint(path)
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


def is_forecast(path: Path) -> bool:
    """Return whether a folder is a forecast store, finished or not."""
    return (path / "init_time").is_dir() or unfinished_beside(path).is_dir()


def unfinished_beside(path: Path) -> Path:
    """Return where a forecast is made that will be at `path`."""
    path = path.absolute()
    return path.parent / f".{path.name}{PARTIAL}"


def _describe_forecast(forecast: xr.Dataset) -> dict[str, Any]:
    init, lead = forecast["init_time"].values, forecast["lead_time"].values
    config: dict[str, Any] = json.loads(forecast.attrs["forecast_config"])
    failed = list(forecast.attrs.get("failed", ()))
    return {
        "kind": "forecast",
        "init times": f"{len(init)}, {init[0]:.16} to {init[-1]:.16}",
        "lead times": f"{len(lead)}, {format_duration(lead[0])} to {format_duration(lead[-1])}",
        "members": forecast.sizes.get("number", f"statistics of {_n_members(config)}"),
        "batch": forecast.attrs.get("batch", config["batch"]),
        "perturbation": config["perturbation"] or "none",
        "channels": [str(name) for name in forecast.data_vars],
        "size": forecast.nbytes,
        "failed": len(failed),
        **({"first failed": failed[:_MOST_STORIES]} if failed else {}),
        "config": forecast.attrs["forecast_config"],
    }


def _n_members(config: Mapping[str, Any]) -> int:
    numbers = config["numbers"]
    return config["members"] if numbers is None else len(set(numbers))
