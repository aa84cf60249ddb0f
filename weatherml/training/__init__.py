"""Training: losses, optimiser, curriculum, and the loop that survives interruptions."""

from weatherml.training.curriculum import Stage
from weatherml.training.loop import Progress, train
from weatherml.training.losses import LossConfig
from weatherml.training.optimizer import OptimizerConfig
from weatherml.training.run import Run
from weatherml.training.session import TrainingConfig

__all__ = ["LossConfig", "OptimizerConfig", "Progress", "Run", "Stage", "TrainingConfig", "train"]
