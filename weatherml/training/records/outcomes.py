"""What optimiser steps have reported, fetched from the devices when it is asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from weatherml.data.loading.loader import Spell
from weatherml.parallel import local_devices
from weatherml.training.records.window import Window
from weatherml.training.recovery.non_finite import Drawn, NonFinite, Offence
from weatherml.training.recovery.snapshots import Cursor
from weatherml.training.update.step import Outcome


@dataclass
class Outcomes:
    """The steps since the last entry of the metrics.

    Attributes:
        non_finite: What is done about those that are not finite.
        pace: How they went, in a few words.
    """

    non_finite: NonFinite
    pace: str = ""
    _window: Window = field(default_factory=Window)
    _drawn: list[Drawn] = field(default_factory=list)

    def add(self, outcome: Outcome, drawn: Drawn, n_samples: int, flops: float | None) -> None:
        """Note a step, at which the device may still be at work: its batch, samples, and operations of a device."""
        self._window.add(outcome, n_samples, flops)
        self._drawn.append(drawn)

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """Let a step within the block, which is compiled first, count for no speed."""
        with self._window.uncounted():
            yield

    def collect(self, step: int, cursor: Cursor, last: int) -> None:
        """Fetch what steps up to `step` have reported since the last time, for a cursor to keep.

        Args:
            step: Completed ones.
            cursor: Which is told.
            last: Step of the latest snapshot.

        Raises:
            UserError: One was not finite, and the training stops.
            NotFiniteError: Likewise, and it goes back.
        """
        outcomes, drawn = jax.device_get(self._window.pending), self._drawn
        self._window.pending, self._drawn = [], []
        for number, (outcome, batch) in enumerate(zip(outcomes, drawn, strict=True), step - len(outcomes) + 1):
            values = {"loss": float(outcome.loss), "gradient norm": float(outcome.gradient_norm)}
            if self.non_finite.look_at(number, batch, values, cursor, last):
                cursor.losses.append(values["loss"])
                cursor.gradient_norms.append(values["gradient norm"])

    def entry(self, cursor: Cursor, spell: Spell) -> dict[str, Any]:
        """Return what an entry of the metrics says of them; loading has done `spell` meanwhile."""
        loss, speed = _mean(cursor.losses), spell.speed
        words = speed.words if self._window.n_steps else ""
        self.pace = ", ".join(filter(None, (self._window.pace(loss), words)))
        return {
            "loss": loss,
            "gradient_norm": _mean(cursor.gradient_norms),
            **self._window.timings(speed, local_devices()[0]),
            **({"non_finite": cursor.non_finite} if cursor.non_finite else {}),
        }

    def follow(self, cursor: Cursor) -> None:
        """Let what is noted from now on be of the next entry; the device has done all that it was given."""
        cursor.losses, cursor.gradient_norms, cursor.non_finite = [], [], []
        self._window = self._window.following()

    def go_back(self, offence: Offence, before: Cursor, restored: Cursor, step: int) -> None:
        """Forget the steps since a snapshot, that training goes back to; let its cursor know why (`NonFinite`)."""
        self.non_finite.roll_back(offence, before, restored, step)
        self._window, self._drawn = Window(), []


def _mean(values: list[float]) -> float | None:
    """Return the mean; None where every step was skipped."""
    return float(np.mean(values)) if values else None
