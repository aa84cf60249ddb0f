"""A training in progress: optimiser steps, and the records that are kept of them."""

from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
from flax import nnx

from weatherml.checkpoint import Checkpoint
from weatherml.data.loading.samples import Batch, Samples
from weatherml.errors import UserError
from weatherml.models.weights import weights_of
from weatherml.parallel import is_first, local_devices, n_processes
from weatherml.training.batches import Batches
from weatherml.training.config import TrainingConfig
from weatherml.training.objective.objective import AnyLoss, build_objective
from weatherml.training.records.device import Operations
from weatherml.training.records.glimpse import Viewer, build_look
from weatherml.training.records.metrics import MetricsLog, NoLog
from weatherml.training.records.window import Window
from weatherml.training.recovery.non_finite import Drawn, NonFinite, NotFiniteError, Offence
from weatherml.training.recovery.snapshots import Cursor, Snapshots
from weatherml.training.run import Run
from weatherml.training.update.curriculum import learning_rate_schedule, stage_index
from weatherml.training.update.step import Draws, build_update, initial_state, offloaded
from weatherml.training.update.told import shared
from weatherml.training.update.trainable import freeze_others
from weatherml.training.update.validation import build_validate
from weatherml.training.validation import Validation


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
        self._config, self._start, self._run, self._snapshots, self._log = config, start, run, snapshots, log
        self._layout = config.lay_out(start.model, start.spec.grid.shape)
        step, loss, draws = self._objective(model)
        memory = config.device_memory
        memory.require_host()
        optimizer = config.optimizer.build(config.stages, memory.moments)
        self._update = build_update(step, loss, optimizer, config.average_decay, self._layout, draws, memory)
        judged = step, loss, self._layout, draws, memory.accumulate
        viewer = Viewer(start.normalizer, build_look(*judged))
        self._validation = Validation(config, samples[1], self._layout, build_validate(*judged), viewer)
        self._batches = Batches(config, samples[0], self._layout, self._validation.batch_bytes)
        self._learning_rate = learning_rate_schedule(config.stages, config.optimizer.warm_up)
        state = self._layout.placed(initial_state(self._layout.placed(weights_of(step)), optimizer))
        self._state = offloaded(state, memory.offload)
        self._cursor, self.step = Cursor(), snapshots.latest_step() or 0
        if self.step:
            self._state, self._cursor = snapshots.restore(self._state)
        self._batches.go_to(self.step, self._cursor)
        times_of = self._batches.times_of
        self._non_finite = NonFinite(config.non_finite, config.most_non_finite, run.snapshots, times_of)
        self._drawn: list[Drawn] = []
        self._compiled: set[int | str] = set()
        self._window, self._operations, self._pace, self._speed = Window(), Operations(), "", ""
        if config.non_finite == "rollback" and snapshots.latest_step() is None:
            self.save_snapshot()  # the first that there is to go back to

    def _objective(self, model: Checkpoint | None) -> tuple[nnx.Module, AnyLoss, Draws]:
        """Return what is trained, its loss and what is random, with all that no step changes on the devices."""
        step, loss = build_objective(self._config.loss, self._start, model)
        self._layout.require_split(weights_of(step))
        freeze_others(step, self._config.trainable)
        step, loss, maps = shared(step, loss, self._start.build_noise(), self._layout)
        return step, loss, Draws(self._config.seed, maps)

    @property
    def news(self) -> str:
        """Where the training is, in a few words."""
        stages, best = self._config.stages, self._cursor.best_loss
        stage = stage_index(stages, max(0, self.step - 1)) + 1
        validation = "" if best is None else f", best validation loss {best:.4g}"
        return ", ".join(filter(None, (f"stage {stage} of {len(stages)}{validation}", self._pace, self._speed)))

    @property
    def compiles(self) -> bool:
        """Whether the next step, or the records kept after it, may be the first of their kind in this process."""
        is_due = self._is_validated_after(self.step + 1) and "validation" not in self._compiled
        return is_due or stage_index(self._config.stages, self.step) not in self._compiled

    def advance(self) -> None:
        """Take one optimiser step; the device may still be at work on it when this returns.

        Raises:
            UserError: Data cannot be read; a snapshot of the steps before has been saved.
        """
        if stage_index(self._config.stages, self.step) in self._compiled:
            self._advance()
        else:
            with self._batches.uncounted(), self._window.uncounted():
                self._advance()

    def _advance(self) -> None:
        batch = self._next_batch()
        self._state, outcome = self._update(self._state, batch)
        self._window.add(outcome, self._batches.size, self._operations_in(batch))
        self._drawn.append(self._batches.last)
        self._compiled.add(self._batches.stage)
        self.step += 1

    def _operations_in(self, batch: Batch) -> float | None:
        """Return the operations of a step on one device; the program is there, for a step has just been taken."""
        return self._operations.in_step(self._batches.stage, lambda: self._update.lower(self._state, batch).compile())

    def wait(self) -> None:
        """Wait until the device has done what it was given."""
        jax.block_until_ready(self._state)  # type: ignore[no-untyped-call]

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
        self._collect()
        self._cursor.loader, self._cursor.n_rollbacks = self._batches.position_after(self.step), 0
        self._log.flush()  # entries up to here are not written again
        self._snapshots.save(self.step, self._state, self._cursor)

    def _roll_back(self, offence: Offence) -> None:
        """Go back to the latest snapshot, and on from there with the batches after the offending one."""
        before = self._cursor
        self._state, self._cursor = self._snapshots.restore(self._state)
        self._non_finite.roll_back(offence, before, self._snapshots, self._cursor)
        self.step = self._snapshots.latest_step() or 0
        self._log.go_back(self.step)
        self._batches.go_to(self.step, self._cursor)
        self._window, self._drawn = Window(), []

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
        self._collect()
        cursor, stage = self._cursor, stage_index(self._config.stages, self.step - 1) + 1
        speed = self._batches.spell().speed
        self._speed = speed.words if self._window.n_steps else ""
        loss = _mean(cursor.losses)
        entry = {
            "step": self.step,
            "stage": stage,
            "loss": loss,
            "gradient_norm": _mean(cursor.gradient_norms),
            "learning_rate": float(self._learning_rate(self.step - 1)),
            **self._window.timings(speed, local_devices()[0]),
            **({"non_finite": cursor.non_finite} if cursor.non_finite else {}),
        }
        self._pace = self._window.pace(loss)
        validation_loss = self._validate_average() if is_validation else None
        by_channel = {"validation_loss_by_channel": self._validation.losses} if is_validation else {}
        self._log.append(entry | {"validation_loss": validation_loss} | by_channel)
        cursor.losses, cursor.gradient_norms, cursor.non_finite = [], [], []
        self._window = self._window.following()
        return validation_loss

    def _collect(self) -> None:
        """Fetch what the device has reported since the last time."""
        outcomes, drawn, last = jax.device_get(self._window.pending), self._drawn, self._snapshots.latest_step() or 0
        self._window.pending, self._drawn = [], []
        for step, outcome in enumerate(outcomes, self.step - len(outcomes) + 1):
            values = {"loss": float(outcome.loss), "gradient norm": float(outcome.gradient_norm)}
            batch = drawn[step - self.step - 1]
            if self._non_finite.look_at(step, batch, values, self._cursor, last):
                self._cursor.losses.append(values["loss"])
                self._cursor.gradient_norms.append(values["gradient norm"])

    def _validate_average(self) -> float:
        """Return the loss of the averaged weights, kept as the best checkpoint if no lower loss came before."""
        mean = self._validation.evaluate(self._state.average)
        self._compiled.add("validation")
        self._require_finite("validation loss", mean, self.step)
        if self._cursor.best_loss is None or mean < self._cursor.best_loss:
            self._cursor.best_loss = mean
            self._save_checkpoint(self._run.best_checkpoint, mean)
            if is_first():
                self._validation.write_seen(self._run.directory, self.step)
        return mean

    def _save_checkpoint(self, path: Path, validation_loss: float | None) -> None:
        weights = self._layout.fetch(self._state.average)
        if not is_first():
            return
        weights = {**self._start.weights, **weights}
        provenance = replace(self._start.provenance, step=self.step, validation_loss=validation_loss)
        replace(self._start, weights=weights, provenance=provenance).save(path)

    def _require_finite(self, name: str, value: float, step: int) -> None:
        if not np.isfinite(value):
            last = self._snapshots.latest_step() or 0
            raise UserError(
                f"{name} is {value} at step {step}; the last good snapshot in {self._run.snapshots} is of step {last}:"
                " lower the learning_rate or clip_norm in a new folder"
            )


def _mean(values: list[float]) -> float | None:
    """Return the mean; None where every step was skipped."""
    return float(np.mean(values)) if values else None
