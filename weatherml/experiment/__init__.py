"""From one configuration to one run: the whole road, assembled."""

from weatherml.experiment.config import ExperimentConfig, ExtremesConfig, PeriodsConfig, demonstration
from weatherml.experiment.phases import PHASES
from weatherml.experiment.running.apart import perform_apart
from weatherml.experiment.running.run import Experiment
from weatherml.experiment.running.work import Perform, perform_within
from weatherml.experiment.running.work import perform as perform_here

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
