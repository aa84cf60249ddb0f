"""Where a forecast goes, as a caller says it."""

from dataclasses import dataclass
from pathlib import Path

from weatherml.storage.share import WHOLE, Share


@dataclass(frozen=True)
class OutputTarget:
    """What a caller says of the output.

    Attributes:
        path: A zarr store; memory when None.
        overwrite: Replace what is at `path`.
        share: What this process does of the forecast.
    """

    path: Path | None = None
    overwrite: bool = False
    share: Share = WHOLE
