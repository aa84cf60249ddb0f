"""The loss of averaged weights on samples that nothing is learned from, and what is seen of one batch of them."""

from pathlib import Path

import jax
import numpy as np

from weatherml.data.loading.samples import Samples
from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.models.weights import Weights
from weatherml.parallel import Layout
from weatherml.training.batches import in_period
from weatherml.training.config import TrainingConfig
from weatherml.training.records.glimpse import Viewer
from weatherml.training.update.given import Given


class Validation:
    """Whole batches, spread evenly over the validation period, the same every time.

    Args:
        config: Of the training.
        samples: Of the validation period.
        layout: Where batches lie.
        loss: Of given weights on a batch.
        viewer: Looks at the first batch.

    Raises:
        UserError: The period holds no batch.
    """

    def __init__(
        self, config: TrainingConfig, samples: Samples, layout: Layout, loss: Given[jax.Array], viewer: Viewer
    ) -> None:
        self._n_steps, self._layout, self._loss, self._viewer = config.longest_rollout, layout, loss, viewer
        self._samples = in_period("validation", lambda: samples.with_n_steps(self._n_steps))
        self._own, self._size = layout.portion.samples, config.batch_size
        self._indices = self._spread(config.n_validation_batches)

    @property
    def batch_bytes(self) -> int:
        """Bytes of what this process makes of a batch."""
        return self._size // self._own.count * self._samples.sample_bytes

    @property
    def losses(self) -> dict[str, float]:
        """What each channel added to the loss of the batch that was looked at last, by its name."""
        return self._viewer.losses

    def evaluate(self, weights: Weights) -> float:
        """Return the mean loss of weights over all batches."""
        samples = self._samples.with_n_steps(self._n_steps)  # whose memory goes with it
        return float(np.mean([self._of_batch(samples, weights, indices) for indices in self._indices]))

    def write_seen(self, folder: Path, step: int) -> None:
        """Write what was seen of the first batch in the folder of a training, after so many optimiser steps."""
        self._viewer.write(folder, self._samples.times(self._indices[0][0]), step)

    def _of_batch(self, samples: Samples, weights: Weights, indices: list[int]) -> np.ndarray:
        """Return the loss of one batch, once it is there: the batch is gone before the next is made."""
        own = self._layout.place_batch(samples.gather(indices[self._own.of(len(indices))]))
        loss = self._loss(weights, own)
        if indices is self._indices[0]:
            self._viewer.look(weights, own)
        return np.asarray(jax.device_get(loss))

    def _spread(self, most: int) -> list[list[int]]:
        """Return the samples of each batch, of so many at most."""
        n_samples = len(self._samples)
        n_batches = min(most, n_samples // self._size)
        if n_batches == 0:
            raise UserError(
                f"the validation period holds {counted(n_samples, 'sample')}, fewer than batch_size {self._size};"
                " choose a longer one"
            )
        chosen = np.linspace(0, n_samples - 1, n_batches * self._size).round().astype(int)
        indices: list[list[int]] = chosen.reshape(n_batches, self._size).tolist()
        return indices
