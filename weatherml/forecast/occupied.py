"""What lies where a forecast is to be written, and whether it may give way."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weatherml.errors import UserError
from weatherml.products.store import RUN
from weatherml.storage.files import write_bytes


def require_free(path: Path, overwrite: bool) -> None:
    """Require that a forecast can be written to `path`: before anything is read, computed or made.

    Only forecasts, and empty folders, are ever replaced: a slip must not cost the analyses or a checkpoint.

    Raises:
        UserError: Something is there that may not be replaced, or the folder cannot be written.
    """
    if path.exists() and not overwrite:
        raise UserError(
            f"output {path} exists; choose another path, or pass overwrite (--overwrite) to replace it, or --resume if"
            " it is this very forecast"
        )
    if path.exists() and "forecast_config" not in attributes_of(path) and not _is_empty(path):
        raise UserError(f"output {path} exists and is no forecast, so it is not replaced; choose another path")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise UserError(f"output {path} cannot be written: {folder} is a file; choose another path")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"output {path} cannot be written: {folder} is not writable; choose another path")


def attributes_of(path: Path) -> dict[str, Any]:
    """Return the global attributes of a forecast store; none where there is no zarr v3 store."""
    try:
        attributes: dict[str, Any] = json.loads((path / "zarr.json").read_bytes())["attributes"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return attributes


def token_at(path: Path) -> str | None:
    """Return the token of the run that has made the forecast at a path; None where there is none."""
    token: str | None = attributes_of(path).get(RUN)
    return token


def mark_complete(path: Path, attributes: Mapping[str, Any], token: str) -> None:
    """Say that a forecast store has all its values, and which run has made it.

    Args:
        path: The store.
        attributes: Further global attributes.
        token: Of the run.

    Raises:
        UserError: It cannot be written.
    """
    file = path / "zarr.json"
    metadata = json.loads(file.read_bytes())
    metadata["attributes"] |= {**attributes, RUN: token, "complete": True}
    write_bytes(file, json.dumps(metadata, indent=2).encode())


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
