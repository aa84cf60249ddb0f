"""In which order samples are drawn: a function of a seed alone, the same on any number of processes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import grain

from weatherml.errors import UserError
from weatherml.errors.wording import counted

_FEW = 2**14
"""Samples whose epochs are shuffled at once: alone, one of 17 takes a millisecond, one of 50,000 five microseconds."""


@dataclass(frozen=True)
class Order:
    """Batches without end: each epoch is another permutation of the samples, less its last incomplete batch.

    A batch is known by its position, the number of batches before it, and by nothing else: whoever asks for it, and in
    which order, gets the same samples. Of the batch that all processes make together, each makes one run of samples.

    Attributes:
        n_samples: To draw from.
        batch_size: Samples in a batch, over all processes.
        seed: Of the permutations.
        process_index: Which process this is.
        process_count: How many make a batch together.

    Raises:
        UserError: There are fewer samples than a batch holds, or a batch cannot be shared alike.
    """

    n_samples: int
    batch_size: int
    seed: int
    process_index: int = 0
    process_count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.batch_size <= self.n_samples:
            raise UserError(
                f"batch size {self.batch_size} must be from 1 to {self.n_samples}, the number of samples;"
                " choose a smaller batch or a longer period"
            )
        if self.batch_size % self.process_count:
            among = counted(self.process_count, "process", "processes")
            raise UserError(f"batch size {self.batch_size} cannot be shared among {among} alike; choose a multiple")

    @property
    def batches_per_epoch(self) -> int:
        """How many whole batches an epoch has."""
        return self.n_samples // self.batch_size

    @property
    def share(self) -> slice:
        """Which samples of each batch are this process's."""
        size = self.batch_size // self.process_count
        return slice(self.process_index * size, (self.process_index + 1) * size)

    def batch(self, position: int) -> Sequence[int]:
        """Return the samples of one batch, of all processes, by their numbers."""
        epoch, within = divmod(position, self.batches_per_epoch)
        first = within * self.batch_size
        if self.n_samples <= _FEW:
            return _epoch(self.n_samples, self.seed, epoch)[first : first + self.batch_size]
        permutation, start = _permutations(self.n_samples, self.seed), epoch * self.n_samples + first
        return [permutation[start + place] for place in range(self.batch_size)]

    def own(self, position: int) -> Sequence[int]:
        """Return the samples of one batch that this process makes."""
        return self.batch(position)[self.share]


@lru_cache(8)
def _permutations(n_samples: int, seed: int) -> Any:
    """Return what gives the i-th sample of the e-th epoch at `e * n_samples + i`, without holding any."""
    return grain.MapDataset.range(n_samples).shuffle(seed=seed)


@lru_cache(8)
def _epoch(n_samples: int, seed: int, epoch: int) -> Sequence[int]:
    permutation = _permutations(n_samples, seed)
    return [permutation[epoch * n_samples + place] for place in range(n_samples)]
