"""What is trained, and what is minimised: a step by its forecasts, or a diagnostic by what it makes of states."""

from typing import TypeAlias

from flax import nnx
from jax import Array

from weatherml.checkpoint import Checkpoint
from weatherml.data.loading.samples import Batch
from weatherml.models import Step
from weatherml.training.objective.diagnosis import DiagnosisLoss, diagnosis_loss
from weatherml.training.objective.losses import Loss, LossConfig
from weatherml.training.objective.rollout import Noise, rollout_loss

AnyLoss: TypeAlias = Loss | DiagnosisLoss


def build_objective(
    config: LossConfig, start: Checkpoint, model: Checkpoint | None = None
) -> tuple[nnx.Module, AnyLoss]:
    """Build the module that is trained, and its loss.

    Args:
        config: Which loss.
        start: A model, or a diagnostic.
        model: Whose forecasts a diagnostic learns from; analyses when None.

    Raises:
        UserError: The loss does not suit what is trained.
    """
    if start.prediction == "diagnostic":
        return start.build_diagnostic(), diagnosis_loss(config, start, model)
    step = start.build_step()
    config.require_noise(step.n_noise)
    return step, config.build(start.normalizer.statistics)


def evaluate(
    module: nnx.Module, loss: AnyLoss, batch: Batch, key: Array | None = None, noise: Noise | None = None
) -> Array:
    """Return the loss of a module on a batch; arguments as `rollout_loss` has them."""
    if isinstance(loss, DiagnosisLoss):
        return loss(module, batch)
    assert isinstance(module, Step)
    return rollout_loss(module, loss, batch, key, noise)
