"""From one configuration to one run: the whole road, assembled."""

from weatherml.experiment.apart import perform_apart
from weatherml.experiment.config import ExperimentConfig, ExtremesConfig, PeriodsConfig, demonstration
from weatherml.experiment.phases import PHASES
from weatherml.experiment.run import Experiment
from weatherml.experiment.work import Perform, perform_within
from weatherml.experiment.work import perform as perform_here

__all__ = [
    "PHASES",
    "Experiment",
    "ExperimentConfig",
    "ExtremesConfig",
    "Perform",
    "PeriodsConfig",
    "demonstration",
    "perform_apart",
    "perform_here",
    "perform_within",
]
