"""The road as a table: what each phase needs, what it reads of the configuration, and what it leaves."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """A part of the road.

    Attributes:
        needs: The phases whose results it reads.
        reads: The keys of the configuration it reads.
        output: What it leaves in the folder.
    """

    needs: tuple[str, ...]
    reads: tuple[str, ...]
    output: str


PHASES: dict[str, Phase] = {
    "ingest": Phase((), ("source",), "data.zarr"),
    "look": Phase(("ingest",), (), "first_look.png"),
    "check": Phase(("ingest",), ("check",), "findings.txt"),
    "statistics": Phase(("check",), ("channels", "periods", "climatology", "time_step", "reference"), "statistics.nc"),
    "train": Phase(
        ("statistics",), ("forcings", "model", "prediction", "training", "seed"), "training/checkpoints/last"
    ),
    "forecast": Phase(("train",), ("forecast", "init_every"), "forecast.zarr"),
    "evaluate": Phase(("forecast",), (), "scores.nc"),
    "extremes": Phase(("forecast",), ("extremes",), "verdict.nc"),
    "report": Phase(("look", "evaluate", "extremes"), ("title",), "report.html"),
}
"""The road, in order."""
