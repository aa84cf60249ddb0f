"""The loss of averaged weights on samples that nothing is learned from, and what is seen of one batch of them."""

from pathlib import Path

import jax
import numpy as np

from weatherml.data.loading.samples import Samples
from weatherml.data.statistics.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.models.weights import Weights
from weatherml.parallel import Layout
from weatherml.training.batches import in_period
from weatherml.training.config import TrainingConfig
from weatherml.training.laid import Laid
from weatherml.training.validation.glimpse import Viewer


class Validation:
    """Whole batches, spread evenly over the validation period, the same every time and on every mesh.

    Args:
        config: Of the training.
        samples: Of the validation period.
        normalizer: Of the model.

    Raises:
        UserError: The period holds no batch.
    """

    def __init__(self, config: TrainingConfig, samples: Samples, normalizer: Normalizer) -> None:
        self._samples = in_period("validation", lambda: samples.with_n_steps(config.longest_rollout))
        self._size, self._viewer = config.batch_size, Viewer(normalizer)
        self._indices = self._spread(config.n_validation_batches)

    def batch_bytes(self, layout: Layout) -> int:
        """Return the bytes of what this process makes of a batch that lies so."""
        return self._size // layout.portion.samples.count * self._of(layout).sample_bytes

    @property
    def losses(self) -> dict[str, float]:
        """What each channel added to the loss of the batch that was looked at last, by its name."""
        return self._viewer.losses

    def evaluate(self, laid: Laid, weights: Weights) -> float:
        """Return the mean loss of weights over all batches, on their mesh."""
        samples = self._of(laid.layout)  # whose memory goes with it
        return float(np.mean([self._of_batch(laid, samples, weights, indices) for indices in self._indices]))

    def write_seen(self, folder: Path, step: int) -> None:
        """Write what was seen of the first batch in the folder of a training, after so many optimiser steps."""
        self._viewer.write(folder, self._samples.times(self._indices[0][0]), step)

    def _of(self, layout: Layout) -> Samples:
        """Return the samples as this process reads them for batches that lie so."""
        return self._samples.of_rows(layout.portion.rows.of(self._samples.n_rows))

    def _of_batch(self, laid: Laid, samples: Samples, weights: Weights, indices: list[int]) -> np.ndarray:
        """Return the loss of one batch, once it is there: the batch is gone before the next is made."""
        share = laid.layout.portion.samples.of(len(indices))
        own = laid.layout.place_batch(samples.gather(indices[share]))
        loss = laid.validate(weights, own)
        if laid.look is not None and indices is self._indices[0]:
            self._viewer.look(laid.look(weights, own))
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
