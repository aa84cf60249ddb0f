"""The road as a table: what each phase needs, what it reads of the configuration, and what it leaves."""

from dataclasses import dataclass
from typing import Any

from weatherml.training.run import MAY_CHANGE


@dataclass(frozen=True)
class Phase:
    """A part of the road.

    Attributes:
        needs: The phases whose results it reads.
        reads: The keys of the configuration it reads.
        output: What it leaves in the folder.
        waits_for: Phases that must have ended well before, though it reads nothing of theirs: what they are told
            does not concern it.
    """

    needs: tuple[str, ...]
    reads: tuple[str, ...]
    output: str
    waits_for: tuple[str, ...] = ()


PHASES: dict[str, Phase] = {
    "ingest": Phase((), ("source",), "data.zarr"),
    "look": Phase(("ingest",), (), "first_look.png"),
    "check": Phase(("ingest",), ("check",), "findings.txt"),
    "statistics": Phase(
        ("ingest",), ("channels", "periods", "climatology", "time_step", "reference"), "statistics.nc", ("check",)
    ),
    "train": Phase(
        ("statistics",),
        ("forcings", "model", "prediction", "stepper", "start", "training", "seed"),
        "training/checkpoints/last",
    ),
    "forecast": Phase(("train",), ("forecast", "init_every"), "forecast.zarr"),
    "evaluate": Phase(("forecast",), ("baselines",), "scores.nc"),
    "extremes": Phase(("forecast",), ("extremes",), "verdict.nc"),
    "report": Phase(("look", "check", "evaluate", "extremes"), ("title",), "report.html"),
}
"""The road, in order."""

OF_THE_MACHINE: dict[str, dict[str, Any]] = {"training": MAY_CHANGE}
"""Settings that no result depends on."""
