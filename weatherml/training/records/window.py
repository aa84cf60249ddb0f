"""What happened between two entries of the metrics."""

import time
from dataclasses import dataclass, field

from weatherml.data.loading.loader import Speed, Spell
from weatherml.training.update.step import Outcome


@dataclass
class Window:
    """What happened since the last metrics entry, or since the session began.

    Attributes:
        pending: Outcomes that are still on the device.
        n_samples: That they learned from.
        started: On the clock, seconds.
        spells: What loading did for the steps of stages that have ended since.
    """

    pending: list[Outcome] = field(default_factory=list)
    spells: list[Spell] = field(default_factory=list)
    n_samples: int = 0
    started: float = field(default_factory=time.perf_counter)

    def add(self, outcome: Outcome, n_samples: int) -> None:
        """Count one step; the host runs at most one ahead of the device, or batches would pile up there."""
        self.pending.append(outcome)
        self.n_samples += n_samples
        if len(self.pending) > 1:
            self.pending[-2].loss.block_until_ready()

    def timings(self, speed: Speed) -> dict[str, float | str]:
        """Return the speed, the share of time in which steps waited for the loader, and what limits them."""
        elapsed = time.perf_counter() - self.started
        return {
            "samples_per_second": self.n_samples / elapsed,
            "loader_share": speed.share,
            "loader_gigabytes_per_second": speed.gigabytes_per_second,
            "limited_by": speed.limit,
        }
