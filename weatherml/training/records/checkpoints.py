"""The checkpoints that a training leaves: averaged weights after its last step, and at the best validation."""

from dataclasses import dataclass, replace
from pathlib import Path

from weatherml.checkpoint import Checkpoint
from weatherml.models.weights import Weights
from weatherml.parallel import Layout, is_first


@dataclass(frozen=True)
class Checkpoints:
    """Writes what is trained, with other weights.

    Attributes:
        start: With the weights at the start; those that are not trained stay.
    """

    start: Checkpoint

    def save(self, path: Path, average: Weights, layout: Layout, step: int, validation_loss: float | None) -> None:
        """Fetch averaged weights, of which the first process writes a checkpoint; each process calls it.

        Args:
            path: A folder.
            average: On the devices.
            layout: How they lie there.
            step: Completed optimiser steps.
            validation_loss: Of these weights, if it is known.
        """
        weights = layout.fetch(average)
        if is_first():
            provenance = replace(self.start.provenance, step=step, validation_loss=validation_loss)
            replace(self.start, weights={**self.start.weights, **weights}, provenance=provenance).save(path)
