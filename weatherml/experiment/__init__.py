"""From one configuration to one run: the whole road, assembled."""

from weatherml.experiment.config import ExperimentConfig, ExtremesConfig, PeriodsConfig, demonstration
from weatherml.experiment.phases import PHASES
from weatherml.experiment.run import Experiment

__all__ = ["PHASES", "Experiment", "ExperimentConfig", "ExtremesConfig", "PeriodsConfig", "demonstration"]
