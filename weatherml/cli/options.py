"""Options that verbs share, and how a path is read: a URL is refused by name wherever it cannot work."""

from pathlib import Path
from typing import Annotated, Any

import typer

from weatherml.errors import UserError
from weatherml.locations import local_path


def _local(place: str) -> Path:
    try:
        return local_path(place)
    except UserError as error:
        raise typer.BadParameter(str(error)) from None


LOCAL: dict[str, Any] = {"parser": _local, "metavar": "PATH"}
"""For paths on this machine. What may be a URL of a zarr store is a `str`, and whoever opens it tells them apart."""

DropStopped = Annotated[bool, typer.Option("--drop-stopped", help="Leave out the members that guards have stopped.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
