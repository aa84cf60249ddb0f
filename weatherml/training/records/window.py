"""What happened between two entries of the metrics."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

import jax

from weatherml.data.loading.loader import Speed
from weatherml.training.records.device import told_of
from weatherml.training.update.step import Outcome

_REMEMBERED = 32
"""Durations of steps of which the median is taken."""


@dataclass
class Waiting:
    """How long the device had nothing to do between optimiser steps: nobody had given it the next.

    A step that is still under way when the next is given ends at a moment that is seen. One that has ended before,
    ended when steps like it do.

    Attributes:
        seconds: In all.
    """

    seconds: float = 0.0
    _idle_since: float | None = field(default_factory=time.perf_counter)
    _began: float = 0.0
    _durations: list[float] = field(default_factory=list)

    def following(self) -> "Waiting":
        """Return what counts anew from now on, when the device has done all that it was given."""
        return Waiting(_durations=self._durations)

    def rest(self, now: float) -> None:
        """Note that the device has done all at `now`, and that what was before is nobody's waiting."""
        self._idle_since, self._began = now, now

    def give(self, now: float, is_under_way: bool) -> None:
        """Note that a step was given to the device at `now`, and whether the one before was still under way."""
        if is_under_way:
            return  # its end is seen
        if self._idle_since is not None:
            self.seconds += now - self._idle_since
        elif self._durations:
            self.seconds += max(0.0, now - self._began - median(self._durations))
        self._idle_since, self._began = None, now

    def see_end(self, now: float) -> None:
        """Note that the step before ended at `now`, when the one that was given begins."""
        self._durations = [*self._durations[1 - _REMEMBERED :], now - self._began]
        self._began = now


@dataclass
class Window:
    """What happened since the last metrics entry, or since the session began.

    Attributes:
        pending: Outcomes that are still on the device.
        n_steps: Optimiser steps.
        n_samples: That they learned from.
        flops: Of all these steps, of one device; None where that is not known.
        waiting: Of the device.
        started: On the clock, seconds.
        left_out: Of the time since then, in which programs were compiled, seconds.
    """

    pending: list[Outcome] = field(default_factory=list)
    n_steps: int = 0
    n_samples: int = 0
    flops: float | None = 0.0
    waiting: Waiting = field(default_factory=Waiting)
    started: float = field(default_factory=time.perf_counter)
    left_out: float = 0.0

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """Let a step that is added within the block, and is compiled first, count for no speed; it is waited for."""
        began, counted = time.perf_counter(), (self.n_steps, self.n_samples, self.flops, self.waiting.seconds)
        yield
        self.pending[-1].loss.block_until_ready()
        self.n_steps, self.n_samples, self.flops, self.waiting.seconds = counted
        now = time.perf_counter()
        self.left_out += now - began
        self.waiting.rest(now)

    def add(self, outcome: Outcome, n_samples: int, flops: float | None = None) -> None:
        """Count one step; the host runs at most one ahead of the device, or batches would pile up there.

        Args:
            outcome: On the device, which may still be at work on it.
            n_samples: That the step learns from.
            flops: Of one device.
        """
        before = self.pending[-1] if self.pending else None
        is_under_way = before is not None and not before.loss.is_ready()  # type: ignore[attr-defined]
        self.waiting.give(time.perf_counter(), is_under_way)
        self.pending.append(outcome)
        self.n_steps, self.n_samples = self.n_steps + 1, self.n_samples + n_samples
        self.flops = None if flops is None or self.flops is None else self.flops + flops
        if before is not None and is_under_way:
            before.loss.block_until_ready()
            self.waiting.see_end(time.perf_counter())

    def following(self) -> "Window":
        """Return the window that follows, of a device that has done all that it was given."""
        return Window(waiting=self.waiting.following())

    @property
    def elapsed(self) -> float:
        """Seconds since the window began in which nothing was compiled."""
        return time.perf_counter() - self.started - self.left_out

    def pace(self, loss: float | None) -> str:
        """Return the mean loss, where any step counts, and how fast steps were, in a few words."""
        told = [] if loss is None else [f"loss {loss:.4g}"]
        rate = [f"{self.n_samples / self.elapsed:.3g} samples/s"] if self.n_steps else []
        return ", ".join([*told, *rate])

    def timings(self, speed: Speed, device: jax.Device) -> dict[str, float | str]:
        """Return how fast steps were, what they waited for, and how much of a device they took.

        Nothing of that where all steps were compiled first.

        Args:
            speed: Of loading.
            device: One of those that are at work.
        """
        if not self.n_steps:
            return {**told_of(device, None)}
        elapsed = self.elapsed
        told: dict[str, float | str] = {
            "samples_per_second": self.n_samples / elapsed,
            "seconds_per_step": elapsed / self.n_steps,
            "device_wait": min(1.0, self.waiting.seconds / elapsed),
            "loader_share": speed.share,
            "loader_gigabytes_per_second": speed.gigabytes_per_second,
            "limited_by": speed.limit,
        }
        rate = None if self.flops is None else self.flops / elapsed
        return told | told_of(device, rate)
