"""Atmospheric rivers: long bands of vapour on their way to the poles."""

from weatherml.extremes.hazards.rivers.definition import FIXED, STRONG, Definition
from weatherml.extremes.hazards.rivers.detection import rivers
from weatherml.extremes.hazards.rivers.landfall import landfall_errors, landfalls
from weatherml.extremes.hazards.rivers.probability import climatology, probability
from weatherml.extremes.hazards.rivers.scale import category, highest_category
from weatherml.extremes.hazards.rivers.transport import transport

__all__ = [
    "FIXED",
    "STRONG",
    "Definition",
    "category",
    "climatology",
    "highest_category",
    "landfall_errors",
    "landfalls",
    "probability",
    "rivers",
    "transport",
]
