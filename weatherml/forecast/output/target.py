"""Where a forecast goes: memory or a store, its members or their statistics, all of it or a share."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weatherml.forecast.occupied import attributes_of
from weatherml.forecast.output.members import MembersOutput, Output
from weatherml.forecast.output.memory import InMemory, Work
from weatherml.forecast.output.statistics import StatisticsOutput
from weatherml.forecast.plan.batches import Layout
from weatherml.forecast.statistics.accumulators import Counted
from weatherml.forecast.statistics.config import StatisticsConfig
from weatherml.forecast.workdir import WHOLE, Record, Share, Unfinished
from weatherml.locations import local_path
from weatherml.parallel import local_devices


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

    def is_finished(self, request: str) -> bool:
        """Return whether other shares have finished the forecast of a request, so that nothing is left for this one."""
        attributes = {} if self.path is None else attributes_of(self.path)
        return self.share.count > 1 and bool(attributes.get("complete")) and attributes.get("request") == request

    def work(self, request: str, statistics: StatisticsConfig | None, n_inits: int) -> Work[Any]:
        """Return where the forecast of a request is made, begun or not.

        Raises:
            UserError: Something is at `path`, or part of another forecast is beside it.
        """
        nothing = Record() if statistics is None else Counted.nothing(n_inits)
        return InMemory(nothing) if self.path is None else Unfinished(self.path, request, nothing, self.overwrite)

    def open(
        self, work: Work[Any], layout: Layout, attributes: Mapping[str, Any], statistics: StatisticsConfig | None
    ) -> Output:
        """Return what takes the members of a forecast.

        Raises:
            UserError: There is no room, or another process has this share.
        """
        try:
            if statistics is None:
                return MembersOutput(work, layout, attributes, self.share)
            return StatisticsOutput(work, layout, attributes, statistics, len(local_devices()), self.share)
        except BaseException:
            work.close()
            raise
