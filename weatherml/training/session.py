"""A training in progress: optimiser steps, and the records that are kept of them."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from weatherml.checkpoint import Checkpoint
from weatherml.data.loading.samples import Batch, Samples
from weatherml.errors import UserError
from weatherml.parallel import is_first, n_processes
from weatherml.training.batches import Batches
from weatherml.training.config import TrainingConfig
from weatherml.training.curriculum.learning_rate import learning_rate_schedule
from weatherml.training.curriculum.stages import stage_index
from weatherml.training.records.checkpoints import Checkpoints
from weatherml.training.records.device import Operations
from weatherml.training.records.metrics import MetricsLog, NoLog
from weatherml.training.records.outcomes import Outcomes
from weatherml.training.recovery.non_finite import NonFinite, NotFiniteError, Offence
from weatherml.training.recovery.snapshots import Cursor, Snapshots
from weatherml.training.run import Run
from weatherml.training.trained import Trained
from weatherml.training.validation.validation import Validation


class Session:
    """A training from where its latest snapshot left it.

    Attributes:
        step: Completed optimiser steps.
    """

    def __init__(
        self,
        config: TrainingConfig,
        start: Checkpoint,
        samples: tuple[Samples, Samples],
        run: Run,
        snapshots: Snapshots,
        log: MetricsLog | NoLog,
        model: Checkpoint | None = None,
    ) -> None:
        self._config, self._run, self._snapshots, self._log = config, run, snapshots, log
        config.device_memory.require_host()
        self._trained = Trained(config, start, model)
        self._validation = Validation(config, samples[1], start.normalizer)
        self._batches = Batches(config, samples[0], self._trained.layouts, self._validation.batch_bytes)
        self._learning_rate = learning_rate_schedule(config.stages, config.optimizer.warm_up)
        self._checkpoints, self._operations, self._compiled = Checkpoints(start), Operations(), set[int | str]()
        policy = NonFinite(config.non_finite, config.most_non_finite, run.snapshots, self._batches.times_of)
        self._outcomes, self._cursor, self.step = Outcomes(policy), Cursor(), self._last_saved
        if self.step:
            self._cursor = self._trained.restore(self._stage, snapshots)
        else:
            self._trained.begin()
        self._batches.go_to(self.step, self._cursor)
        if config.non_finite == "rollback" and snapshots.latest_step() is None:
            self.save_snapshot()  # the first that there is to go back to

    @property
    def news(self) -> str:
        """Where the training is, in a few words."""
        stages, best = self._config.stages, self._cursor.best_loss
        validation = "" if best is None else f", best validation loss {best:.4g}"
        told = f"stage {self._stage_of(max(1, self.step))} of {len(stages)}{validation}"
        return ", ".join(filter(None, (told, self._outcomes.pace)))

    @property
    def compiles(self) -> bool:
        """Whether the next step, or the records kept after it, may be the first of their kind in this process."""
        is_due = self._is_validated_after(self.step + 1) and "validation" not in self._compiled
        return is_due or self._is_first_of_its_kind

    @property
    def _is_first_of_its_kind(self) -> bool:
        return self._stage not in self._compiled or self._trained.moves_for(self._stage)

    @property
    def _stage(self) -> int:
        """Position of the stage of the next step."""
        return stage_index(self._config.stages, self.step)

    def _stage_of(self, step: int) -> int:
        """Return the number of the stage of a step, both counted from 1."""
        return stage_index(self._config.stages, step - 1) + 1

    @property
    def _last_saved(self) -> int:
        return self._snapshots.latest_step() or 0

    def advance(self) -> None:
        """Take one optimiser step; the device may still be at work on it when this returns.

        Raises:
            UserError: Data cannot be read; a snapshot of the steps before has been saved.
        """
        with ExitStack() as uncounted:
            if self._is_first_of_its_kind:
                uncounted.enter_context(self._batches.uncounted())
                uncounted.enter_context(self._outcomes.uncounted())
            self._advance()

    def _advance(self) -> None:
        self._enter_stage()
        batch = self._next_batch()
        outcome = self._trained.update(batch)
        self._outcomes.add(outcome, self._batches.last, self._batches.size, self._operations_in(batch))
        self._compiled.add(self._batches.stage)
        self.step += 1

    def _enter_stage(self) -> None:
        """Lay the state anew where the next step is of another mesh: not before, for records of the last were due."""
        if self._trained.moves_for(self._stage):
            self._compiled.clear()
            self._trained.go_on_to(self._stage)

    def _operations_in(self, batch: Batch) -> float | None:
        """Return the operations of a step on one device; the program is there, for a step has just been taken."""
        update, state = self._trained.laid.update, self._trained.state
        return self._operations.in_step(self._batches.stage, lambda: update.lower(state, batch).compile())

    def wait(self) -> None:
        """Wait until the device has done what it was given."""
        self._trained.wait()

    def close(self) -> None:
        """End the threads that make batches."""
        self._batches.close()

    def keep_records(self) -> None:
        """Write what is due after this step: a metrics entry, a validation, checkpoints, a snapshot.

        Where a step was not finite, training may be back at an earlier one afterwards.

        Raises:
            UserError: The loss is no longer finite, or the disk is full.
        """
        try:
            self._keep_records()
        except NotFiniteError as error:
            self._roll_back(error.offence)

    def _keep_records(self) -> None:
        config, is_last = self._config, self.step == self._config.n_steps
        self._snapshots.require_no_failure()
        is_validation = self._is_validated_after(self.step)
        if is_validation or self.step % config.log_every == 0:
            validation_loss = self._record(is_validation)
            if is_last:
                self._save_checkpoint(self._run.last_checkpoint, validation_loss)
        # Last of all, so that whatever a crash undoes is written again.
        if is_last or self.step % config.snapshot_every == 0:
            self._save_snapshot()

    def _is_validated_after(self, step: int) -> bool:
        return step == self._config.n_steps or step % self._config.validate_every == 0

    def save_snapshot(self) -> None:
        """Write all that is needed to go on from here, or from an earlier step where one was not finite since.

        Raises:
            UserError: The loss is no longer finite, or the disk is full.
        """
        try:
            self._save_snapshot()
        except NotFiniteError as error:
            self._roll_back(error.offence)

    def _save_snapshot(self) -> None:
        self._outcomes.collect(self.step, self._cursor, self._last_saved)
        self._cursor.loader, self._cursor.n_rollbacks = self._batches.position_after(self.step), 0
        self._log.flush()  # entries up to here are not written again
        self._snapshots.save(self.step, self._trained.state, self._cursor)

    def _roll_back(self, offence: Offence) -> None:
        """Go back to the latest snapshot, and on from there with the batches after the offending one."""
        before, self.step = self._cursor, self._last_saved
        if self._trained.moves_for(self._stage):
            self._compiled.clear()
        self._cursor = self._trained.restore(self._stage, self._snapshots)
        self._outcomes.go_back(offence, before, self._cursor, self.step)
        self._log.go_back(self.step)
        self._batches.go_to(self.step, self._cursor)

    def _next_batch(self) -> Batch:
        try:
            return self._batches.take(self.step, self._cursor)
        except UserError as error:
            if not self.step or n_processes() > 1:  # of several, the others do not know, and save nothing
                raise
            if self.step != self._snapshots.latest_step():
                self.save_snapshot()
            raise error.within(f"training stopped after step {self.step}, from which it goes on: ") from None

    def _record(self, is_validation: bool) -> float | None:
        """Write a metrics entry about the steps since the one before; return its validation loss, if there is one."""
        self._outcomes.collect(self.step, self._cursor, self._last_saved)
        entry = {
            "step": self.step,
            "stage": self._stage_of(self.step),
            **self._outcomes.entry(self._cursor, self._batches.spell()),
            "learning_rate": float(self._learning_rate(self.step - 1)),
        }
        validation_loss = self._validate_average() if is_validation else None
        by_channel = {"validation_loss_by_channel": self._validation.losses} if is_validation else {}
        self._log.append(entry | {"validation_loss": validation_loss} | by_channel)
        self._outcomes.follow(self._cursor)
        return validation_loss

    def _validate_average(self) -> float:
        """Return the loss of the averaged weights, kept as the best checkpoint if no lower loss came before."""
        mean = self._validation.evaluate(self._trained.laid, self._trained.state.average)
        self._compiled.add("validation")
        self._require_finite(mean)
        if self._cursor.best_loss is None or mean < self._cursor.best_loss:
            self._cursor.best_loss = mean
            self._save_checkpoint(self._run.best_checkpoint, mean)
            if is_first():
                self._validation.write_seen(self._run.directory, self.step)
        return mean

    def _save_checkpoint(self, path: Path, validation_loss: float | None) -> None:
        average, layout = self._trained.state.average, self._trained.laid.layout
        self._checkpoints.save(path, average, layout, self.step, validation_loss)

    def _require_finite(self, validation_loss: float) -> None:
        if not np.isfinite(validation_loss):
            raise UserError(
                f"validation loss is {validation_loss} at step {self.step}; the last good snapshot in"
                f" {self._run.snapshots} is of step {self._last_saved}: lower the learning_rate or clip_norm in a new"
                " folder"
            )
