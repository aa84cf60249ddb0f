"""Severe convection: the energy of rising air, and the shear that makes storms of it."""

from weatherml.extremes.hazards.convection.definition import Definition
from weatherml.extremes.hazards.convection.indices import bulk_shear, convection, craven_brooks

__all__ = ["Definition", "bulk_shear", "convection", "craven_brooks"]
