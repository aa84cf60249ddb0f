"""A training in progress: optimiser steps, validation, and the records that are kept of them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import jax
import numpy as np

from weatherml.checkpoint import Checkpoint
from weatherml.data.loading.loader import Loader, total
from weatherml.data.loading.order import Order
from weatherml.data.loading.room import require_room
from weatherml.data.loading.samples import Batch, Samples
from weatherml.errors import UserError
from weatherml.models.weights import weights_of
from weatherml.parallel import is_first, local_devices, n_processes
from weatherml.training.config import TrainingConfig
from weatherml.training.objective.objective import build_objective
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
from weatherml.wording import counted

T = TypeVar("T")


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
        self._training, longest = samples[0], config.longest_rollout
        self._validation = _in("validation", lambda: samples[1].with_n_steps(longest))
        self._layout = config.lay_out(start.model, start.spec.grid.shape)
        self._own = self._layout.portion.samples
        step, loss = build_objective(config.loss, start, model)
        self._layout.require_split(weights_of(step))
        freeze_others(step, config.trainable)
        step, loss, maps = shared(step, loss, start.build_noise(), self._layout)
        memory, draws = config.device_memory, Draws(config.seed, maps)
        memory.require_host()
        optimizer = config.optimizer.build(config.stages, memory.moments)
        self._update = build_update(step, loss, optimizer, config.average_decay, self._layout, draws, memory)
        self._validate = build_validate(step, loss, self._layout, draws, memory.accumulate)
        self._learning_rate = learning_rate_schedule(config.stages, config.optimizer.warm_up)
        state = self._layout.placed(initial_state(self._layout.placed(weights_of(step)), optimizer))
        self._state = offloaded(state, memory.offload)
        self._cursor, self.step = Cursor(), snapshots.latest_step() or 0
        if self.step:
            self._state, self._cursor = snapshots.restore(self._state)
        self._non_finite = NonFinite(config.non_finite, config.most_non_finite, run.snapshots, self._times_of)
        self._drawn: list[Drawn] = []
        self._compiled: set[int | str] = set()
        self._require_stages()
        self._stage = stage_index(config.stages, self.step)
        self._batches = self._open_stage(self._stage, self._cursor.position)
        self._viewer = Viewer(start.normalizer, build_look(step, loss, self._layout, draws, memory.accumulate))
        self._window, self._operations, self._pace, self._speed = Window(), Operations(), "", ""
        if config.non_finite == "rollback" and snapshots.latest_step() is None:
            self.save_snapshot()  # the first that there is to go back to

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
        batch = self._next_batch()
        self._state, outcome = self._update(self._state, batch)
        n_samples = self._config.batch_size_of(self._config.stages[self._stage])
        self._window.add(outcome, n_samples, self._operations_in(batch))
        self._drawn.append(Drawn(self._stage, self._batches.position - 1))
        self._compiled.add(self._stage)
        self.step += 1

    def _operations_in(self, batch: Batch) -> float | None:
        """Return the operations of a step on one device; the program is there, for a step has just been taken."""
        return self._operations.in_step(self._stage, lambda: self._update.lower(self._state, batch).compile())

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
        self._cursor.loader, self._cursor.n_rollbacks = self._position, 0
        self._log.flush()  # entries up to here are not written again
        self._snapshots.save(self.step, self._state, self._cursor)

    def _roll_back(self, offence: Offence) -> None:
        """Go back to the latest snapshot, and on from there with the batches after the offending one."""
        before = self._cursor
        self._state, self._cursor = self._snapshots.restore(self._state)
        self._non_finite.roll_back(offence, before, self._snapshots, self._cursor)
        self.step = self._snapshots.latest_step() or 0
        self._log.go_back(self.step)
        self._batches.close()
        self._stage = stage_index(self._config.stages, self.step)
        self._batches = self._open_stage(self._stage, self._cursor.position)
        self._window, self._drawn = Window(), []

    def _next_batch(self) -> Batch:
        try:
            self._enter_stage()
            batch: Batch = next(self._batches)
            return batch
        except UserError as error:
            if not self.step or n_processes() > 1:  # of several, the others do not know, and save nothing
                raise
            if self.step != self._snapshots.latest_step():
                self.save_snapshot()
            raise error.within(f"training stopped after step {self.step}, from which it goes on: ") from None

    @property
    def _position(self) -> int:
        """How many batches came before of the stage that the next step belongs to, which may not have been entered."""
        return self._batches.position if stage_index(self._config.stages, self.step) == self._stage else 0

    def _enter_stage(self) -> None:
        """Go on to the next stage where its first step is due, not before: records of the last are still to be kept."""
        index = stage_index(self._config.stages, self.step)
        if index != self._stage:
            self._window.spells.append(self._batches.spell())
            self._batches.close()
            self._stage, self._batches = index, self._open_stage(index)

    def _open_stage(self, index: int, position: int = 0) -> Loader:
        """Return the batches of a stage, from a position on."""
        samples, order = self._drawn_in(index)
        position = max(position, self._cursor.passed.get(str(index), 0))
        validated = self._config.batch_size // self._own.count * self._validation.sample_bytes
        return Loader(samples, order, position, self._layout.place_batch, in_use=validated)

    def _drawn_in(self, index: int) -> tuple[Samples, Order]:
        """Return what is drawn in a stage, and in which order."""
        stage = self._config.stages[index]
        period = f"training, stage {index + 1} of {len(self._config.stages)}"
        samples = _in(period, lambda: stage.choose(self._training))
        seed = int(np.random.SeedSequence((self._config.seed, index)).generate_state(1)[0])
        size, own = self._config.batch_size_of(stage), self._own
        return samples, _in(period, lambda: Order(len(samples), size, seed, own.index, own.count))

    def _times_of(self, drawn: Drawn) -> np.ndarray:
        """Return the initial times of the samples of a batch, of all processes."""
        samples, order = self._drawn_in(drawn.stage)
        return np.sort([samples.times(index)[0] for index in order.batch(drawn.position)])

    def _require_stages(self) -> None:
        """Require what all stages and validations take now, not after hours of the steps before them."""
        self._validation_indices()
        for index in range(len(self._config.stages)):
            samples, order = self._drawn_in(index)
            require_room(
                order.batch_size // order.process_count * samples.sample_bytes, samples.memory_left, samples.n_bytes
            )

    def _record(self, is_validation: bool) -> float | None:
        """Write a metrics entry about the steps since the one before; return its validation loss, if there is one."""
        self._collect()
        cursor, stage = self._cursor, stage_index(self._config.stages, self.step - 1) + 1
        speed = total([*self._window.spells, self._batches.spell()]).speed
        self._speed = speed.words
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
        by_channel = {"validation_loss_by_channel": self._viewer.losses} if is_validation else {}
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
        samples = self._validation.with_n_steps(self._config.longest_rollout)  # whose memory goes with it
        chosen = self._validation_indices()
        losses = [self._validate_batch(samples, indices, is_seen=indices is chosen[0]) for indices in chosen]
        mean = float(np.mean(losses))
        self._compiled.add("validation")
        self._require_finite("validation loss", mean, self.step)
        if self._cursor.best_loss is None or mean < self._cursor.best_loss:
            self._cursor.best_loss = mean
            self._save_checkpoint(self._run.best_checkpoint, mean)
            if is_first():
                self._viewer.write(self._run.directory, samples.times(chosen[0][0]), self.step)
        return mean

    def _validate_batch(self, samples: Samples, indices: list[int], is_seen: bool) -> np.ndarray:
        """Return the loss of one batch, once it is there: the batch is gone before the next is made."""
        own = self._layout.place_batch(samples.gather(indices[self._own.of(len(indices))]))
        loss = self._validate(self._state.average, own)
        if is_seen:
            self._viewer.look(self._state.average, own)
        return np.asarray(jax.device_get(loss))

    def _validation_indices(self) -> list[list[int]]:
        """Return the samples of whole batches, spread evenly over the validation period, the same every time."""
        size, n_samples = self._config.batch_size, len(self._validation)
        n_batches = min(self._config.n_validation_batches, n_samples // size)
        if n_batches == 0:
            raise UserError(
                f"the validation period holds {counted(n_samples, 'sample')}, fewer than batch_size {size};"
                " choose a longer one"
            )
        chosen = np.linspace(0, n_samples - 1, n_batches * size).round().astype(int).reshape(n_batches, size)
        indices: list[list[int]] = chosen.tolist()
        return indices

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


def _in(period: str, choose: Callable[[], T]) -> T:
    """Return what is chosen of a period, by which a mistake is named."""
    try:
        return choose()
    except UserError as error:
        raise error.within(f"period of {period}: ") from None


def _mean(values: list[float]) -> float | None:
    """Return the mean; None where every step was skipped."""
    return float(np.mean(values)) if values else None
