"""A checkpoint's directory as far as it can be read without jax: what the model is, and whether it is all there."""

import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.durations import format_duration
from weatherml.errors import UserError
from weatherml.storage.folders import locate, read_folder
from weatherml.times import show_periods

DESCRIPTION = "checkpoint.json"
FORMAT = 1


def is_checkpoint(path: Path) -> bool:
    """Return whether a folder is a model."""
    return (locate(path) / DESCRIPTION).exists()


def describe(path: Path) -> dict[str, Any]:
    """Return what a checkpoint is in JSON-able values.

    Raises:
        UserError: `path` is not a checkpoint, is incomplete, or was written by a later version.
    """
    return read_folder(path, _describe)


def _describe(path: Path) -> dict[str, Any]:
    description = read_description(path)
    statistics = Statistics.load(path / "statistics.nc")
    provenance, grid = description["provenance"], statistics.spec.grid
    return {
        "kind": "checkpoint",
        "model": description["model"],
        "prediction": _prediction(description),
        "parameters": _n_parameters(path / "weights.npz"),
        "channels": list(statistics.spec.names),
        "grid": f"{grid.n_lat} x {grid.n_lon}",
        "step": format_duration(statistics.time_step),
        "trained on": show_periods(statistics.period, " to "),
        "data": provenance["data"],
        "optimiser steps": provenance["step"],
        "validation loss": provenance["validation_loss"],
        "licence": provenance["licence"] or "none given",
        "packages": provenance["packages"],
    }


def read_description(path: Path) -> dict[str, Any]:
    """Return what `Checkpoint.save` said of a directory, having found its files there and whole.

    Raises:
        UserError: `path` is not a checkpoint, is incomplete, or was written by a later version.
    """
    try:
        description: dict[str, Any] = json.loads((path / DESCRIPTION).read_text())
        saved_format, files = description["format"], description["files"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"{path} is not a checkpoint: it has no whole {DESCRIPTION}; pass a directory that training wrote"
        ) from None
    if saved_format != FORMAT:
        raise UserError(
            f"checkpoint {path} has format {saved_format}, not {FORMAT}; install the weatherml that wrote it"
        )
    found = sizes(path)
    for name, size in files.items():
        if found.get(name) != size:
            raise UserError(
                f"checkpoint {path} is incomplete: {name} has {found.get(name, 0)} of {size} bytes; copy it again"
            )
    return description


def sizes(directory: Path) -> dict[str, int]:
    """Return the bytes of every file of a directory, by its path there."""
    return {str(f.relative_to(directory)): f.stat().st_size for f in sorted(directory.rglob("*")) if f.is_file()}


def _n_parameters(weights: Path) -> int:
    """Return how many numbers a file of weights holds; their headers say it."""
    total = 0
    with zipfile.ZipFile(weights) as archive:
        for name in archive.namelist():
            with archive.open(name) as array:
                np.lib.format.read_magic(array)
                shape, _, _ = np.lib.format.read_array_header_1_0(array)
                total += math.prod(shape)
    return total


def _prediction(description: dict[str, Any]) -> str:
    if description["prediction"] != "diagnostic":
        return str(description["prediction"])
    return f"diagnostic of {', '.join(description['outputs'])}"
