"""Best tracks: where storms were and how strong, as agencies say after the event."""

from collections.abc import Callable, Mapping
from pathlib import Path

import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.tracks.best_tracks import hurdat2, ibtracs
from weatherml.extremes.tracks.best_tracks.units import require_si

_FILES: Mapping[str, Callable[[Path], xr.Dataset]] = {
    ".txt": hurdat2.read,
    **dict.fromkeys((".csv", ".nc", ".parquet"), ibtracs.read),
}


def read(path: str | Path) -> xr.Dataset:
    """Read best tracks by the ending of their name: `.txt` as HURDAT2, `.csv`, `.nc` and `.parquet` as IBTrACS.

    Returns:
        As `hurdat2.read` and `ibtracs.read` (of the responsible agencies).

    Raises:
        UserError: The ending is none of these; or as the two.
    """
    ending = Path(path).suffix
    if ending not in _FILES:
        raise UserError(f"{path} ends in none of {', '.join(_FILES)}; read it with hurdat2.read or ibtracs.read")
    return _FILES[ending](Path(path))


__all__ = ["hurdat2", "ibtracs", "read", "require_si"]
