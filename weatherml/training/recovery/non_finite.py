"""What a training does about a loss or a gradient that is not finite: it stops, skips the step, or rolls back."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from weatherml.errors import Option, UserError
from weatherml.errors.wording import listed
from weatherml.parallel import is_first
from weatherml.training.recovery.snapshots import Cursor

Policy = Literal["stop", "skip", "rollback"]
"""`stop` ends the training with a message; `skip` changes no weights in such a step; `rollback` goes back to the latest
snapshot and on from there with the batches that follow the offending one."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Drawn:
    """The batch that a step took.

    Attributes:
        stage: Counted from 0.
        position: How many batches of the stage came before it.
    """

    stage: int
    position: int


@dataclass(frozen=True)
class Offence:
    """A step in which something was not finite.

    Attributes:
        step: Its number, from 1.
        name: Of what was not.
        value: Infinite, or not a number.
        drawn: The batch.
        times: Initial times of its samples.
    """

    step: int
    name: str
    value: float
    drawn: Drawn
    times: list[str]

    def __str__(self) -> str:
        """Say what was not finite, where, and of which samples."""
        return f"{self.name} is {self.value} at step {self.step}, whose samples begin at {listed(self.times)}"

    @property
    def entry(self) -> dict[str, Any]:
        """What the metrics keep of it."""
        return {"step": self.step, "what": self.name, "times": self.times}


class NotFiniteError(Exception):
    """A step was not finite, and the training goes back.

    Attributes:
        offence: What there was.
    """

    def __init__(self, offence: Offence) -> None:
        super().__init__(str(offence))
        self.offence = offence


class NonFinite:
    """What is done about steps that are not finite.

    Args:
        policy: Which.
        most: Steps skipped one after the other, or times gone back to the same snapshot, before the training stops.
        folder: Of the snapshots, for the message.
        times: Returns the initial times of a batch's samples.
    """

    def __init__(self, policy: Policy, most: int, folder: Path, times: Callable[[Drawn], np.ndarray]) -> None:
        self._policy, self._most, self._folder, self._times = policy, most, folder, times

    def look_at(self, step: int, drawn: Drawn, values: dict[str, float], cursor: Cursor, last: int) -> bool:
        """Return whether all values of a step are finite.

        Args:
            step: Its number, from 1.
            drawn: The batch that it took.
            values: What is to be finite, by name.
            cursor: Where the training stands, which is told.
            last: Step of the latest snapshot.

        Raises:
            UserError: They are not, and the training stops.
            NotFiniteError: They are not, and the training goes back.
        """
        name, value = next(((name, value) for name, value in values.items() if not math.isfinite(value)), ("", 0.0))
        if not name:
            cursor.n_skipped = 0
            return True
        offence = Offence(step, name, value, drawn, np.datetime_as_string(self._times(drawn), unit="m").tolist())
        if self._policy == "skip" and cursor.n_skipped < self._most:
            cursor.n_skipped += 1
            self._note(offence, cursor, "that step is skipped")
            return False
        if self._policy == "rollback" and cursor.n_rollbacks < self._most:
            raise NotFiniteError(offence)
        raise self._end(offence, last)

    def roll_back(self, offence: Offence, before: Cursor, restored: Cursor, step: int) -> None:
        """Let what was read from the latest snapshot know what came after it, so that the same is not met again.

        Args:
            offence: Why.
            before: Where the training stood.
            restored: What was read with the snapshot, which is changed.
            step: Of the snapshot.
        """
        restored.passed = before.passed | {str(offence.drawn.stage): offence.drawn.position + 1}
        restored.n_rollbacks = before.n_rollbacks + 1
        restored.non_finite = list(before.non_finite)
        # The checkpoint of the lowest loss stays, whichever way led to it.
        restored.best_loss = before.best_loss
        self._note(offence, restored, f"training goes back to step {step}, and on with later batches")

    def _note(self, offence: Offence, cursor: Cursor, what_is_done: str) -> None:
        cursor.non_finite.append(offence.entry)
        if is_first():
            _logger.warning("%s; %s", offence, what_is_done)

    def _end(self, offence: Offence, last: int) -> UserError:
        tried = {
            "stop": "",
            "skip": f"{self._most} steps were skipped one after the other; ",
            "rollback": f"{self._most} ways from there have led to the like; ",
        }
        told = f"{offence}; {tried[self._policy]}the last good snapshot in {self._folder} is of step {last}"
        on = [Option("training.non_finite", "skip", "to go on")] if self._policy == "stop" else []
        return UserError(told, "lower the learning_rate or clip_norm in a new folder", *on)
