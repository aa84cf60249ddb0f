"""The state of a training, wherever the mesh of the stage that is trained wants it."""

import jax

from weatherml.checkpoint import Checkpoint
from weatherml.data.loading.samples import Batch
from weatherml.training.config import TrainingConfig
from weatherml.training.laid import Laid
from weatherml.training.recovery.snapshots import Cursor, Snapshots
from weatherml.training.update.step import Outcome, TrainingState


class Trained:
    """Weights, average and optimiser, which lie on the mesh of one stage, with the programs of that.

    Args:
        config: Of the training.
        start: What is trained.
        model: Of whose forecasts a diagnostic is trained.

    Attributes:
        layouts: Of all stages.

    Raises:
        UserError: A stage cannot be laid on the devices.
    """

    def __init__(self, config: TrainingConfig, start: Checkpoint, model: Checkpoint | None) -> None:
        self._config, self._start, self._model = config, start, model
        self.layouts = config.lay_out(start.model, start.spec.grid.shape)
        for layout, share in zip(self.layouts, config.shares, strict=True):
            share.require_split(layout, start.weights)
        self._laid: Laid | None = None
        self._state: TrainingState | None = None

    @property
    def laid(self) -> Laid:
        """Programs, and where their arrays lie."""
        assert self._laid is not None, "nothing is laid before begin or restore"
        return self._laid

    @property
    def state(self) -> TrainingState:
        """As it lies between steps."""
        assert self._state is not None, "there is no state before begin or restore"
        return self._state

    def begin(self) -> None:
        """Begin with the first stage."""
        self._lay(0)
        self._state = self.laid.begin(self._start)

    def restore(self, stage: int, snapshots: Snapshots) -> Cursor:
        """Read the latest snapshot, on whatever mesh it was written, to go on in a stage; return what came with it."""
        if self._laid is None or self.moves_for(stage):
            self._lay(stage)
        self._state, cursor = snapshots.restore(self.laid.outline)
        return cursor

    def moves_for(self, stage: int) -> bool:
        """Return whether a stage wants another mesh."""
        return self.layouts[stage] is not self.laid.layout

    def go_on_to(self, stage: int) -> None:
        """Lay everything anew, where a stage wants another mesh."""
        if self.moves_for(stage):
            self._lay(stage)
            self._state = self.laid.take_over(self.state)

    def update(self, batch: Batch) -> Outcome:
        """Take one optimiser step; the device may still be at work on it when this returns."""
        self._state, outcome = self.laid.update(self.state, batch)
        return outcome

    def wait(self) -> None:
        """Wait until the device has done what it was given."""
        jax.block_until_ready(self._state)  # type: ignore[no-untyped-call]

    def _lay(self, stage: int) -> None:
        """Bring what a stage needs beside the state to its mesh; what lay there for another goes first."""
        self._laid = None
        self._laid = Laid.of(self._config, self._start, self._model, self.layouts[stage])
