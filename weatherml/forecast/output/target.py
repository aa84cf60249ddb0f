"""Where a forecast goes, as a caller says it."""

from dataclasses import dataclass
from pathlib import Path

from weatherml.forecast.workdir import WHOLE, Share
from weatherml.locations import local_path


@dataclass(frozen=True)
class OutputTarget:
    """What a caller says of the output.

    Attributes:
        path: A zarr store; memory when None.
        overwrite: Replace what is at `path`.
        share: What this process does of the forecast.

    Raises:
        UserError: The path is a URL.
    """

    path: Path | None = None
    overwrite: bool = False
    share: Share = WHOLE

    def __post_init__(self) -> None:
        if self.path is not None:
            local_path(self.path)
