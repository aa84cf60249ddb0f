"""Training: losses, optimiser, curriculum, and the loop that survives interruptions."""

from weatherml.training.config import TrainingConfig
from weatherml.training.curriculum.stages import Stage
from weatherml.training.loop import Progress, train
from weatherml.training.objective.diagnosis import diagnostic_normalizer
from weatherml.training.objective.losses import LossConfig
from weatherml.training.run import Run
from weatherml.training.update.optimizer import OptimizerConfig

__all__ = [
    "LossConfig",
    "OptimizerConfig",
    "Progress",
    "Run",
    "Stage",
    "TrainingConfig",
    "diagnostic_normalizer",
    "train",
]
