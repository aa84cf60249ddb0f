"""Probabilities and cones that keep what they promise, learnt on a period that nothing else has seen."""

from weatherml.extremes.calibration.cones import Cone
from weatherml.extremes.calibration.held_out import HeldOut
from weatherml.extremes.calibration.probabilities import Calibration

__all__ = ["Calibration", "Cone", "HeldOut"]
