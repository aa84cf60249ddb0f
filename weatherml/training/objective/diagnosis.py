"""What a diagnostic misses of the truth: of analyses, or of states that a model has forecast."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from weatherml.checkpoint import Checkpoint
from weatherml.data.loading.samples import Batch
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.data.statistics.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.models import DiagnosticConfig, Step
from weatherml.models.weights import split_weights, weights_of
from weatherml.state import StateSpec
from weatherml.training.objective.losses import Loss, LossConfig


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Backbone:
    """A model that makes the states of which a diagnostic is trained; it is not trained itself.

    Attributes:
        arrays: Its weights and constants.
        rebuild: Makes the step of them.
    """

    arrays: tuple[Any, Any]
    rebuild: Callable[[Any, Any], Step] = field(metadata={"static": True})

    @classmethod
    def of(cls, step: Step) -> "Backbone":
        """Take a step apart."""
        rebuild, constants = split_weights(step)
        return cls((weights_of(step), constants), rebuild)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DiagnosisLoss:
    """The loss of a diagnostic, of batches whose states hold the truth after the channels that it takes.

    Attributes:
        loss: Of compressed outputs.
        backbone: Forecasts the states from the first; they are those of the batch when None.
        compress: Turns SI units into those of the loss.
        n_inputs: Channels that the diagnostic takes.
    """

    loss: Loss
    backbone: Backbone | None
    compress: Callable[[Array], Array] = field(metadata={"static": True})
    n_inputs: int = field(metadata={"static": True})

    @property
    def grid(self) -> tuple[int, ...]:
        """Rows and columns of the fields."""
        return self.loss.grid

    def __call__(self, diagnostic: nnx.Module, batch: Batch) -> Array:
        """Return the loss, averaged over the batch and all its times but the first.

        Args:
            diagnostic: From normalised states `[batch, channel, lat, lon]` to SI units `[batch, output, lat, lon]`.
            batch: `state [batch, step + 1, channel + output, lat, lon]`, normalised but for the outputs.
        """
        states, forcings = jnp.asarray(batch.state), jnp.asarray(batch.forcing)
        step = None if self.backbone is None else self.backbone.rebuild(*self.backbone.arrays)
        state, n_steps = states[:, 0, : self.n_inputs], states.shape[1] - 1
        total: Array = jnp.float32(0)
        for k in range(n_steps):
            state = states[:, k + 1, : self.n_inputs] if step is None else step(state, forcings[:, k])
            given, truth = diagnostic(state), states[:, k + 1, self.n_inputs :]
            total += self.loss(self.compress(given), self.compress(truth))
        return total / n_steps


def diagnosis_loss(config: LossConfig, start: Checkpoint, model: Checkpoint | None) -> DiagnosisLoss:
    """Build the loss of a diagnostic.

    Args:
        config: Which distance, of outputs in the unit that the diagnostic compresses them to.
        start: The diagnostic.
        model: Whose forecasts it learns from; analyses when None.

    Raises:
        UserError: The loss is of ensembles, or the model has other states than the diagnostic.
    """
    if config.is_of_ensembles:
        raise UserError(f"loss {config.name} compares members, of which a diagnostic gives none; take mse or mae")
    if model is not None:
        _require_same_states(start, model)
    loss = config.build(_statistics_of_outputs(start))
    backbone = None if model is None else Backbone.of(model.build_step())
    assert isinstance(start.model, DiagnosticConfig)
    return DiagnosisLoss(loss, backbone, start.model.compress, start.spec.n_channels)


def diagnostic_normalizer(start: Checkpoint) -> Normalizer:
    """Return the normaliser of the states that a diagnostic is trained on: its outputs follow, in SI units.

    Raises:
        UserError: The diagnostic takes anomalies of a climatology.
    """
    own, outputs = start.normalizer.statistics, _statistics_of_outputs(start)
    if start.normalizer.climatology is not None:
        raise UserError(
            "a diagnostic is trained on states less their mean, these are less a climatology; set reference=mean"
        )
    return Normalizer(
        replace(
            own,
            spec=StateSpec((*start.spec.channels, *start.outputs), start.spec.grid),
            mean=np.concatenate([own.mean, outputs.mean]),
            std=np.concatenate([own.std, outputs.std]),
            difference_std=np.concatenate([own.difference_std, outputs.difference_std]),
            valid=np.concatenate([own.valid, outputs.valid]),
            values=None,
        )
    )


def _statistics_of_outputs(start: Checkpoint) -> Statistics:
    """Return statistics under which outputs stay as they are."""
    spec = StateSpec(start.outputs, start.spec.grid)
    one = np.ones(spec.n_channels, np.float32)
    own = start.normalizer.statistics
    return Statistics(spec, 0 * one, one, one, np.ones(spec.shape, bool), own.time_step, own.period, 0)


def _require_same_states(start: Checkpoint, model: Checkpoint) -> None:
    ours, theirs = start.normalizer.statistics, model.normalizer.statistics
    alike = start.spec.is_same(model.spec) and all(
        np.array_equal(getattr(ours, name), getattr(theirs, name)) for name in ("mean", "std")
    )
    if not alike or model.normalizer.climatology is not None:
        raise UserError(
            "the model whose forecasts a diagnostic learns from has other channels, another grid or other statistics;"
            " initialize the diagnostic with the normalizer of the model"
        )
