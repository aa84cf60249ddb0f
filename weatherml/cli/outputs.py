"""What must hold of the path that a verb writes to, before anything is read or computed."""

from pathlib import Path

from weatherml.errors import UserError
from weatherml.products.store import unfinished_beside


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
    from weatherml.products.store import attributes_of

    if attributes_of(output).get("request") != request:
        raise UserError(
            f"output {output} exists and is not this very forecast, so it is not resumed; choose another path, or pass"
            " --overwrite to replace it"
        )
